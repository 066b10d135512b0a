"""Root mean square error of ggml's own quantisers, the yardstick of test_quantize.c.

    python quantize_rmse.py path/to/libggml-base.so

Prints the table of the test: for each type the error relative to the data's own root mean square, over
64 rows of 1,024 numbers that the test generates the same way. Needs numpy and gguf, and a build of
llama.cpp (pip install llama-cpp-python brings one).
"""
import ctypes
import sys

import gguf
import numpy as np

ROWS, COLS = 64, 1024
TYPES = ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
         "IQ4_NL", "MXFP4"]


def numbers(heavy):
    """Sums of twelve uniform numbers, exact in float32; cubed for heavy tails."""
    state, out = 12345, np.empty(ROWS * COLS, np.float32)
    for i in range(out.size):
        total = 0
        for _ in range(12):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            total += state >> 48
        out[i] = np.float32((total - 6 * 65536) / 65536)
    return out * out * out if heavy else out


def main():
    ggml = ctypes.CDLL(sys.argv[1])
    ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
    ggml.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64,
                                         ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
    data = [numbers(False), numbers(True)]
    for name in TYPES:
        kind = gguf.GGMLQuantizationType[name]
        block, size = gguf.GGML_QUANT_SIZES[kind]
        errors = []
        for x in data:
            packed = np.zeros(x.size // block * size, np.uint8)
            ggml.ggml_quantize_chunk(int(kind), x.ctypes.data, packed.ctypes.data, 0, ROWS, COLS, None)
            got = gguf.dequantize(packed, kind).reshape(-1).astype(np.float64)
            errors.append(np.sqrt(((got - x) ** 2).mean() / (x.astype(np.float64) ** 2).mean()))
        print(f"    {{ENGINE_TYPE_{name}, {errors[0]:.3e}, {errors[1]:.3e}}},")


main()
