mkdir in; for i in 1 2 3 4 5 6 7 8 9; do for j in 1 2 3 9; do cp $DATA/papers/ceria.pdf in/$i$j.pdf; done; done
# a background job of sh ignores SIGINT: SIGTERM takes the same way
$LODE convert in -o out -j 2 & pid=$!
while [ ! -s out/convert.jsonl ]; do sleep 0.01; done
kill -TERM $pid; wait $pid; echo $?
n=$(wc -l < out/convert.jsonl); [ $n -lt 36 ] || { echo "too fast to interrupt" >&2; exit 77; }
# what the journal says is there; of the two files in work some outputs may be there too, whole ones
m=$(find out -name '*.md' | wc -l); [ $m -ge $n ] && [ $m -le $((n + 2)) ] || echo "outputs and journal differ: $m, $n"
for md in $(find out -name '*.md'); do tail -n 1 $md | grep -q Farid || echo "$md is cut short"; done
mkdir -p out/99 && : > out/99/99.md.A1B2C3        # as a kill in the middle of writing leaves it
$LODE convert in -o out -q; echo $?
find out -name '*.md.*'
wc -l < out/convert.jsonl
grep -c '"status":"ok"' out/convert.jsonl
