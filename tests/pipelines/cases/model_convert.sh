# a safetensors folder as GGUF
$LODE model convert $DATA/engine/llama_tied m.gguf || exit 1
$LODE model info m.gguf | grep -E 'llama|weights'
$LODE model convert -q $DATA/engine/tiny_bert b.gguf --type q8_0 --json
$LODE model info b.gguf | grep -E 'bert|tokens|weights'
$LODE model convert m.gguf x.gguf
ls
