# Killed in the middle of a scan, a run leaves the pages it has read, and the next one goes on behind them.
size() { stat -c %s out/words/.ocr-pages 2> /dev/null || echo 0; }
# killed_after SIZE: starts a run, and kills it once the store is larger
killed_after() {
    "$LODE" convert -q -j 1 "$DATA/images/words.tif" -o out -f md &
    run=$!
    tries=0
    while [ "$(size)" -le "$1" ] && [ "$tries" -lt 3000 ]; do
        sleep 0.02
        tries=$((tries + 1))
    done
    kill -KILL "$run"
    wait "$run" 2> /dev/null
    while fuser -s out/words/.ocr-pages 2> /dev/null; do sleep 0.02; done
}
killed_after 200 2> /dev/null
first=$(size)
cp out/words/.ocr-pages before
[ "$first" -gt 200 ] && [ ! -e out/words/words.md ] && echo "the first run was killed"
printf 'torn' >> out/words/.ocr-pages
"$LODE" convert -q -j 1 "$DATA/images/words.tif" -o out -f md || exit 1
ls -A out/words
grep -c "Sheet" out/words/words.md
# the pages in the store are those of the result: nothing but what it holds was read
mkdir -p again/words
cp before again/words/.ocr-pages
"$LODE" convert -q "$DATA/images/words.tif" -o again -f md || exit 1
cmp out/words/words.md again/words/words.md && echo same
