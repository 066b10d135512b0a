#!/usr/bin/env python3
"""Write tests/data/engine/quant_vectors.json: random packed blocks of every stored type and their values.

    quant_vectors.py OUT.json

Two blocks per type, random bytes with a scale that is a normal half, dequantised by the `gguf` package, which
is independent of our code. Needs gguf and numpy."""

import json
import sys

import gguf
import numpy as np
from gguf.quants import dequantize

# where the halves of a block are (scale, min)
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": [],
          "F16": [], "BF16": []}


def main():
    rng = np.random.RandomState(7)
    vectors = []
    for name, halves in HALVES.items():
        kind = gguf.GGMLQuantizationType[name]
        elems, size = gguf.GGML_QUANT_SIZES[kind]
        n_blocks = 2 if elems > 1 else 64
        blocks = rng.randint(0, 256, (n_blocks, size)).astype(np.uint8)
        if name == "MXFP4":
            blocks[:, 0] = rng.randint(110, 140, n_blocks)
        if name in ("F16", "BF16"):  # no NaN or infinity: they do not compare
            values = rng.standard_normal(n_blocks).astype(np.float32)
            bits = values.astype(np.float16).view(np.uint16) if name == "F16" else (values.view(np.uint32) >> 16)
            blocks = bits.astype("<u2").view(np.uint8).reshape(n_blocks, 2)
        for at in halves:
            blocks[:, at:at + 2] = rng.uniform(-2, 2, n_blocks).astype("<f2").view(np.uint8).reshape(-1, 2)
        out = np.array(dequantize(blocks, kind), dtype="<f4").reshape(-1)
        vectors.append({"type": int(kind), "name": name, "packed": blocks.tobytes().hex(), "values": out.tobytes().hex()})
    with open(sys.argv[1], "w") as f:
        json.dump({"vectors": vectors}, f, indent=0)
        f.write("\n")


if __name__ == "__main__":
    main()
