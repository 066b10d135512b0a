#!/bin/sh
# The bench of a card on the emulated one: check_bench.sh RUN BUILD. Every kernel's row must be there, with numbers.
set -eu
out=$(EMULATED=1 "$1" "$2")
echo "$out"
for name in 'copy, on-card' 'cuBLAS, F16 with float32 sums' gemv gemv_experts gemm_fused gemm_experts dequantize route sort_experts \
    join_experts rms_norm add_rms_norm layer_norm swiglu gelu add round top_k rope_tables heads 'attend (prefill)' \
    'attend (decode)' attend_text pool delta prefill decode; do
    row=$(echo "$out" | grep -F "| $name " | head -n 1)
    case $row in
    *[1-9]*) ;;
    *)
        echo "no number for: $name" >&2
        exit 1
        ;;
    esac
done
