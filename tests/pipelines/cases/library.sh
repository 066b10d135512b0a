$LODE index $DATA/papers/lake.pdf -L a -q --no-embeddings; $LODE index $DATA/papers/ceria.pdf -L b -q --no-embeddings
$LODE library stats a | grep -E '^(documents|vectors|embedder)'
$LODE library merge a b -q; $LODE library stats a | grep -E '^documents'
$LODE library export a | grep -c '"year":2022'
echo rubbish > a/vectors.faiss; $LODE library verify a; echo $?
$LODE library repair a
for words in "" "stats" "stats a b" "merge a" "mend a" "verify none"; do $LODE library $words 2>/dev/null; echo $?; done
