# a model judges the passages once more; the run says which, and replay needs it again
mkdir ce && cp $DATA/engine/tiny_cross/* $DATA/engine/tiny_bert/vocab.txt ce
$LODE index $DATA/papers -L lib -q
$LODE ask -L lib --extractive -q --reranker ce --reranked 3 --diversity 0.2 "What ammonia conversion did foam RC-4 reach?" > /dev/null
echo $?
grep -o '"reranker": "[a-z]*' lib/runs/*.json
$LODE replay --reranker ce lib/runs/*.json
$LODE replay lib/runs/*.json; echo $?
$LODE ask -L lib --extractive --reranker $DATA/engine/tiny_bert "what?"; echo $?
$LODE ask -L lib --extractive --rerank model "what?"; echo $?
$LODE ask -L lib --extractive --rerank nobody "what?"; echo $?
$LODE ask -L lib --extractive --diversity 2 "what?"; echo $?
