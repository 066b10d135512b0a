# packed weights: --exact gives what the same weights give as floats, without it inputs are rounded
echo "1 2 3 40" > ids && $LODE model quantize $DATA/engine/llama_gguf q.gguf --type q8_0 -q && $LODE model quantize q.gguf wide.gguf --type f32 -q &&
  for o in "q.gguf" "q.gguf --exact" "wide.gguf"; do $LODE generate $o --tokens ids --logits "$(echo "$o" | tr -d ' -').f32" -q || exit 1; done
  cmp -s q.gguf.f32 q.ggufexact.f32 && echo "rounding changed nothing"
  cmp q.ggufexact.f32 wide.gguf.f32 && echo same
