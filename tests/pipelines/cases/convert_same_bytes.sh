# the same bytes out for any number of readers
$LODE convert $DATA/papers -o one -j 1 -q && $LODE convert $DATA/papers -o four -j 4 -q
rm one/convert.jsonl four/convert.jsonl
diff -r one four && echo same
