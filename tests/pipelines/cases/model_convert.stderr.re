no tokenizer beside the weights
m.gguf: GGUF already
