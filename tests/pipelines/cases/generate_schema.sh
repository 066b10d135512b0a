echo '{"type": "object", "properties": {"a": {"enum": ["yes", "no"]}, "b": {"type": "integer", "minimum": 10, "maximum": 99}}, "required": ["a", "b"]}' > schema.json
for seed in 1 2 3; do
  $LODE generate $DATA/engine/llama_gguf "x" --raw -q --temperature 1 --seed $seed --json-schema schema.json | tr -d ' \n' | grep -cE '^\{"a":"(yes|no)","b":[1-9][0-9]\}$'
done
$LODE generate $DATA/engine/llama_gguf "x" --raw -q --json-schema '{"const": [1, "é"]}'
printf 'root ::= [ab]{3} " " word\nword ::= "ok"\n' > g.gbnf && $LODE generate $DATA/engine/llama_gguf "x" --raw -q --grammar g.gbnf | grep -cE '^[ab]{3} ok$'
