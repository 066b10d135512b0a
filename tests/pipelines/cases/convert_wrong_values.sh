# each line: one wrong value, exit code 2 and one line that names it
f=$DATA/pdf/glyphs.pdf
for wrong in "--pages 7-3" "--pages x" "--pages -" "--pages 0" "--pages 1,,2" "--format ," "--images some" "--formula some" "--format pdf" "--jobs -1" "--jobs many" "--dpi 0" "--memory 1" "--timeout 0"; do
    $LODE convert $f -o out $wrong
    echo "$wrong: $?"
done
test ! -e out
