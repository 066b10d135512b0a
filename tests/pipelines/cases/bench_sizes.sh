$LODE bench $DATA/engine/llama_gguf -d 0,2048,512
