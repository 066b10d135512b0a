$LODE index $DATA/papers/ceria.pdf $DATA/papers/lake.pdf -L lib -q --no-embeddings
ask() { $LODE ask -L lib -q --no-embeddings --extractive --table "ammonia conversion of foam RC-4, depth of the lake" "$@"; }
ask
ask --csv | head -1
ask --json | grep -cE '^ *"(text|quote)": ".*(Ammonia conversion|ten metres)'
$LODE ask -L lib -q --no-embeddings --extractive --table " , " ; echo "code $?"
