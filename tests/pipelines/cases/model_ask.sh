# the whole way with real models
[ -n "$LODE_MODELS" ] && [ -d "$LODE_MODELS" ] || { echo "LODE_MODELS is not set" >&2; exit 77; }
$LODE index $DATA/papers/ceria.pdf -L lib -q || exit 1
$LODE ask -L lib -q --max-tokens 24 "What ammonia conversion did foam RC-4 reach?" > a
$LODE ask -L lib -q --max-tokens 24 "What ammonia conversion did foam RC-4 reach?" > b
cmp a b && cat a
$LODE index $DATA/papers/ceria.pdf -L lib --json -q | grep -E '"(unchanged|vectors|embedder)"'
# a model by the name that `lode model list` shows
$LODE ask -L lib -q --max-tokens 24 -m smollm2-135m-instruct "What ammonia conversion did foam RC-4 reach?" | cmp - a && echo "by name: same"
$LODE ask -L lib -q -m no-such-model "What?" 2>&1
true
