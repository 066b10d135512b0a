# the ways to keep what a prompt needs, and to guess, change no word (another type of the cache may)
ask() { $LODE generate "$@" -n 24 --ignore-eos --json -q; }
m=$DATA/engine/llama_gguf said="the cat and the dog and the cat and the dog and the cat and the dog and the cat and the dog and"
text() { grep '"text"' "$1"; }
ask $m --raw "$said" > plain
ask $m --raw "$said" --cache kept > cold && ask $m --raw "$said" --cache kept > warm && ls kept | grep -c .
grep reused_tokens cold; grep reused_tokens warm
text plain > t; text cold | cmp - t; text warm | cmp - t
ask $m --raw "$said" --draft 6 > drafted && text drafted | cmp - t && grep -E '"(drafted|accepted)_tokens": [0-9]' drafted | sed 's/[0-9]*,$/N/'
ask $m --raw "$said" --memory 4 | grep '"text"' | cmp - t
ask $m --raw "$said" --kv-type f32 | grep '"text"' | grep -c .
ask $m --raw "$said" --kv-type q8_0; echo $?
ask $m --raw "$said" --memory 1 --context 700; echo $?
ask $m --raw "$said" --think-budget 9; echo $?
