# kill -9 at many moments, then run to the end: the same library as without any kill
mkdir in; for i in 1 2 3 4 5; do cp $DATA/papers/ceria.pdf in/c$i.pdf; cp $DATA/papers/lake.pdf in/l$i.pdf; done
$LODE index in -L whole -q 2>/dev/null || exit 1
for pause in 0.02 0.05 0.1 0.2 0.3 0.4; do
    $LODE index in -L killed -q 2>/dev/null & pid=$!
    sleep $pause; kill -9 $pid; wait $pid 2>/dev/null
done
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
