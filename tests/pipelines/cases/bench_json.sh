$LODE bench $DATA/engine/llama_tied -p 16 -d 8 -n 4 -r 3 -t 2 --no-machine --json
