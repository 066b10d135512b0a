$LODE index $DATA/papers -L lib -q --no-embeddings
$LODE ask -L lib -q --no-embeddings --extractive "What ammonia conversion did foam RC-4 reach?" > /dev/null
$LODE replay lib/runs/*.json; echo $?
$LODE replay lib/runs/*.json --json | grep '"same"'
# a record whose answer was changed, and one of another library
sed 's/"answer": "\(.\)/"answer": "X\1/' lib/runs/*.json > changed.json
$LODE replay changed.json -L lib | grep -v '^  '; echo $?
$LODE index $DATA/papers/lake.pdf -L other -q --no-embeddings
$LODE replay lib/runs/*.json -L other | grep -c '^differs: passage'
$LODE replay lib/runs/*.json -L other > /dev/null; echo $?
