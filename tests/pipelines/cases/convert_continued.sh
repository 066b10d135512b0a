# a table over two pages: one table, a picture of each of its parts, each of the whole of it
$LODE convert $DATA/cases/table_continued.pdf -o out --images all -q || exit 1
ls out/table_continued/images
grep -c '^| ' out/table_continued/table_continued.md
grep -n '\$5 to \$6' out/table_continued/table_continued.md
# width and height of a PNG: bytes 16 to 23
for part in "" -2; do
    od -An -j16 -N8 -t u1 out/table_continued/images/page-1-table-1$part.png |
        awk '{ w = $3 * 256 + $4; h = $7 * 256 + $8; print (w > 300 ? "wide" : "narrow"), (h > 60 ? "high" : "low") }'
done
