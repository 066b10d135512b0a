$LODE index $DATA/papers -L lib -q
$LODE ask -L lib -q --json --extractive "What ammonia conversion did foam RC-4 reach?" && ls lib/runs | wc -l &&
$LODE ask -L lib -q --no-record --extractive "What ammonia conversion did foam RC-4 reach?" > /dev/null && ls lib/runs | wc -l
grep -c '"text_sha256": "[0-9a-f]*"' lib/runs/*.json
