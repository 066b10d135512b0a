mkdir in; for i in 1 2 3 4 5 6 7 8; do cp $DATA/papers/ceria.pdf in/$i.pdf; done
$LODE index in -L lib -q -j 1 2>/dev/null & pid=$!
while [ ! -s lib/library.db ]; do sleep 0.01; done
kill -STOP $pid
$LODE index $DATA/papers/lake.pdf -L lib -q; echo $?
kill -CONT $pid; wait $pid; echo $?
