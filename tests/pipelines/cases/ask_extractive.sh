$LODE index $DATA/papers -L lib -q
$LODE ask -L lib --extractive "What ammonia conversion did foam RC-4 reach?"
