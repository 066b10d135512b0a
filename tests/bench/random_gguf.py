#!/usr/bin/env python3
"""Write a qwen3moe model with random Q8_0 weights: for measurements where only the shape matters.

    random_gguf.py OUT [--layers 2] [--dim 256] [--heads 4] [--kv-heads 2] [--head-dim 64] [--experts 8] [--top-k 2]
                   [--ffn 128] [--vocab 1024] [--context 1048576] [--seed 1]

Only Python's own library is needed. Weights are uniform with a standard deviation of 1/sqrt(inputs).
"""

import argparse
import random
import struct

F32, Q8_0 = 0, 8


def string(s):
    return struct.pack("<Q", len(s)) + s.encode()


def tensors(a):
    """(name, shape with the contiguous dimension first, type)"""
    yield "token_embd.weight", [a.dim, a.vocab], Q8_0
    yield "output.weight", [a.dim, a.vocab], Q8_0
    yield "output_norm.weight", [a.dim], F32
    for i in range(a.layers):
        b = f"blk.{i}."
        for name in ("attn_norm", "ffn_norm"):
            yield f"{b}{name}.weight", [a.dim], F32
        for name in ("attn_q_norm", "attn_k_norm"):
            yield f"{b}{name}.weight", [a.head_dim], F32
        yield b + "attn_q.weight", [a.dim, a.heads * a.head_dim], Q8_0
        yield b + "attn_k.weight", [a.dim, a.kv_heads * a.head_dim], Q8_0
        yield b + "attn_v.weight", [a.dim, a.kv_heads * a.head_dim], Q8_0
        yield b + "attn_output.weight", [a.heads * a.head_dim, a.dim], Q8_0
        yield b + "ffn_gate_inp.weight", [a.dim, a.experts], F32
        yield b + "ffn_gate_exps.weight", [a.dim, a.ffn, a.experts], Q8_0
        yield b + "ffn_up_exps.weight", [a.dim, a.ffn, a.experts], Q8_0
        yield b + "ffn_down_exps.weight", [a.ffn, a.dim, a.experts], Q8_0


def data(rng, shape, kind):
    n = 1
    for d in shape:
        n *= d
    if kind == F32:
        values = [1.0] * n if len(shape) == 1 else [rng.uniform(-1, 1) for _ in range(n)]
        return struct.pack(f"<{n}f", *values)
    scale = struct.pack("<e", (3.0 / shape[0]) ** 0.5 / 127)
    return b"".join(scale + rng.randbytes(32) for _ in range(n // 32))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    for name, value in (("layers", 2), ("dim", 256), ("heads", 4), ("kv-heads", 2), ("head-dim", 64), ("experts", 8),
                        ("top-k", 2), ("ffn", 128), ("vocab", 1024), ("context", 1 << 20), ("seed", 1)):
        parser.add_argument("--" + name, type=int, default=value)
    a = parser.parse_args()
    keys = {"block_count": a.layers, "context_length": a.context, "embedding_length": a.dim, "feed_forward_length": a.ffn,
            "attention.head_count": a.heads, "attention.head_count_kv": a.kv_heads, "attention.key_length": a.head_dim,
            "attention.value_length": a.head_dim, "expert_count": a.experts, "expert_used_count": a.top_k,
            "expert_feed_forward_length": a.ffn, "vocab_size": a.vocab}
    meta = [string(f"qwen3moe.{k}") + struct.pack("<II", 4, v) for k, v in keys.items()]
    meta += [string("qwen3moe.attention.layer_norm_rms_epsilon") + struct.pack("<If", 6, 1e-6),
             string("qwen3moe.rope.freq_base") + struct.pack("<If", 6, 1e6)]
    meta += [string(k) + struct.pack("<I", 8) + string(v)
             for k, v in (("general.architecture", "qwen3moe"), ("general.name", "random qwen3moe"),
                          ("tokenizer.ggml.model", "none"))]
    rng, infos, blobs, offset = random.Random(a.seed), [], [], 0
    for name, shape, kind in tensors(a):
        blob = data(rng, shape, kind)
        infos.append(string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset))
        blobs.append(blob + bytes(-len(blob) % 32))
        offset += len(blobs[-1])
    head = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(meta)) + b"".join(meta) + b"".join(infos)
    with open(a.out, "wb") as f:
        f.write(head + bytes(-len(head) % 32))
        f.writelines(blobs)


if __name__ == "__main__":
    main()
