"""The GGUF side of a tiny case: which keys and tensors a converted file has, and how its tensors come out of the
original ones. Facts of the converters of llama.cpp; tiny_llama_cpp.py has llama.cpp itself read the files.

    llama, internlm2   rows of q and k reordered so that rotary pairs are neighbours
    qwen3.5            norms plus one (but not linear_attn.norm), value heads tiled over the key heads,
                       ssm_a = -exp(A_log), convolution without its middle axis
    experts            one tensor of all experts, stacked
"""

import math

from tiny_plain import rope_fields, rope_frequencies


class Builder:
    def __init__(self, case, arch, prefix):
        self.case, self.arch, self.c, self.prefix = case, arch, case.text, prefix
        self.tensors = []
        self.meta = [["general.architecture", "str", arch], ["general.name", "str", case.name]]
        self.plus_one = arch.startswith("qwen35")
        self.norm_kind = "F32"

    def key(self, name, kind, value):
        self.meta.append([f"{self.arch}.{name}", kind, value])

    def has(self, name):
        return self.prefix + name in self.case.tensors

    def put(self, name, sources, steps=(), kind="F32", shape=None):
        """One part. The shape is the first source's unless said."""
        sources = [s if s in self.case.tensors else self.prefix + s for s in sources]
        shape = shape or self.case.tensors[sources[0]][1]
        self.tensors.append([name, kind, list(shape), [[sources, [list(s) for s in steps]]]])

    def put_parts(self, name, source, parts, shape, kind="F32"):
        self.tensors.append([name, kind, list(shape), [[[self.prefix + source], steps] for steps in parts]])

    def norm(self, name, source):
        self.put(name, [source], [["add", 1.0]] if self.plus_one else [])

    def linear(self, name, source, steps=(), bias_steps=None):
        self.put(name + ".weight", [source + ".weight"], steps, "F16")
        if self.has(source + ".bias"):
            self.put(name + ".bias", [source + ".bias"], steps if bias_steps is None else bias_steps)


