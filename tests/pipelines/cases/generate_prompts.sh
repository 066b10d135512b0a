# each text is the one that is written alone, whoever runs beside it; a bad line hinders no other
cat > prompts <<'END'
"abc"
{"prompt": "Hello there", "id": "second"}

{"promt": 1}
[1
{"prompt": "xyz", "id": 7}
"abc"
END
for parallel in 1 3; do
  $LODE generate $DATA/engine/llama_gguf --raw --prompts prompts --parallel $parallel -n 12 --temperature 1 --seed 5 --draft 3 -q > out$parallel
  echo $?
done
for parallel in 1 3; do sed "s|,\"reused_tokens\":[0-9]*||" out$parallel > told$parallel; done   # who is first to read what both begin with
cmp told1 told3 && grep -c . out1
for said in abc "Hello there" xyz abc; do
  $LODE generate $DATA/engine/llama_gguf --raw "$said" -n 12 --temperature 1 --seed 5 --json --stream -q | grep '^{"text"' | sed 's/^{"text":"//; s/"}$//' | tr -d '\n'; echo
done > alone
grep '"text"' out1 | sed 's/.*"text":"//; s/","finish_reason.*//' | cmp - alone && echo same
grep -v '"text"' out1
grep -o '"index":[0-9],"id":[^,]*' out1
$LODE generate $DATA/engine/llama_gguf --raw --prompts prompts -n 4 > /dev/null
$LODE generate $DATA/engine/llama_gguf --raw --prompts /dev/null; echo $?
$LODE generate $DATA/engine/llama_gguf --raw --prompts prompts --memory 1 --context 500; echo $?
