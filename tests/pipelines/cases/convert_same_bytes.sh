# the same bytes out for any number of readers
$LODE convert $DATA/papers -o one -j 1 -q && $LODE convert $DATA/papers -o four -j 4 -q
$LODE convert $DATA/papers/ceria.pdf -o one_file -j 1 -q -f all && $LODE convert $DATA/papers/ceria.pdf -o one_file_4 -j 4 -q -f all && diff -r one_file/ceria one_file_4/ceria
rm one/convert.jsonl four/convert.jsonl
diff -r one four && echo same
