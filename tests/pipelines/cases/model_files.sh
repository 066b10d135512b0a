# what is in a model file, and the same model with other weight types
m=$DATA/engine/llama_gguf/model.gguf
cp "$m" m.gguf
$LODE model info m.gguf --context 100 | sed 's|memory *[^ ]* [kM]B|memory|; s|, buffers.*||' || exit 1
$LODE model quantize m.gguf q.gguf --type q4_k_m --threads 2 || exit 1
$LODE model info q.gguf | grep weights
$LODE model quantize -q m.gguf one.gguf --type q8_0 --threads 1
$LODE model quantize -q m.gguf two.gguf --type q8_0 --threads 2
cmp one.gguf two.gguf && ls
$LODE model quantize -q m.gguf parts.gguf --type q8_0 --output-type f16 --embedding-type f32 --split 1
$LODE model info parts-00001-of-00001.gguf --json | grep -A3 '"type"'
$LODE model quantize m.gguf
$LODE model quantize m.gguf x.gguf
$LODE model quantize m.gguf x.gguf --type q9
$LODE model quantize $DATA/engine/llama_tied x.gguf --type q8_0
$LODE model info nothing.gguf
$LODE model info m.gguf --context -1
ls
