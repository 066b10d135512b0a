# a reader process killed in the middle of a file costs that file and no other
for i in 1 2 3 4 5 6; do cp $DATA/papers/ceria.pdf $i.pdf; done
$LODE convert . -o out -j 1 -q --dpi 600 & pid=$!
killed=0
while [ $killed = 0 ] && kill -0 $pid 2>/dev/null; do
    for child in $(cat /proc/$pid/task/*/children 2>/dev/null); do
        # not SIGSEGV: a sanitizer would catch that, and a process may be hit before it is ours
        kill -KILL $child 2>/dev/null && killed=1
    done
done
wait $pid; code=$?
[ $killed = 1 ] || { echo "too fast to kill" >&2; exit 77; }
echo $code
grep -c '"status":"ok"' out/convert.jsonl; grep -c 'died on this file (signal 9' out/convert.jsonl
