$LODE generate $DATA/engine/llama_gguf "x" --raw -q --json --stop 123 --stop yy --grammar /dev/stdin <<'END' | grep -E '"(text|finish_reason)"'
root ::= "abc123def"
END
