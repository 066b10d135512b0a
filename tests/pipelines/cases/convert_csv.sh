$LODE convert $DATA/papers/lake.pdf --format csv | tr -d '\r'
$LODE convert $DATA/papers/ceria.pdf -o out --format csv --images all -q || exit 1
ls out/ceria/tables; ls out/ceria/images | grep table
tr -d '\r' < out/ceria/tables/page-2-table-1.csv | head -2
# "-" is no folder
$LODE convert $DATA/papers/lake.pdf --format csv > lake.csv
$LODE convert $DATA/papers/lake.pdf --format csv -o - | cmp - lake.csv && [ ! -e ./- ] && echo same
