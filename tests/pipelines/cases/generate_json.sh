$LODE generate $DATA/engine/llama_gguf "abc" --raw --json --logprobs 2 -n 2 -q
