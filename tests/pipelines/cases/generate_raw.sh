for threads in 1 2; do
  $LODE generate $DATA/engine/llama_gguf "Ab c" --raw -n 30 --temperature 1.5 --top-k 40 --top-p 0.95 --min-p 0.01 \
    --repeat-penalty 1.2 --seed 3 --context 64 -t $threads > text$threads || exit 1
done
cmp text1 text2 && wc -l < text1
printf 'Ab c' | $LODE generate $DATA/engine/llama_gguf - --raw -n 30 --temperature 1.5 --seed 3 -q > piped &&
  $LODE generate $DATA/engine/llama_gguf "Ab c" --raw -n 30 --temperature 1.5 --seed 3 -q | cmp - piped && echo same
