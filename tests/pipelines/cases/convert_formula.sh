# pictures of formulas: for none, for all, and beside LaTeX or instead of it
for how in auto latex image both; do
    $LODE convert $DATA/papers/ceria.pdf -o $how -q --formula $how --format md,json --dpi 20
    echo "$how: $(ls $how/ceria/images | grep -c formula) files, $(grep -c '^\$\$' $how/ceria/ceria.md) formulas, $(grep -c '^!\[Formula' $how/ceria/ceria.md) pictures, $(grep -c '"formulas": "' $how/ceria/ceria.json)"
done
$LODE convert $DATA/papers/ceria.pdf -o none -q --formula both --images figures --format md
grep -c '^!\[Formula' none/ceria/ceria.md; true
