$LODE eval run $DATA/eval --extractive --no-embeddings -o out --seed 1 -q > report.md && cmp report.md out/report.md &&
$LODE eval run $DATA/eval --lane retrieval --no-embeddings -o ranked --seed 1 -q | grep -E '^. (bm25|fusion)' | cut -d '|' -f 2,3
grep -c '' out/predictions.jsonl && ls out && $LODE eval diff out out -q | grep -c '+0.0000'
$LODE eval diff out ranked; echo $?
