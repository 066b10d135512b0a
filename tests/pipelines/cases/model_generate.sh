# a real model: conversations, types of the cache, prompts side by side, and Ctrl-C in the middle of a text
m=$LODE_MODELS/SmolLM2-135M-Instruct.Q4_1.gguf
[ -n "$LODE_MODELS" ] && [ -f "$m" ] || { echo "no SmolLM2 in LODE_MODELS" >&2; exit 77; }
echo '[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name three gases."}]' > messages
$LODE generate $m --messages messages -n 16 -q > said
$LODE generate $m --system "Be brief." "Name three gases." -n 16 -q | cmp - said && echo "messages: same"
# rounding differs by processor, and with it the words: only that there are some
for type in f32 f16 q8_0 q4_0; do $LODE generate $m --messages messages -n 16 -q --kv-type $type | grep . > filled && echo $type; done
$LODE generate $m --messages messages -n 16 -q --memory 400 --draft 4 --cache kept | cmp - said && echo "options: same"
$LODE generate $m "Is water wet?" -q --json-schema '{"enum": ["yes", "no"]}' | grep -cE '^"(yes|no)"$'
printf '%s\n' '{"messages": [{"role": "user", "content": "Name three gases."}], "system": "Be brief."}' '"Hello!"' > prompts
$LODE generate $m --prompts prompts -n 16 -q | sed -n '1s/.*"text":"//; 1s/","finish.*//p' | sed 's/\\n/\n/g' | cmp - said && echo "prompts: same"
# a background job of sh ignores SIGINT: SIGTERM takes the same way
: > story # there before the shell of the job opens it
$LODE generate $m "Tell a long story." -n 1500 --ignore-eos --cache kept > story 2> note & pid=$!
while [ $(wc -c < story) -lt 40 ]; do sleep 0.05; done
kill -TERM $pid; wait $pid; echo "code $?"
grep -c 'cancelled$' note
n=$(wc -c < story)
[ $n -ge 40 ] && [ $n -lt 6000 ] && tail -c 1 story | od -An -c | tr -d ' '
tokens=$(sed -n 's/.*; \([0-9]*\) written.*/\1/p' note)
# what was there stays right: the same words again, with what the cut run left in the cache and without
$LODE generate $m "Tell a long story." -n $tokens --ignore-eos --cache kept -q | cmp - story && echo "kept: same"
$LODE generate $m "Tell a long story." -n $tokens --ignore-eos -q | cmp - story && echo "cold: same"
