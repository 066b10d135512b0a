$LODE bench $DATA/engine/tiny_bert --no-machine
