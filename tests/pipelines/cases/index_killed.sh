# kill -9 at many moments, then run to the end: the same library as without any kill
mkdir in; for i in 1 2 3 4 5; do cp $DATA/papers/ceria.pdf in/c$i.pdf; cp $DATA/papers/lake.pdf in/l$i.pdf; done
$LODE index in -L whole -q 2>/dev/null || exit 1
hits=0
for pause in 0.02 0.05 0.08 0.12 0.2 0.3; do
    $LODE index in -L killed -q 2>/dev/null & pid=$!
    sleep $pause; kill -9 $pid 2>/dev/null && hits=$((hits + 1)); wait $pid 2>/dev/null
done
[ $hits -gt 0 ] || { echo "too fast to kill" >&2; exit 77; }
$LODE index in -L killed -q 2>/dev/null; echo $?
$LODE index in -L killed --json -q 2>/dev/null | grep -E '^  "(added|replaced|unchanged|documents)"'
for question in "What ammonia conversion did foam RC-4 reach?" "How long did the lake freeze?" "rate law"; do
    for lib in whole killed; do
        $LODE ask -L $lib --extractive --json --no-record -k 20 -q "$question" | grep -v '_seconds"' > $lib.json
    done
    cmp whole.json killed.json
done
ls -A killed | grep -v -E '^(library\.db|library\.db-wal|library\.db-shm|vectors\.faiss|lock|.*lock)$'
true
