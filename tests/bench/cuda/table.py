#!/usr/bin/env python3
"""The table of run.sh: table.py card|emulated KERNELS MODEL.json...

A kernel's least time is the bytes that must move over the measured bandwidth on the card, or its operations over the
measured arithmetic of cuBLAS, whichever is longer; the last column is that time over the one it took.
"""
import json
import sys


def main():
    on, path, models = sys.argv[1], sys.argv[2], sys.argv[3:]
    card, copies, peaks, no_blas, kernels = None, {}, {}, "", []
    for line in open(path):
        kind, *f = line.rstrip("\n").split("\t")
        if kind == "card":
            card = f
        elif kind == "copy":
            copies[f[0]] = float(f[1])
        elif kind == "gemm" and f[0] == "none":
            no_blas = f[1]
        elif kind == "gemm":
            peaks[f[0]] = float(f[1])
        elif kind == "kernel":
            kernels.append((f[0], f[1], float(f[2]), float(f[3]), float(f[4])))
    bandwidth = copies["on-card"]
    # without cuBLAS the best that a kernel of ours does
    best = max((k[3] / k[4] for k in kernels), default=0.0)
    peak = max(peaks.get("F16", 0.0), peaks.get("BF16", 0.0)) or best
    rows = []
    for name, shape, n_bytes, operations, seconds in kernels:
        least = max(n_bytes / bandwidth, operations / peak)
        rows.append((name, shape, f"{1e6 * seconds:.1f}", f"{n_bytes / seconds / 1e9:.1f}",
                     f"{operations / seconds / 1e12:.2f}" if operations else "", f"{least / seconds:.0%}"))
    for path in models:
        m = json.load(open(path))
        active = m["active_parameters"]
        for t in m["tests"]:
            rate = t["median"]
            decode = t["test"] == "decode"
            n_bytes = t.get("bytes_per_token", 0)
            # a prompt's tokens share what is read of the weights: only operations bound it
            least = n_bytes / bandwidth if decode else 2.0 * active / peak
            rows.append((t["test"], f"{m['model']} {m['weight_type']}, " +
                         (f"behind {t['depth']}" if decode else f"of {t['tokens']}") + f": {rate:.1f} tokens/s",
                         f"{1e6 / rate:.1f}", f"{n_bytes * rate / 1e9:.1f}" if decode else "",
                         "" if decode else f"{2.0 * active * rate / 1e12:.2f}", f"{least * rate:.0%}"))
    if on == "emulated":
        print("Emulated on a CPU: the times mean nothing.\n")
    print(f"{card[0]}, {card[1]} multiprocessors, compute capability {card[2]}\n")
    print("| Ceiling | |\n|---|---|")
    for name, rate in copies.items():
        print(f"| copy, {name} | {rate / 1e9:.1f} GB/s |")
    for name, rate in peaks.items():
        print(f"| cuBLAS, {name} with float32 sums | {rate / 1e12:.2f} TFLOP/s |")
    if not peaks:
        print(f"| {no_blas}: the best of our kernels instead | {peak / 1e12:.2f} TFLOP/s |")
    print("\n| Kernel | Shape | us (a token) | GB/s | TFLOP/s | Of its ceiling |\n|---|---|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


main()
