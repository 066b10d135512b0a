"""The format of tests/data/engine/tiny: one tiny random model a case, as a recipe instead of weights.

NAME.json holds the model's config.json, the list of its tensors and how their values are made, the tokens to
run and the positions recorded; NAME.f32 the expected logits (positions x vocabulary, float32, little-endian).
tests/engine/tiny_case.c reads a case and writes the very same model files: safetensors (+ config.json, in
shards when "shards" > 1) and, where the architecture has a GGUF convention, model.gguf.

    "tensors"   [name, dtype, shape, offset, log2_step, bits]: element i of the flat tensor is
                offset + k * 2^log2_step, k the top `bits` bits of splitmix64's output number i + 1 (seeded by
                the FNV-1a hash of "CASE/name", plus "seed"), minus 2^(bits-1). With at most 8 bits every value is
                the same number in F32, F16 and BF16, so the dtype of a file never changes the logits.
                F8_E4M3 takes the top 8 bits as they are (NaN, 0x7f and 0xff, one less: +-448).
    "gguf"      {"metadata": [key, type, value], "tensors": [name, type, shape, parts]}: the data of the parts
                behind each other. A part is [sources, steps]: the sources (names of "tensors", widened to
                float32) stacked along a new first axis when there are several, then each step applied:
                  ["view", shape]  ["swap", a, b]  ["slice", axis, start, count]  ["add", x]  ["negexp"]
                  ["values", [x, ...]]  (no source)
                At most 4 axes. Shapes are row-major here (PyTorch's order); a GGUF file counts dimensions the
                other way round.
    "drafts"    {"NAME.mtp.f32": head}: logits of the multi-token-prediction head, for each position p the
                distribution of token p + 2 out of the trunk's hidden state of p and token p + 1.
"""

import json
import math
import os

import numpy as np
import torch

MASK = (1 << 64) - 1


def fnv1a(text):
    h = 0xCBF29CE484222325
    for b in text.encode():
        h = ((h ^ b) * 0x100000001B3) & MASK
    return h


