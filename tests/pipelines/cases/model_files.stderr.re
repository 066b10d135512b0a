13 tensors with rows that are no whole number of blocks: Q5_0 instead
3 tensors with rows that are no whole number of blocks: Q8_0 instead
quantize: name the model and the file to write
quantize: to which --type\? One of f32, f16
q9: no type we write; choose from f32
llama_tied/model.safetensors: not a GGUF file
nothing.gguf.*No such file
--context: -1 is no number of tokens
