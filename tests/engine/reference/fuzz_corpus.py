#!/usr/bin/env python3
"""Make the seed files of fuzz_gguf and fuzz_safetensors: tests/data/fuzz/gguf, tests/data/fuzz/safetensors.

    fuzz_corpus.py OUTDIR         (tests/data/fuzz)

Standard library only. The files are well formed; damage is the fuzzer's business."""

import json
import os
import struct
import sys


def string(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def value(kind, v):
    """One metadata value of a kind named as in struct, or "s" string, or ("a", kind) array."""
    codes = {"B": 0, "b": 1, "H": 2, "h": 3, "I": 4, "i": 5, "f": 6, "?": 7, "s": 8, "Q": 10, "q": 11, "d": 12}
    body = lambda k, x: string(x) if k == "s" else struct.pack("<" + k, x)
    if isinstance(kind, tuple):
        return struct.pack("<IIQ", 9, codes[kind[1]], len(v)) + b"".join(body(kind[1], x) for x in v)
    return struct.pack("<I", codes[kind]) + body(kind, v)


def gguf(metadata, tensors, version=3, alignment=32):
    """tensors: (name, dims, type number, bytes)."""
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    for key, (kind, v) in metadata.items():
        out += string(key) + value(kind, v)
    data = b""
    for name, dims, kind, n in tensors:
        out += string(name) + struct.pack("<I", len(dims)) + b"".join(struct.pack("<Q", d) for d in dims)
        out += struct.pack("<IQ", kind, len(data))
        data += bytes(i * 7 & 0x3F for i in range(n))
        data += bytes(-len(data) % alignment)
    return out + bytes(-len(out) % alignment) + data


TOKENS = ["<unk>", "<s>", "</s>", "a", "b", "c", "ab", "bc", "abc", "Ġ", "Ġa", "<|im_end|>"]
BPE = {
    "tokenizer.ggml.model": ("s", "gpt2"), "tokenizer.ggml.pre": ("s", "smollm"),
    "tokenizer.ggml.tokens": (("a", "s"), TOKENS),
    "tokenizer.ggml.token_type": (("a", "i"), [3, 3, 3] + [1] * 8 + [3]),
    "tokenizer.ggml.merges": (("a", "s"), ["a b", "b c", "ab c", "Ġ a"]),
    "tokenizer.ggml.eos_token_id": ("I", 2),
}
WORDPIECE = {
    "tokenizer.ggml.model": ("s", "bert"),
    "tokenizer.ggml.tokens": (("a", "s"), ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "\u2581a", "b", "\u2581ab"]),
    "tokenizer.ggml.token_type": (("a", "i"), [3, 3, 3, 3, 1, 1, 1]),
    "tokenizer.ggml.cls_token_id": ("I", 2), "tokenizer.ggml.seperator_token_id": ("I", 3),
}
KINDS = {f"a.{k}": (k, 1) for k in "BbHhIiQq"}
KINDS.update({"a.f": ("f", 0.5), "a.d": ("d", 0.25), "a.bool": ("?", True), "a.int": ("I", 9), "a.s": ("s", "text"),
              "a.ints": (("a", "i"), [1, -2, 3]), "a.floats": (("a", "f"), [1.0, 2.0]), "a.q": (("a", "q"), [1 << 40]),
              "general.name": ("s", "seed"), "general.alignment": ("I", 64)})
BLOCKS = [("f32", 0, 4, 1), ("f16", 1, 2, 1), ("bf16", 30, 2, 1), ("q4_0", 2, 18, 32), ("q4_1", 3, 20, 32),
          ("q5_0", 6, 22, 32), ("q5_1", 7, 24, 32), ("q8_0", 8, 34, 32), ("q2_k", 10, 84, 256), ("q3_k", 11, 110, 256),
          ("q4_k", 12, 144, 256), ("q5_k", 13, 176, 256), ("q6_k", 14, 210, 256), ("iq4_nl", 20, 18, 32),
          ("iq4_xs", 23, 136, 256), ("mxfp4", 39, 17, 32)]


def main():
    for name, content in {
        "kinds.gguf": gguf(KINDS, [("w", [8, 2], 0, 64)], alignment=64),
        "types.gguf": gguf({}, [(n, [per, 2], kind, 2 * size) for n, kind, size, per in BLOCKS]),
        "bpe.gguf": gguf(BPE, [("token_embd.weight", [4, 12], 1, 96)]),
        "wordpiece.gguf": gguf(WORDPIECE, [], version=2),
    }.items():
        write(os.path.join(sys.argv[1], "gguf", name), content)
    tensors = {"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
               "b": {"dtype": "BF16", "shape": [4], "data_offsets": [24, 32]},
               "c": {"dtype": "I64", "shape": [], "data_offsets": [32, 40]}}
    header = json.dumps(tensors, separators=(",", ":")).encode() + b"  "
    write(os.path.join(sys.argv[1], "safetensors", "three.safetensors"),
          struct.pack("<Q", len(header)) + header + bytes(range(40)))
    write(os.path.join(sys.argv[1], "safetensors", "empty.safetensors"), struct.pack("<Q", 2) + b"{}")


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(content)


if __name__ == "__main__":
    main()