def permute(heads, rows, cols):
    """Pairs (j, j + d/2) of each head become neighbours."""
    shape = [heads, 2, rows // heads // 2] + ([cols] if cols else [])
    return [["view", shape], ["swap", 1, 2], ["view", [rows] + ([cols] if cols else [])]]


def attention(b, dst, src, permuted):
    c = b.c
    n_q, n_kv, h = c["num_attention_heads"], c["num_key_value_heads"], c["hidden_size"]
    d = c.get("head_dim") or h // n_q
    for letter, heads in (("q", n_q), ("k", n_kv)):
        name = src + f"self_attn.{letter}_proj"
        rows = b.case.tensors[b.prefix + name + ".weight"][1][0]
        if permuted:
            b.linear(dst + "attn_" + letter, name, permute(heads, rows, h), permute(heads, rows, 0))
        else:
            b.linear(dst + "attn_" + letter, name)
        if b.has(src + f"self_attn.{letter}_norm.weight"):
            b.norm(dst + f"attn_{letter}_norm.weight", src + f"self_attn.{letter}_norm.weight")
    b.linear(dst + "attn_v", src + "self_attn.v_proj")
    b.linear(dst + "attn_output", src + "self_attn.o_proj")
    b.norm(dst + "attn_norm.weight", src + "input_layernorm.weight")


def fused_attention(b, dst, src):
    """InternLM2: wqkv cut into q, k and v."""
    c = b.c
    n_q, n_kv, h = c["num_attention_heads"], c["num_key_value_heads"], c["hidden_size"]
    d, r = h // n_q, n_q // n_kv
    for letter, start, count in (("q", 0, r), ("k", r, 1), ("v", r + 1, 1)):
        steps = [["view", [n_kv, r + 2, d, h]], ["slice", 1, start, count], ["view", [n_kv * count * d, h]]]
        if letter != "v":
            steps += permute(n_kv * count, n_kv * count * d, h)
        b.put(dst + f"attn_{letter}.weight", [src + "attention.wqkv.weight"], steps, "F16", [n_kv * count * d, h])
    b.linear(dst + "attn_output", src + "attention.wo")
    b.norm(dst + "attn_norm.weight", src + "attention_norm.weight")
    b.norm(dst + "ffn_norm.weight", src + "ffn_norm.weight")
    for name, source in (("gate", "w1"), ("down", "w2"), ("up", "w3")):
        b.linear(dst + "ffn_" + name, src + "feed_forward." + source)


def delta_net(b, dst, src):
    c, at = b.c, src + "linear_attn."
    n_k, n_v, d_v = c["linear_num_key_heads"], c["linear_num_value_heads"], c["linear_value_head_dim"]
    key_dim, value_dim, r = n_k * c["linear_key_head_dim"], n_v * d_v, n_v // n_k
    h, width = c["hidden_size"], c["linear_conv_kernel_dim"]
    tiled = lambda each: [["view", [n_k, r, each]], ["swap", 0, 1]]  # rows of `each` numbers a value head
    b.put_parts(dst + "attn_qkv.weight", at + "in_proj_qkv.weight",
                [[["slice", 0, 0, 2 * key_dim]], [["slice", 0, 2 * key_dim, value_dim]] + tiled(d_v * h)],
                [2 * key_dim + value_dim, h], "F16")
    b.put_parts(dst + "attn_gate.weight", at + "in_proj_z.weight", [tiled(d_v * h)], [value_dim, h], "F16")
    b.put_parts(dst + "ssm_conv1d.weight", at + "conv1d.weight",
                [[["slice", 0, 0, 2 * key_dim]], [["slice", 0, 2 * key_dim, value_dim]] + tiled(d_v * width)],
                [2 * key_dim + value_dim, width])
    b.put_parts(dst + "ssm_beta.weight", at + "in_proj_b.weight", [tiled(h)], [n_v, h], "F16")
    b.put_parts(dst + "ssm_alpha.weight", at + "in_proj_a.weight", [tiled(h)], [n_v, h], "F16")
    b.put_parts(dst + "ssm_dt.bias", at + "dt_bias", [tiled(1)], [n_v])
    b.put_parts(dst + "ssm_a", at + "A_log", [tiled(1) + [["negexp"]]], [n_v])
    b.put(dst + "ssm_norm.weight", [at + "norm.weight"])
    b.put_parts(dst + "ssm_out.weight", at + "out_proj.weight",
                [[["view", [h, n_k, r, d_v]], ["swap", 1, 2]]], [h, value_dim], "F16")
    b.norm(dst + "attn_norm.weight", src + "input_layernorm.weight")


def feed_forward(b, dst, src):
    c = b.c
    h, e = c["hidden_size"], c.get("num_experts", c.get("num_local_experts"))
    mlp = src + "mlp."
    if b.has(src + "block_sparse_moe.gate.weight"):
        moe, names, f = src + "block_sparse_moe.", {"gate": "w1", "up": "w3", "down": "w2"}, c["intermediate_size"]
    else:
        moe, names, f = mlp, {n: n + "_proj" for n in ("gate", "up", "down")}, c.get("moe_intermediate_size")
    if not b.has(moe + "gate.weight"):
        for name in ("gate", "up", "down"):
            b.linear(dst + "ffn_" + name, mlp + name + "_proj")
        return
    b.put(dst + "ffn_gate_inp.weight", [moe + "gate.weight"])
    if b.has(moe + "experts.gate_up_proj"):
        for name, start in (("gate", 0), ("up", f)):
            b.put_parts(dst + f"ffn_{name}_exps.weight", moe + "experts.gate_up_proj",
                        [[["slice", 1, start, f]]], [e, f, h], "F16")
        b.put(dst + "ffn_down_exps.weight", [moe + "experts.down_proj"], [], "F16")
    else:
        for name, source in names.items():
            shape = [e, h, f] if name == "down" else [e, f, h]
            b.put(dst + f"ffn_{name}_exps.weight", [moe + f"experts.{i}.{source}.weight" for i in range(e)], [],
                  "F16", shape)
    if b.has(mlp + "shared_expert.gate_proj.weight"):
        b.put(dst + "ffn_gate_inp_shexp.weight", [mlp + "shared_expert_gate.weight"], [["view", [h]]], shape=[h])
        for name in ("gate", "up", "down"):
            b.linear(dst + f"ffn_{name}_shexp", mlp + f"shared_expert.{name}_proj")


def metadata(b, n_blocks):
    c = b.c
    n_q = c["num_attention_heads"]
    d = c.get("head_dim") or c["hidden_size"] // n_q
    r = rope_fields(c)
    b.key("block_count", "u32", n_blocks)
    b.key("context_length", "u32", c["max_position_embeddings"])
    b.key("embedding_length", "u32", c["hidden_size"])
    b.key("feed_forward_length", "u32", c.get("intermediate_size") or c["moe_intermediate_size"])
    b.key("attention.head_count", "u32", n_q)
    b.key("attention.head_count_kv", "u32", c["num_key_value_heads"])
    b.key("attention.key_length", "u32", d)
    b.key("attention.value_length", "u32", d)
    b.key("attention.layer_norm_rms_epsilon", "f32", c["rms_norm_eps"])
    b.key("rope.freq_base", "f32", r.get("rope_theta", c.get("rope_theta", 10000.0)))
    n_rot = int(d * r.get("partial_rotary_factor", 1.0))
    b.key("rope.dimension_count", "u32", n_rot)
    b.key("vocab_size", "u32", b.case.vocab)
    kind = r.get("rope_type", r.get("type", "default"))
    if kind in ("linear", "yarn"):
        b.key("rope.scaling.type", "str", kind)
        b.key("rope.scaling.factor", "f32", r["factor"])
    if kind == "yarn":
        b.key("rope.scaling.original_context_length", "u32", r["original_max_position_embeddings"])
    if kind == "llama3":  # baked into divisors of the frequencies
        scaled, _ = rope_frequencies(c, n_rot, 1)
        plain, _ = rope_frequencies({**c, "rope_scaling": {}, "rope_parameters": {"rope_theta": r["rope_theta"]}},
                                    n_rot, 1)
        b.tensors.append(["rope_freqs.weight", "F32", [n_rot // 2], [[[], [["values", (plain / scaled).tolist()]]]]])
    experts = c.get("num_experts", c.get("num_local_experts"))
    if experts:
        b.key("expert_count", "u32", experts)
        b.key("expert_used_count", "u32", c["num_experts_per_tok"])
        if "moe_intermediate_size" in c:
            b.key("expert_feed_forward_length", "u32", c["moe_intermediate_size"])
    if "shared_expert_intermediate_size" in c:
        b.key("expert_shared_feed_forward_length", "u32", c["shared_expert_intermediate_size"])
    if b.arch.startswith("qwen35"):
        half = n_rot // 2
        b.key("rope.dimension_sections", "i32s", [half - 2 * (half // 3), half // 3, half // 3, 0])
        b.key("full_attention_interval", "u32", c["full_attention_interval"])
        b.key("ssm.conv_kernel", "u32", c["linear_conv_kernel_dim"])
        b.key("ssm.state_size", "u32", c["linear_key_head_dim"])
        b.key("ssm.group_count", "u32", c["linear_num_key_heads"])
        b.key("ssm.time_step_rank", "u32", c["linear_num_value_heads"])
        b.key("ssm.inner_size", "u32", c["linear_num_value_heads"] * c["linear_value_head_dim"])
    b.meta.append(["tokenizer.ggml.model", "str", "none"])


def add_gguf(case, arch, prefix="model.", mtp=None):
    """mtp: the prefix of the draft head to write as the block behind the last."""
    b = Builder(case, arch, prefix)
    c = b.c
    layers = c["num_hidden_layers"]
    metadata(b, layers + (1 if mtp else 0))
    old = arch == "internlm2"
    b.put("token_embd.weight", ["tok_embeddings.weight" if old else "embed_tokens.weight"], [], "F16")
    b.norm("output_norm.weight", "norm.weight")
    for head in ("lm_head.weight", "output.weight"):
        if head in case.tensors:
            b.put("output.weight", [head], [], "F16")
    for i in range(layers):
        src, dst = f"layers.{i}.", f"blk.{i}."
        if old:
            fused_attention(b, dst, src)
            continue
        if b.has(src + "linear_attn.A_log"):
            delta_net(b, dst, src)
        else:
            attention(b, dst, src, arch == "llama")
        b.norm(dst + ("post_attention_norm" if b.plus_one else "ffn_norm") + ".weight",
               src + "post_attention_layernorm.weight")
        feed_forward(b, dst, src)
    if mtp:
        b.key("nextn_predict_layers", "u32", 1)
        b.prefix, dst = mtp, f"blk.{layers}."
        attention(b, dst, "layers.0.", False)
        b.norm(dst + "post_attention_norm.weight", "layers.0.post_attention_layernorm.weight")
        feed_forward(b, dst, "layers.0.")
        b.put(dst + "nextn.eh_proj.weight", ["fc.weight"], [], "F16")
        b.norm(dst + "nextn.enorm.weight", "pre_fc_norm_embedding.weight")
        b.norm(dst + "nextn.hnorm.weight", "pre_fc_norm_hidden.weight")
        b.norm(dst + "nextn.shared_head_norm.weight", "norm.weight")
    case.gguf = {"metadata": b.meta, "tensors": b.tensors}
