$LODE generate no-such-model "hello"; echo $?
$LODE generate $DATA/engine/tiny_bert "hello"; echo $?
$LODE generate $DATA/engine/llama_gguf "hello" --raw --json-schema '{"type": "array", "uniqueItems": true}'; echo $?
$LODE generate $DATA/engine/llama_gguf "hello" --raw --grammar none.gbnf; echo $?
$LODE generate $DATA/engine/llama_gguf "" --raw; echo $?
echo "1 2 100000" > ids; $LODE generate $DATA/engine/llama_gguf --tokens ids; echo $?
$LODE generate $DATA/engine/llama_gguf "a long prompt" --raw --context 3; echo $?
echo '[{"role": "user"}]' > m.json; $LODE generate $DATA/engine/llama_gguf --messages m.json; echo $?
