#!/usr/bin/env python3
"""The roofline on paper: what a token costs in bytes and operations, and what a card could do at most.

Nothing here is measured. A ceiling is bytes over the card's bandwidth plus, where routed experts do not fit, the bytes
of those that stay on the host over its memory's bandwidth; prefill is operations over the card's arithmetic. Kernels,
launches and copies come on top. Shapes: the models' config.json. Cards: their data sheets (dense, float32 sums).

    roofline.py [CONTEXT]      tokens in the cache while decoding; default 32768
"""
import sys

GB = 1e9


class Model:
    def __init__(self, name, layers, hidden, attention, head_kv, experts, used, ff, vocab, shared=0, linear=0, state=0):
        """attention: weights of an attention layer; head_kv: values of a token in one layer's cache;
        linear: (layers, weights) without a cache; state: floats of their states, all layers."""
        self.name, self.layers = name, layers
        n_linear, linear_weights = linear or (0, 0)
        self.kv_values = (layers - n_linear) * head_kv
        self.state_bytes = 4 * state
        self.dense = ((layers - n_linear) * attention + n_linear * linear_weights
                      + layers * (hidden * experts + 3 * hidden * shared) + vocab * hidden)
        self.expert = 3 * hidden * ff
        self.routed, self.routed_active = layers * experts * self.expert, layers * used * self.expert
        self.embedding = vocab * hidden


def gqa(hidden, heads, kv, dim, gated=False):
    return hidden * heads * dim * (3 if gated else 2) + 2 * hidden * kv * dim


MODELS = [
    Model("Qwen3-30B-A3B", 48, 2048, gqa(2048, 32, 4, 128), 2 * 4 * 128, 128, 8, 768, 151936),
    Model("Intern-S1 (text, 235B-A22B)", 94, 4096, gqa(4096, 64, 4, 128), 2 * 4 * 128, 128, 8, 1536, 151936),
    Model("Intern-S2-Preview (35B-A3B)", 40, 2048, gqa(2048, 16, 2, 256, True), 2 * 2 * 256, 256, 8, 512, 248320,
          shared=512, linear=(30, 2048 * (2 * 2048 + 4096 + 4096 + 64) + 4096 * 2048), state=30 * 32 * 128 * 128),
]
# name, memory, bandwidth, half-precision operations a second, memory bandwidth of a host such a card sits in
CARDS = [
    ("24 GB (RTX 4090)", 24, 1008, 165e12, 80),
    ("80 GB (H100 SXM)", 80, 3350, 989e12, 300),
    ("141 GB (H200)", 141, 4800, 989e12, 300),
]
TYPES = [("Q4_K", 4.5), ("Q8_0", 8.5), ("BF16", 16)]
RESERVED = 1.5  # GB: context of the driver, buffers of a pass, cuBLAS


def row(model, bits, card, context):
    name, memory, bandwidth, operations, host = card
    bytes_of = lambda values: values * bits / 8
    cache = 2 * model.kv_values * context + model.state_bytes  # f16
    always = bytes_of(model.dense)
    left = memory * GB - RESERVED * GB - always - cache
    if left < 0:
        return None
    part = min(1.0, left / bytes_of(model.routed))  # of the experts; all are used alike, the worst case for a cache
    routed = bytes_of(model.routed_active)
    on_card = always + routed * part + cache + model.state_bytes  # states are read and written
    on_host = routed * (1 - part)
    decode = 1 / (on_card / (bandwidth * GB) + on_host / (host * GB))
    prefill = operations / (2 * (model.dense + model.routed_active))
    return on_card + on_host, 2 * (model.dense + model.routed_active), part, decode, prefill if part == 1 else None


def main():
    context = int(sys.argv[1]) if len(sys.argv) > 1 else 32768
    print("Computed, not measured: %d tokens in the cache (f16), one sequence.\n" % context)
    print("| Model | Weights | Card | GB read per token | GFLOP per token | Experts on the card "
          "| Decode, at most (tokens/s) | Prefill, at most (tokens/s) |")
    print("|---|---|---|---|---|---|---|---|")
    for model in MODELS:
        for type_name, bits in TYPES:
            size = (model.dense + model.routed + model.embedding) * bits / 8 / GB
            for card in CARDS:
                result = row(model, bits, card, context)
                head = "| %s | %s, %.0f GB | %s " % (model.name, type_name, size, card[0])
                if result is None:
                    print(head + "| | | attention does not fit | | |")
                    continue
                read, operations, part, decode, prefill = result
                print(head + "| %.2f | %.1f | %s | %.0f | %s |" % (
                    read / GB, operations / 1e9, "all" if part == 1 else "%.0f %%" % (100 * part), decode,
                    "%.0f" % prefill if prefill else "host-bound"))


main()
