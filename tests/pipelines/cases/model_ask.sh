# the whole way with real models
[ -n "$LODE_MODELS" ] && [ -d "$LODE_MODELS" ] || { echo "LODE_MODELS is not set" >&2; exit 77; }
$LODE index $DATA/papers/ceria.pdf -L lib -q || exit 1
$LODE ask -L lib -q --max-tokens 24 "What ammonia conversion did foam RC-4 reach?" > a
$LODE ask -L lib -q --max-tokens 24 "What ammonia conversion did foam RC-4 reach?" > b
cmp a b && cat a
$LODE index $DATA/papers/ceria.pdf -L lib --json -q | grep -E '"(unchanged|vectors|embedder)"'
