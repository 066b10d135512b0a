$LODE index $DATA/papers -L lib -q
$LODE ask -L lib "Who wrote the constitution of Iceland?"
