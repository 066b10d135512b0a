"""llama.cpp through its C API (ctypes bindings of llama-cpp-python, or of its fork, ik-llama-cpp-python): what
llama.sh and tiny_llama_cpp.py drive.

    llama_peer.py logits MODEL IDS OUT [--threads N] [--batch N]
        IDS: token ids, one a line, evaluated N (default 64) at a time. OUT: float32 logits of every position,
        position-major.
    llama_peer.py judge NAME IDS FLOAT32 LODE PEER [SINGLE]
        how far distributions are from each other, out of such logits; SINGLE: the peer's own, --batch 1. Exits with 1
        when lode is not within the bar, nor as near to the peer as the peer is to itself, nor nearer to float32.
    llama_peer.py speed MODEL [--threads N] [--prefill 512,2048] [--depth 0,2048,8192] [--decode N] [--kv f16|q8_0]
                        [--passes N]
        one JSON line: tokens a second of every test (the best of its passes), peak memory, seconds to load and to the first token

A cache of DEPTH tokens is made by prefilling 512 and repeating their cells: the values do not change the speed of
a decode step, only their number does. (The fork prefills the whole depth: its saved state is another.)

    llama_peer.py report ROUNDS
        a table out of lines of speed and of lode bench
"""

import argparse
import ctypes
import json
import resource
import struct
import sys
import time

import numpy as np

try:
    import llama_cpp as api

    IS_FORK = False
except ImportError:
    from ik_llama_cpp import _ctypes_api as api

    IS_FORK = True

FLASH = {"auto": -1, "off": 0, "on": 1}
KV_TYPES = {"f32": 0, "f16": 1, "q8_0": 8, "q4_0": 2}


@ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
def quiet(_level, _text, _data):
    pass


class Peer:
    def __init__(self, path, n_context=4096, threads=1, kv="f16", flash="auto", batch=2048):
        (api._lib if IS_FORK else api).llama_log_set(quiet, None)
        api.llama_backend_init()
        start = time.perf_counter()
        params = api.llama_model_default_params()
        params.n_gpu_layers = 0
        if IS_FORK:
            params.repack_tensors = True  # its fast layout, made while loading
            params.flash_attn = flash != "off"
        self.model = api.llama_model_load_from_file(path.encode(), params)
        if not self.model:
            sys.exit(f"llama.cpp cannot load {path}")
        params = api.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = n_context, batch, min(batch, 512)
        params.n_threads = params.n_threads_batch = threads
        params.type_k = params.type_v = KV_TYPES[kv]
        if IS_FORK:
            params.flash_attn = flash != "off"
        else:
            params.flash_attn_type = FLASH[flash]
        self.context = api.llama_init_from_model(self.model, params)
        if not self.context:
            sys.exit(f"llama.cpp makes no context for {path}")
        self.load_seconds = time.perf_counter() - start
        self.n_vocab = api.llama_vocab_n_tokens(api.llama_model_get_vocab(self.model))
        self.n_batch = batch
        self.batch = api.llama_batch_init(batch, 0, 1)

    def eval(self, ids, first=0, all_logits=False):
        """Tokens at positions first..; float32 logits of all of them, or of the last."""
        rows = []
        for done in range(0, len(ids), self.n_batch):
            piece = ids[done : done + self.n_batch]
            self.batch.n_tokens = len(piece)
            for i, token in enumerate(piece):
                self.batch.token[i], self.batch.pos[i] = token, first + done + i
                self.batch.n_seq_id[i], self.batch.seq_id[i][0] = 1, 0
                self.batch.logits[i] = all_logits or done + i + 1 == len(ids)
            if api.llama_decode(self.context, self.batch) != 0:
                sys.exit("llama.cpp cannot evaluate the tokens")
            wanted = range(len(piece)) if all_logits else [len(piece) - 1] if done + len(piece) == len(ids) else []
            for i in wanted:
                p = api.llama_get_logits_ith(self.context, i)
                rows.append(np.ctypeslib.as_array(p, (self.n_vocab,)).copy())
        return np.stack(rows)

    def clear(self):
        if IS_FORK:
            api.llama_kv_cache_clear(self.context)
        else:
            api.llama_memory_clear(api.llama_get_memory(self.context), True)

    def repeat(self, n, step=512):
        """A cache of n tokens out of the step tokens it holds: their saved cells at later positions."""
        size = api.llama_state_seq_get_size(self.context, 0)
        saved = (ctypes.c_uint8 * size)()
        api.llama_state_seq_get_data(self.context, saved, size, 0)
        state = repeat_cells(bytes(saved), step, n)
        buffer = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        self.clear()
        if api.llama_state_seq_set_data(self.context, buffer, len(state), 0) == 0:
            raise ValueError("llama.cpp does not take the longer cache")


