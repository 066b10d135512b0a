# the tiny writer of the tests says nothing of use; what it was given is in the record
$LODE index $DATA/papers/ceria.pdf -L lib -q --no-embeddings
for how in whole sections passages auto 1024; do
    $LODE ask -L lib --no-embeddings -m $DATA/engine/llama_gguf --max-tokens 4 --context $how "What ammonia conversion did foam RC-4 reach?" > /dev/null 2> err
    echo "$how $? $(grep -c 'do nothing here' err)"
done
$LODE ask -L lib --no-embeddings --extractive --score 4 "What ammonia conversion did foam RC-4 reach?" 2>&1 > /dev/null | grep -c "do nothing without a writer"
$LODE ask -L lib --context pages "What?" 2> /dev/null; echo "code $?"
