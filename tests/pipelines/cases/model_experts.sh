# layers, experts and draft heads of a hybrid mixture, and what a token reads of it
m=$DATA/fuzz/decoder/qwen35moe.gguf
$LODE model info $m
$LODE model info $m --json | grep -A9 '"parts"'
