#!/bin/sh
# The CUDA backend on a card: built, held to the CPU, measured against what the card can do. One table.
#
#   tests/bench/cuda/run.sh [BUILD [MODEL...]]
#
# BUILD  a build folder, made if it is not there (default: build/release)
# MODEL  decoders to read and write with; default: one of random Q8_0 weights in the shape of a small mixture of experts
#
# EMULATED=1  (environment) BUILD's own emulated card and tiny sizes: shows that all of this works, and nothing else
#
# Needs nvcc, a card and its driver. Exits with 1 when a kernel is wrong or does not run.
set -eu
cd "$(dirname "$0")/../../.."
build=${1:-build/release}
[ $# -eq 0 ] || shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -n "${EMULATED:-}" ]; then
    on=emulated sizes=tiny prefill=12 depth=0,20 decode=2 rounds=1
    LODE_CUDA_PLUGIN=$build/tests/cuda/liblode_cuda_emulated.so
    export LODE_CUDA_PLUGIN
else
    on=card sizes= prefill=512,4096 depth=0,4096,32768 decode=64 rounds=3
    [ -f "$build/CMakeCache.txt" ] || cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release > "$work/log"
    cmake "$build" -DLODE_CUDA=ON > "$work/log" || { cat "$work/log" >&2; exit 1; }
    cmake --build "$build" --target lode lode_cuda cuda_on_card >&2
    for check in weights rows attention delta; do
        "$build/tests/cuda/card_kernels_$check" > "$work/check" 2>&1 || { cat "$work/check" >&2; exit 1; }
    done
    "$build/tests/cuda/card_forward" > "$work/check" 2>&1 || { cat "$work/check" >&2; exit 1; }
    echo "Every kernel, and every architecture's tiny model, agrees with the CPU." >&2
fi
# shellcheck disable=SC2086 # none, or one word
"$build/tests/cuda/bench_cuda_$on" $sizes > "$work/kernels"
if [ $# -eq 0 ]; then
    set -- "$work/random.gguf"
    if [ "$on" = card ]; then
        tests/bench/random_gguf.py "$1" --layers 8 --dim 2048 --heads 32 --kv-heads 4 --head-dim 128 --experts 32 \
            --top-k 8 --ffn 768 --vocab 32000
    else
        tests/bench/random_gguf.py "$1" --layers 1 --dim 64 --heads 2 --kv-heads 1 --head-dim 32 --experts 2 \
            --top-k 1 --ffn 32 --vocab 64
    fi
fi
i=0
for model in "$@"; do
    i=$((i + 1))
    "$build/pipelines/lode" bench "$model" --device cuda -p "$prefill" -d "$depth" -n "$decode" -r "$rounds" \
        --no-machine --json > "$work/model$i.json"
done
exec python3 tests/bench/cuda/table.py "$on" "$work/kernels" "$work"/model*.json
