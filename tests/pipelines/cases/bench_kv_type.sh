$LODE bench $DATA/engine/llama_gguf --kv-type q2
