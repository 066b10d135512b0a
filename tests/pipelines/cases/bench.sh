$LODE bench $DATA/engine/llama_gguf -p 16,40 -d 0,32 -n 4 -r 2 -t 1 --kv-type f32