def splitmix(seed, n):
    """n outputs of splitmix64 started at seed."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed & MASK) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


class Case:
    def __init__(self, name, what, config, seed=1, n_tokens=80, vocab=None):
        self.name, self.what, self.config, self.seed = name, what, config, seed
        text = config.get("text_config", config)
        vocab = vocab or text["vocab_size"]
        self.text, self.vocab = text, vocab
        self.ids = [(7 * i * i + 3 * i + 1 + i // 31) % vocab for i in range(n_tokens)]
        wanted = [0, 1, 2, 7, 15, 31, 32, 33, 47, 63, 64, n_tokens - 1]
        self.positions = sorted({p for p in wanted if p < n_tokens})
        self.tensors, self.gguf, self.shards = {}, None, 1
        self.drafts = {}

    # ---- describing tensors ----

    def matrix(self, name, *shape, gain=1.0, dtype="F32"):
        """Uniform, standard deviation about gain / sqrt(inputs)."""
        std = gain / math.sqrt(shape[-1])
        self.tensors[name] = [dtype, list(shape), 0.0, round(math.log2(std / (256 / math.sqrt(12)))), 8]

    def vector(self, name, n, centre=1.0, dtype="F32", shape=None):
        """centre +- 1/4."""
        self.tensors[name] = [dtype, list(shape or [n]), float(centre), -7, 6]

    def fp8(self, name, *shape, gain=1.0):
        """FP8 bytes and their scales, one a block of 128 x 128 with ragged edges, for each matrix of a stack."""
        *stack, rows, cols = shape
        self.tensors[name] = ["F8_E4M3", list(shape), 0.0, 0, 8]
        step = round(math.log2(gain / math.sqrt(cols) / 130)) - 6  # 130: about the rms of uniform E4M3 bytes
        self.tensors[name + "_scale_inv"] = ["F32", [*stack, -(-rows // 128), -(-cols // 128)], 64 * 2.0**step, step, 6]

    # ---- values ----

    def values(self, name):
        dtype, shape, offset, step, bits = self.tensors[name]
        n = math.prod(shape)
        raw = splitmix(fnv1a(f"{self.name}/{name}") + self.seed, n) >> np.uint64(64 - bits)
        if dtype == "F8_E4M3":
            raw = raw.astype(np.uint8)
            raw = np.where((raw & 127) == 127, raw - 1, raw).astype(np.uint8)
            return torch.from_numpy(raw).view(torch.float8_e4m3fn).reshape(shape)
        k = raw.astype(np.int64) - (1 << (bits - 1))
        return torch.from_numpy((offset + k * 2.0**step).astype(np.float32)).reshape(shape)

    def weights(self):
        """name -> float32 tensor; FP8 multiplied out."""
        out = {}
        for name in self.tensors:
            if name.endswith("_scale_inv"):
                continue
            value = self.values(name)
            if value.dtype != torch.float32:
                scale = self.values(name + "_scale_inv")
                rows, cols = value.shape[-2:]
                wide = scale.repeat_interleave(128, -2).repeat_interleave(128, -1)[..., :rows, :cols]
                value = value.float() * wide
            out[name] = value
        return out

    def gguf_value(self, entry):
        """What tests/engine/tiny_case.c writes for one tensor of the GGUF file."""
        _, _, shape, parts = entry
        value = torch.cat([self.gguf_part(*part).reshape(-1) for part in parts])
        assert value.numel() == math.prod(shape), (entry, value.numel())
        return value.reshape(shape)

    def gguf_part(self, sources, steps):
        value = None
        if sources:
            values = [self.values(s).float() for s in sources]
            value = torch.stack(values) if len(values) > 1 else values[0]
        for step in steps:
            if step[0] == "view":
                value = value.reshape(step[1])
            elif step[0] == "swap":
                value = value.transpose(step[1], step[2]).contiguous()
            elif step[0] == "slice":
                value = value.narrow(step[1], step[2], step[3]).contiguous()
            elif step[0] == "add":
                value = value + step[1]
            elif step[0] == "negexp":
                value = -torch.exp(value)
            elif step[0] == "values":
                value = torch.tensor(step[1], dtype=torch.float32)
        return value

    # ---- files ----

    def save_hf(self, folder, tensors=None):
        """The model as transformers reads it."""
        from safetensors.torch import save_file
        os.makedirs(folder, exist_ok=True)
        save_file(tensors or {n: self.values(n) for n in self.tensors}, os.path.join(folder, "model.safetensors"))
        with open(os.path.join(folder, "config.json"), "w") as f:
            json.dump(self.config, f)

    def save_gguf(self, path):
        """The GGUF side as a file for llama.cpp to read; in F32, because it rounds activations to a matrix's F16."""
        import gguf
        kinds = {"u32": "add_uint32", "i32": "add_int32", "f32": "add_float32", "str": "add_string",
                 "bool": "add_bool", "i32s": "add_array", "f32s": "add_array", "strs": "add_array"}
        meta = self.gguf["metadata"]
        w = gguf.GGUFWriter(path, next(v for k, _, v in meta if k == "general.architecture"))
        for key, kind, value in meta:
            if key != "general.architecture":
                getattr(w, kinds[kind])(key, value)
        for entry in self.gguf["tensors"]:
            w.add_tensor(entry[0], self.gguf_value(entry).numpy())
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_tensors_to_file()
        w.close()

    def write(self, folder, logits, drafts=None):
        """logits [n_tokens, vocab]; drafts head -> [n_tokens - 1, vocab]."""
        os.makedirs(folder, exist_ok=True)

        def put(file, values, positions):
            values[positions].to(torch.float32).numpy().astype("<f4").tofile(os.path.join(folder, file))

        put(self.name + ".f32", logits, self.positions)
        for head, values in (drafts or {}).items():
            file = f"{self.name}.{head}.f32"
            put(file, values, [p for p in self.positions if p < len(self.ids) - 1])
            self.drafts[file] = head
        short = lambda x: json.dumps(x, separators=(",", ":"))
        with open(os.path.join(folder, self.name + ".json"), "w") as f:
            f.write("{\n" + f'"what": {json.dumps(self.what)},\n"seed": {self.seed},\n"shards": {self.shards},\n')
            f.write(f'"config": {short(self.config)},\n"ids": {short(self.ids)},\n')
            f.write(f'"positions": {short(self.positions)},\n"drafts": {short(self.drafts)},\n')
            f.write('"tensors": [\n' + ",\n".join(short([n] + t) for n, t in self.tensors.items()) + "\n]")
            if self.gguf:
                for entry in self.gguf["tensors"]:
                    self.gguf_value(entry)  # checks the shapes
                f.write(',\n"gguf": {"metadata": [\n' + ",\n".join(short(m) for m in self.gguf["metadata"]))
                f.write('\n], "tensors": [\n' + ",\n".join(short(t) for t in self.gguf["tensors"]) + "\n]}")
            f.write("\n}\n")