def repeat_cells(state, step, n):
    """The state of one sequence with its `step` cells repeated to n. Layout of llama.cpp 0.5.0 (llama_kv_cache::
    state_write) behind two u32 of its own: u32 streams; a stream: u32 cells; per cell i32 position, u32 sequences, i32 each; u32 values
    transposed, u32 layers; per layer, first keys then values, i32 type, u64 row bytes, the rows."""
    at, out = 0, bytearray()

    def take(fmt):
        nonlocal at
        values = struct.unpack_from("<" + fmt, state, at)
        at += struct.calcsize("<" + fmt)
        return values if len(values) > 1 else values[0]

    out += struct.pack("<II", *take("II"))
    if take("I") != 1 or take("I") != step:
        raise ValueError("not one stream of the tokens given")
    n_seq = []
    for i in range(step):
        position, count = take("iI")
        n_seq += [take("i") for _ in range(count)]
        if position != i or count > 1:
            raise ValueError("cells are not as expected")
    out += struct.pack("<II", 1, n)
    for i in range(n):
        out += struct.pack("<iI", i, len(n_seq) // step) + (struct.pack("<i", n_seq[0]) if n_seq else b"")
    transposed, layers = take("II")
    if transposed:
        raise ValueError("values are transposed: flash attention is off")
    out += struct.pack("<II", transposed, layers)
    for _ in range(2 * layers):
        kind, row = take("iQ")
        rows = state[at : at + step * row]
        at += step * row
        out += struct.pack("<iQ", kind, row) + (rows * -(-n // step))[: n * row]
    if at != len(state):
        raise ValueError(f"{len(state) - at} bytes of state not understood")
    return bytes(out)


def write_logits(args):
    ids = [int(line) for line in open(args.ids)]
    n = args.batch
    peer = Peer(args.model, len(ids), args.threads, args.kv, args.flash, batch=n)
    with open(args.out, "wb") as f:
        for i in range(0, len(ids), n):
            f.write(peer.eval(ids[i : i + n], i, all_logits=True).astype("<f4").tobytes())


BAR_KL, BAR_SAME = 1e-3, 0.98
SELF_MARGIN = 1.25  # two samples of the same noise


def distance(a, b):
    """KL divergence of logits b from a, natural logarithm: mean and largest; share of equal first choices."""
    kl, same = [], 0
    for x, y in zip(a, b):
        x, y = x.astype(np.float64), y.astype(np.float64)
        x, y = x - x.max(), y - y.max()
        x, y = x - np.log(np.exp(x).sum()), y - np.log(np.exp(y).sum())
        kl.append(float((np.exp(x) * (x - y)).sum()))
        same += int(x.argmax() == y.argmax())
    return float(np.mean(kl)), max(kl), same / len(kl)


def judge(args):
    n_tokens = sum(1 for _ in open(args.ids))
    names = ("truth", "lode", "peer", "single")
    files = dict(zip(names, [args.out, *args.more]))
    logits = {k: np.memmap(p, dtype="<f4", mode="r").reshape(n_tokens, -1) for k, p in files.items()}
    found = {}
    for a, b, words in (("peer", "lode", "lode against llama.cpp"), ("truth", "lode", "lode against float32"),
                        ("truth", "peer", "llama.cpp against float32"), ("peer", "single", "llama.cpp against itself")):
        if b in logits:
            found[a, b] = kl, most, same = distance(logits[a], logits[b])
            print(f"{args.model:10s} {words:26s} {kl:10.2e} {most:10.2e} {same:7.1%}", flush=True)
    kl, _, same = found["peer", "lode"]
    own = found.get(("peer", "single"), (0.0,))[0]
    within = kl <= BAR_KL and same >= BAR_SAME
    near = kl <= SELF_MARGIN * own
    better = found["truth", "lode"][0] <= found["truth", "peer"][0]
    print(f"{args.model:10s} " + ("within the bar" if within else
                                  "outside the bar, as near to llama.cpp as that is to itself" if near else
                                  "outside the bar, nearer to float32 than llama.cpp is" if better else
                                  "OUTSIDE THE BAR") + f" (KL {BAR_KL:g}, same first choice {BAR_SAME:.0%})")
    sys.exit(not within and not near and not better)


def report(args):
    """Rounds of `lode bench --json` and of speed, a line each: best and median of both, and the ratio."""
    rates, facts = {}, {"lode": [], "peer": []}
    for line in open(args.model):
        run = json.loads(line)
        who = "lode" if "model" in run else "peer"
        facts[who].append(run)
        for t in run["tests"]:
            key = f"prefill {t['tokens']}" if t["test"] == "prefill" else f"decode at {t['depth']}"
            rates.setdefault(key, {"lode": [], "peer": [], "facts": t})[who].append(t.get("rate", t.get("best")))
            if who == "lode":
                rates[key]["facts"] = t
    ceiling = max(max(r["machine"]["read_4k"], r["machine"]["read_2m"]) for r in facts["lode"])
    int8 = max(r["machine"]["int8_ops"] for r in facts["lode"])
    print(f"read {ceiling / 1e9:.1f} GB/s, 8-bit {int8 / 1e9:.0f} Gop/s (best of the rounds)")
    print(f"{'':18s} {'lode best':>10s} {'median':>8s} {'peer best':>10s} {'median':>8s} {'ratio of medians':>17s}  of ceiling")
    for key, r in rates.items():
        best, mid = {w: max(r[w]) for w in facts}, {w: float(np.median(r[w])) for w in facts}
        t = r["facts"]
        share = best["lode"] * t["bytes_per_token"] / ceiling if "bytes_per_token" in t else \
            t["int8_fraction"] * best["lode"] / t["best"] * facts["lode"][-1]["machine"]["int8_ops"] / int8
        print(f"{key:18s} {best['lode']:10.1f} {mid['lode']:8.1f} {best['peer']:10.1f} {mid['peer']:8.1f} "
              f"{mid['lode'] / mid['peer']:16.2f}x {share:10.0%}")
    for name, unit, scale in (("load_seconds", "ms", 1e3), ("first_token_seconds", "ms", 1e3), ("peak_bytes", "MB", 1e-6)):
        a, b = (float(np.median([x[name] for x in facts[w]])) * scale for w in ("lode", "peer"))
        print(f"{name.rsplit('_', 1)[0].replace('_', ' '):18s} {a:19.0f} {b:19.0f} {unit}")


def speed(args):
    numbers = lambda text: [int(x) for x in text.split(",") if x]
    prefill, depths = numbers(args.prefill), numbers(args.depth)
    n_context = max(prefill + [d + args.passes * args.decode + 512 for d in depths])
    start = time.perf_counter()
    peer = Peer(args.model, n_context, args.threads, args.kv, args.flash)
    ids = np.random.default_rng(1).integers(0, peer.n_vocab, n_context).tolist()
    peer.eval(ids[:1])
    result = {"load_seconds": peer.load_seconds, "first_token_seconds": time.perf_counter() - start,
              "threads": args.threads, "tests": []}

    clock = time.process_time if args.cpu_time else time.perf_counter

    def timed(run, n):
        begin = clock()
        run()
        return n / (clock() - begin)

    def read(n):
        peer.clear()
        return timed(lambda: peer.eval(ids[:n]), n)

    for n in prefill:
        rate = max(read(n) for _ in range(args.passes))
        result["tests"].append({"test": "prefill", "tokens": n, "rate": rate})
    for depth in depths:
        peer.clear()
        if depth:
            peer.eval(ids[: depth if IS_FORK else min(depth, 512)])
        if depth > 512 and not IS_FORK:
            peer.repeat(depth)
        rate = max(timed(lambda: [peer.eval(ids[i : i + 1], at + i) for i in range(args.decode)], args.decode)
                   for at in range(depth, depth + args.passes * args.decode, args.decode))
        result["tests"].append({"test": "decode", "depth": depth, "rate": rate})
    result["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(result))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["logits", "judge", "speed", "report"])
    parser.add_argument("model")
    parser.add_argument("ids", nargs="?")
    parser.add_argument("out", nargs="?")
    parser.add_argument("more", nargs="*")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--prefill", default="512,2048")
    parser.add_argument("--depth", default="0,2048,8192")
    parser.add_argument("--passes", type=int, default=1)
    parser.add_argument("--decode", type=int, default=64)
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--kv", default="f16", choices=list(KV_TYPES))
    parser.add_argument("--flash", default="on", choices=list(FLASH))
    args = parser.parse_args()
    {"logits": write_logits, "judge": judge, "speed": speed, "report": report}[args.what](args)


if __name__ == "__main__":
    main()
