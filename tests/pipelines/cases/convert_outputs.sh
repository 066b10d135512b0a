$LODE convert $DATA/papers/ceria.pdf $DATA/pdf/cut_short.pdf -o out -q
echo $?
find out -type f | grep -v images | LC_ALL=C sort
$LODE convert $DATA/papers/ceria.pdf -o only --format md,json -q
find only -type f | grep -v images | LC_ALL=C sort
cmp only/ceria/ceria.md out/ceria/ceria.md && cmp only/ceria/ceria.json out/ceria/ceria.json
