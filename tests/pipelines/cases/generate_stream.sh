$LODE generate $DATA/engine/llama_gguf "abc" --raw --json --stream -n 20 --temperature 1 -q > lines &&
  grep -c '^{"text":' lines | grep -c '[1-9]' && tail -n 1 lines | grep -c '"finish_reason":"length".*"generated_tokens":20,'
