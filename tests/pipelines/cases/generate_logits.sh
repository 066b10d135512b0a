echo "1, 2 3 40" > ids && $LODE generate $DATA/engine/llama_gguf --tokens ids --logits out.npy -q && $LODE generate $DATA/engine/llama_gguf --tokens ids --logits out.f32 -t 1 -q &&
  head -c 118 out.npy | tail -c 108 | tr -s ' ' && tail -c +129 out.npy | cmp - out.f32 && ls
