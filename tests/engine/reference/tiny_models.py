#!/usr/bin/env python3
"""Make tests/data/engine/tiny: a tiny random model of every decoder architecture, with the logits it must give.

    tiny_models.py OUTDIR [--only NAME] [--gguf DIR]

The weights are not stored but generated from their names (tiny_case.py has the format). The logits come from
transformers in float32 where it has the architecture; the plain float64 decoder of tiny_plain.py must agree with
it there, and speaks alone where transformers has none (InternLM2, Intern-S1-Pro, Mobius, the draft heads, FP8).
--gguf also writes the GGUF side of each case as NAME.gguf, for llama.cpp to read (tiny_llama_cpp.py: all within
1e-5 of the recorded logits with llama.cpp 0.5.0).
Needs torch, transformers, safetensors, numpy; gguf for --gguf.
"""

import argparse
import os
import tempfile

import torch

from tiny_case import Case
from tiny_gguf import add_gguf
from tiny_plain import Plain

VOCAB = 160


# ---- naming the tensors of each family ------------------------------------------------------------------------


def globals_(case, prefix="model.", tied=False):
    h = case.text["hidden_size"]
    case.matrix(prefix + "embed_tokens.weight", case.vocab, h, gain=8.0)
    norm(case, prefix + "norm.weight", h)
    if not tied:
        case.matrix("lm_head.weight", case.vocab, h, gain=6.0)


def norm(case, name, n):
    case.vector(name, n, 0.0 if getattr(case, "zero_centred", False) else 1.0)


def linear(case, name, rows, cols, gain=1.5, bias=False):
    if getattr(case, "fp8_weights", False):
        case.fp8(name + ".weight", rows, cols, gain=gain)
    else:
        case.matrix(name + ".weight", rows, cols, gain=gain)
    if bias:
        case.vector(name + ".bias", rows, 0.0)


def attention(case, at, gated=False, qk_norm=False, bias=False, o_bias=False):
    c = case.text
    h, n_q, n_kv = c["hidden_size"], c["num_attention_heads"], c["num_key_value_heads"]
    d = c.get("head_dim") or h // n_q
    linear(case, at + "q_proj", n_q * d * (2 if gated else 1), h, bias=bias)
    linear(case, at + "k_proj", n_kv * d, h, bias=bias)
    linear(case, at + "v_proj", n_kv * d, h, bias=bias)
    linear(case, at + "o_proj", h, n_q * d, bias=o_bias)
    if qk_norm:
        norm(case, at + "q_norm.weight", d)
        norm(case, at + "k_norm.weight", d)


def mlp(case, at, f, bias=False):
    h = case.text["hidden_size"]
    linear(case, at + "gate_proj", f, h, bias=bias)
    linear(case, at + "up_proj", f, h, bias=bias)
    linear(case, at + "down_proj", h, f, gain=2.5, bias=bias)


def experts(case, at, n, layout="split"):
    """split: one tensor an expert; fused [E, 2f, h]; transposed [E, h, 2f]."""
    h, f = case.text["hidden_size"], case.text["moe_intermediate_size"]
    case.matrix(at + "gate.weight", n, h, gain=2.0)
    stacked = case.fp8 if getattr(case, "fp8_weights", False) else case.matrix
    if layout == "split":
        for e in range(n):
            mlp(case, at + f"experts.{e}.", f)
    elif layout == "fused":
        stacked(at + "experts.gate_up_proj", n, 2 * f, h, gain=1.5)
        stacked(at + "experts.down_proj", n, h, f, gain=2.5)
    else:
        stacked(at + "experts.gate_up_proj", n, h, 2 * f, gain=1.5)
        stacked(at + "experts.down_proj", n, f, h, gain=2.5)


def delta_net(case, at, interleaved=False):
    c = case.text
    h, n_k, n_v = c["hidden_size"], c["linear_num_key_heads"], c["linear_num_value_heads"]
    key, value = n_k * c["linear_key_head_dim"], n_v * c["linear_value_head_dim"]
    if interleaved:
        linear(case, at + "in_proj_qkvz", 2 * key + 2 * value, h)
        linear(case, at + "in_proj_ba", 2 * n_v, h)
    else:
        linear(case, at + "in_proj_qkv", 2 * key + value, h)
        linear(case, at + "in_proj_z", value, h)
        linear(case, at + "in_proj_b", n_v, h)
        linear(case, at + "in_proj_a", n_v, h)
    case.matrix(at + "conv1d.weight", 2 * key + value, 1, c["linear_conv_kernel_dim"], gain=1.5)
    case.tensors[at + "A_log"] = ["F32", [n_v], 0.0, -6, 8]
    case.tensors[at + "dt_bias"] = ["F32", [n_v], -2.0, -6, 8]
    case.vector(at + "norm.weight", c["linear_value_head_dim"])  # not zero-centred, whatever the other norms are
    linear(case, at + "out_proj", h, value)


def shared_expert(case, at):
    mlp(case, at + "shared_expert.", case.text["shared_expert_intermediate_size"])
    linear(case, at + "shared_expert_gate", 1, case.text["hidden_size"])


def block_norms(case, at):
    norm(case, at + "input_layernorm.weight", case.text["hidden_size"])
    norm(case, at + "post_attention_layernorm.weight", case.text["hidden_size"])


# ---- configurations -------------------------------------------------------------------------------------------


def config(model_type, architecture, **changes):
    base = {**({"architectures": [architecture]} if architecture else {}), "model_type": model_type, "hidden_act": "silu", "hidden_size": 64,
            "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "vocab_size": VOCAB,
            "tie_word_embeddings": False}
    return {**base, **changes}


def wrapped(model_type, architecture, text, **changes):
    return {"architectures": [architecture], "model_type": model_type, "text_config": text,
            "tie_word_embeddings": False, **changes}


def llama_like(name, what, model_type="llama", architecture="LlamaForCausalLM", bias=False, qk_norm=False,
               o_bias=False, mlp_bias=False, prefix="model.", wrap=None, **changes):
    text = config(model_type, architecture, **changes)
    case = Case(name, what, wrap(text) if wrap else text)
    globals_(case, prefix, text["tie_word_embeddings"])
    for i in range(text["num_hidden_layers"]):
        at = f"{prefix}layers.{i}."
        block_norms(case, at)
        attention(case, at + "self_attn.", qk_norm=qk_norm, bias=bias, o_bias=o_bias)
        mlp(case, at + "mlp.", text["intermediate_size"], bias=mlp_bias)
    return case


def llama_cases():
    yield add(llama_like("llama_untied", "llama: grouped-query attention, own output matrix"), "llama", hf=True)
    yield add(llama_like("llama_tied_f16", "llama: tied embedding, head_dim of its own", tie_word_embeddings=True,
                         head_dim=24, num_attention_heads=8, num_key_value_heads=4), "llama", hf=True)
    yield add(llama_like("llama_rope_llama3", "llama 3.1's rope scaling", head_dim=32, rope_theta=500.0,
                         rope_parameters={"rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0,
                                          "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                          "original_max_position_embeddings": 64}), "llama", hf=True)
    yield add(llama_like("llama_rope_linear", "linear rope scaling",
                         rope_scaling={"rope_type": "linear", "factor": 4.0}), "llama", hf=True)
    yield add(llama_like("llama_rope_yarn", "YaRN", head_dim=32,
                         rope_scaling={"rope_type": "yarn", "factor": 4.0,
                                       "original_max_position_embeddings": 64}), "llama", hf=True)
    qwen2 = dict(model_type="qwen2", architecture="Qwen2ForCausalLM", rope_theta=1e6, rms_norm_eps=1e-6)
    yield add(llama_like("qwen2", "qwen2: biases of q, k and v", bias=True, **qwen2), "qwen2", hf=True)
    qwen3 = dict(model_type="qwen3", rope_theta=1e6, rms_norm_eps=1e-6, head_dim=32, qk_norm=True,
                 attention_bias=False)
    yield add(llama_like("qwen3", "qwen3: norms of q and k, head_dim of its own", architecture="Qwen3ForCausalLM",
                         num_attention_heads=4, num_key_value_heads=1, **qwen3), "qwen3", hf=True)
    yield add(llama_like("qwen3_yarn", "qwen3 with YaRN", architecture="Qwen3ForCausalLM",
                         rope_scaling={"rope_type": "yarn", "factor": 4.0,
                                       "original_max_position_embeddings": 64}, **qwen3), "qwen3", hf=True)
    wrap = lambda text: wrapped("interns1", "InternS1ForConditionalGeneration", text, vision_config={"hidden_size": 8})
    case = llama_like("interns1_mini", "Intern-S1-mini: a qwen3 core inside a wrapper with a vision tower, in shards",
                      architecture="Qwen3ForCausalLM", prefix="model.language_model.", wrap=wrap, **qwen3)
    case.matrix("model.vision_tower.embeddings.cls_token", 1, 1, 8)
    case.matrix("model.multi_modal_projector.linear_1.weight", 8, 8)
    case.shards = 3
    yield add(case, "qwen3", prefix="model.language_model.", hf=True)


def internlm_cases():
    dynamic = {"type": "dynamic", "factor": 2.0}
    for name, what, changes in (
            ("internlm2", "InternLM2: fused wqkv, rope plain", {}),
            ("internlm2_dynamic", "InternLM2.5: dynamic NTK, the sequence longer than the trained context",
             {"rope_scaling": dynamic, "max_position_embeddings": 32})):
        text = config("internlm2", "InternLM2ForCausalLM", bias=False, **changes)
        case = Case(name, what, text)
        h, f = text["hidden_size"], text["intermediate_size"]
        n_q, n_kv = text["num_attention_heads"], text["num_key_value_heads"]
        case.matrix("model.tok_embeddings.weight", VOCAB, h, gain=8.0)
        norm(case, "model.norm.weight", h)
        case.matrix("output.weight", VOCAB, h, gain=6.0)
        for i in range(text["num_hidden_layers"]):
            at = f"model.layers.{i}."
            norm(case, at + "attention_norm.weight", h)
            norm(case, at + "ffn_norm.weight", h)
            linear(case, at + "attention.wqkv", (n_q + 2 * n_kv) * (h // n_q), h)
            linear(case, at + "attention.wo", h, h)
            linear(case, at + "feed_forward.w1", f, h)
            linear(case, at + "feed_forward.w3", f, h)
            linear(case, at + "feed_forward.w2", h, f, gain=2.5)
        yield add(case, None if changes else "internlm2")
    internlm3 = dict(model_type="internlm3", architecture="InternLM3ForCausalLM", head_dim=24, rope_theta=5e4)
    yield add(llama_like("internlm3", "InternLM3: dynamic NTK by 6, crossing the trained context",
                         rope_scaling={"rope_type": "dynamic", "factor": 6.0}, max_position_embeddings=32,
                         qkv_bias=False, bias_=False, **internlm3), hf=True)
    yield add(llama_like("internlm3_bias", "InternLM3 with qkv_bias and bias", bias=True, o_bias=True, mlp_bias=True,
                         qkv_bias=True, bias_=True, **internlm3), "llama", hf=True)


def qwen3_moe_like(name, what, layout="split", prefix="model.", wrap=None, model_type="qwen3_moe",
                   architecture="Qwen3MoeForCausalLM", fp8=False, n_tokens=80, **changes):
    text = config(model_type, architecture, **{
        "head_dim": 32, "rope_theta": 1e6, "rms_norm_eps": 1e-6, "num_experts": 8, "num_experts_per_tok": 2,
        "moe_intermediate_size": 40, "norm_topk_prob": True, "decoder_sparse_step": 1, "mlp_only_layers": [],
        "attention_bias": False, **changes})
    case = Case(name, what, wrap(text) if wrap else text, n_tokens=n_tokens)
    globals_(case, prefix)
    case.fp8_weights = fp8
    for i in range(text["num_hidden_layers"]):
        at = f"{prefix}layers.{i}."
        block_norms(case, at)
        attention(case, at + "self_attn.", qk_norm=True)
        if i in text["mlp_only_layers"] or (i + 1) % text["decoder_sparse_step"] != 0:
            mlp(case, at + "mlp.", text["intermediate_size"])
        else:
            experts(case, at + "mlp.", text["num_experts"], layout)
    return case


def moe_cases():
    yield add(qwen3_moe_like("qwen3_moe", "qwen3_moe: 2 of 8 experts, shares renormalised"), "qwen3moe", hf=True)
    yield add(qwen3_moe_like("qwen3_moe_raw", "qwen3_moe with norm_topk_prob false and dense layers between",
                             norm_topk_prob=False, num_hidden_layers=4, mlp_only_layers=[0], decoder_sparse_step=2,
                             num_experts_per_tok=3), hf=True)
    wrap = lambda text: wrapped("interns1", "InternS1ForConditionalGeneration", text)
    yield add(qwen3_moe_like("interns1", "Intern-S1: a qwen3_moe core inside a wrapper", prefix="model.language_model.",
                             wrap=wrap, num_experts=16, num_experts_per_tok=4), "qwen3moe",
              prefix="model.language_model.", hf=True)
    text = config("mixtral", "MixtralForCausalLM", num_local_experts=6, num_experts_per_tok=2, sliding_window=None)
    case = Case("mixtral", "Mixtral: llama with 2 of 6 experts", text)
    globals_(case)
    h, f = text["hidden_size"], text["intermediate_size"]
    for i in range(2):
        at = f"model.layers.{i}."
        block_norms(case, at)
        attention(case, at + "self_attn.")
        case.matrix(at + "block_sparse_moe.gate.weight", 6, h, gain=2.0)
        for e in range(6):
            for name, rows, cols, gain in (("w1", f, h, 1.5), ("w2", h, f, 2.5), ("w3", f, h, 1.5)):
                linear(case, at + f"block_sparse_moe.experts.{e}.{name}", rows, cols, gain)
    yield add(case, "llama", hf=True)


def s1_pro_cases():
    """theta 10000, d 32, 256 positions keep 7 frequencies of 16."""
    wrap = lambda text, **more: wrapped("interns1_pro", "InternS1ProForConditionalGeneration", text, **more)
    pro = dict(prefix="model.language_model.", model_type="interns1_pro_text", architecture="", rope_theta=10000.0,
               num_experts=32, num_experts_per_tok=8, router_n_groups=4, moe_intermediate_size=16)

    def coefficients(case, shape):
        for name in ("sin_coef", "cos_coef"):  # in practice near the identity; here anything
            case.matrix(f"model.language_model.rotary_emb.{name}", *shape, gain=1.0)
        return case

    rope = {"rope_type": "default", "rope_theta": 10000.0, "fope_init_factor": 0.5, "fope_sep_head": True}
    yield add(coefficients(qwen3_moe_like("interns1_pro", "Intern-S1-Pro: FoPE per KV head, grouped routing, fused "
                                          "experts stored transposed", layout="transposed", wrap=wrap,
                                          rope_scaling=rope, **pro), (2, 7, 7)))
    rope = {**rope, "fope_sep_head": False, "fope_num_inv_freq": 5}
    yield add(coefficients(qwen3_moe_like("interns1_pro_shared", "Intern-S1-Pro: one FoPE table for all heads, "
                                          "5 frequencies, experts one by one", wrap=wrap, rope_scaling=rope, **pro),
                           (5, 5)))
    fp8 = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128], "activation_scheme": "dynamic",
           "scale_fmt": "ue8m0", "modules_to_not_convert": ["lm_head"]}
    rope = {**rope, "fope_sep_head": True, "fope_num_inv_freq": 5}
    for name, what, layout in (("interns1_pro_fp8", "Intern-S1-Pro in FP8, blocks of 128 with ragged edges", "split"),
                               ("interns1_pro_fp8_stacked", "the same with experts stacked, stored transposed",
                                "transposed")):
        case = qwen3_moe_like(name, what, layout, fp8=True, wrap=lambda text: wrap(text, quantization_config=fp8),
                              rope_scaling=rope, n_tokens=40,
                              **{**pro, "hidden_size": 192, "moe_intermediate_size": 136, "num_experts": 8,
                                 "num_experts_per_tok": 4, "router_n_groups": 2})
        yield add(coefficients(case, (2, 5, 5)))
    case = qwen3_moe_like("qwen3_moe_fp8", "qwen3_moe in FP8", fp8=True, n_tokens=40, hidden_size=160,
                          moe_intermediate_size=144, num_experts=4, quantization_config=fp8)
    yield add(case)


def hybrid(name, what, moe=True, layout="fused", prefix="model.language_model.", model_type="qwen3_5_moe_text",
           wrap=None, interleaved=False, fp8=False, mobius=False, n_tokens=80, **changes):
    """Qwen3-Next and Qwen3.5: three gated delta-net layers, then one of gated attention."""
    fields = {"head_dim": 32, "rms_norm_eps": 1e-6, "num_hidden_layers": 4, "full_attention_interval": 4,
              "layer_types": ["linear_attention"] * 3 + ["full_attention"], "linear_conv_kernel_dim": 4,
              "linear_key_head_dim": 16, "linear_value_head_dim": 16, "linear_num_key_heads": 2,
              "linear_num_value_heads": 6, "attention_bias": False,
              "rope_parameters": {"rope_type": "default", "rope_theta": 1e5, "partial_rotary_factor": 0.25,
                                  "mrope_interleaved": True, "mrope_section": [2, 1, 1]}}
    if moe:
        fields.update({"num_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 32,
                       "shared_expert_intermediate_size": 48})
    text = config(model_type, "", **{**fields, **changes})
    for key in ["rope_theta"] + (["intermediate_size"] if moe else []):
        del text[key]
    case = Case(name, what, wrap(text) if wrap else text, n_tokens=n_tokens)
    case.zero_centred = True
    globals_(case, prefix)
    case.fp8_weights = fp8
    for i, kind in enumerate(text["layer_types"]):
        at = f"{prefix}layers.{i}."
        block_norms(case, at)
        if kind == "linear_attention":
            delta_net(case, at + "linear_attn.", interleaved)
        else:
            attention(case, at + "self_attn.", gated=True, qk_norm=True)
        if mobius:
            shared_expert(case, at)
        else:
            hybrid_mlp(case, at + "mlp.", moe, layout)
    if mobius:
        for g in range(text["num_blocks"]):
            experts(case, f"{prefix}meta_mlp.{g}.", text["num_experts"], layout)
    return case


def hybrid_mlp(case, at, moe, layout, n=None):
    if not moe:
        mlp(case, at, case.text["intermediate_size"])
        return
    experts(case, at, n or case.text["num_experts"], layout)
    shared_expert(case, at)


def draft_head(case, head, moe=True, layout="fused", inside=False, n=None):
    """inside: fc and its norms under layers.0."""
    h, at, outer = case.text["hidden_size"], head + "layers.0.", head + ("layers.0." if inside else "")
    linear(case, outer + "fc", h, 2 * h)
    for name in ("pre_fc_norm_embedding", "pre_fc_norm_hidden", "norm"):
        norm(case, f"{outer}{name}.weight", h)
    block_norms(case, at)
    attention(case, at + "self_attn.", gated=True, qk_norm=True)
    hybrid_mlp(case, at + "mlp.", moe, layout, n)


def hybrid_cases():
    inside = "model.language_model."
    wrap = lambda text: wrapped("qwen3_5_moe", "Qwen3_5MoeForConditionalGeneration", text)
    case = hybrid("qwen3_5_moe", "Qwen3.5-MoE: delta net with 6 value heads on 2 key heads, gated attention, shared "
                  "expert, draft head", wrap=wrap, mtp_num_hidden_layers=1)
    draft_head(case, "mtp.")
    yield add(case, "qwen35moe", prefix=inside, mtp="mtp.", drafts={"mtp": "mtp."}, hf=True)
    wrap = lambda text: wrapped("qwen3_5", "Qwen3_5ForConditionalGeneration", text)
    case = hybrid("qwen3_5", "Qwen3.5 dense, with as many value heads as key heads", moe=False, wrap=wrap,
                  model_type="qwen3_5_text", linear_num_value_heads=2, mtp_num_hidden_layers=1)
    draft_head(case, "mtp.", moe=False)
    yield add(case, "qwen35", prefix=inside, mtp="mtp.", drafts={"mtp": "mtp."}, hf=True)
    case = hybrid("qwen3_next", "Qwen3-Next: projections interleaved per key head, experts one by one",
                  prefix="model.", model_type="qwen3_next", layout="split", interleaved=True, norm_topk_prob=True,
                  decoder_sparse_step=1, mlp_only_layers=[])
    yield add(case, hf=True)

    wrap = lambda text: wrapped("intern_s2_preview", "InternS2PreviewForConditionalGeneration", text,
                                vision_config={"hidden_size": 8}, ts_config={"d_model": 8})
    case = hybrid("intern_s2_preview", "Intern-S2-Preview: two draft heads, one with its fc inside the layer", wrap=wrap,
                  mtp_num_hidden_layers=1)
    draft_head(case, "mtp.normal.")
    draft_head(case, "mtp.sci.", inside=True)
    case.matrix("model.visual.patch_embed.proj.weight", 8, 8)
    case.matrix("model.time_series.conv1.weight", 8, 8)
    yield add(case, "qwen35moe", prefix=inside, mtp="mtp.normal.",
              drafts={"normal": "mtp.normal.", "sci": "mtp.sci."}, hf=True)
    fp8 = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128], "activation_scheme": "dynamic",
           "modules_to_not_convert": ["lm_head"]}
    wrap = lambda text: wrapped("intern_s2_preview", "InternS2PreviewForConditionalGeneration", text,
                                quantization_config=fp8)
    for name, what, layout in (("intern_s2_preview_fp8", "experts one by one, ragged blocks", "split"),
                               ("intern_s2_preview_fp8_stacked", "stacked experts, ragged blocks", "fused")):
        yield add(hybrid(name, "Intern-S2-Preview in FP8: " + what, wrap=wrap, layout=layout, fp8=True, n_tokens=40,
                         hidden_size=144, moe_intermediate_size=136, num_experts=4, num_experts_per_tok=2,
                         linear_value_head_dim=24))
    wrap = lambda text: wrapped("interns2_mobius", "InternS2MobiusForConditionalGeneration", text)
    case = hybrid("interns2_mobius", "Mobius: 4 layers share 2 packs of experts; the draft head has experts of its own",
                  wrap=wrap, mobius=True, model_type="interns2_mobius_text", num_blocks=2, mtp_num_hidden_layers=1,
                  mtp_num_experts=4, mtp_num_experts_per_tok=2)
    draft_head(case, "mtp.", n=4)
    yield add(case, drafts={"mtp": "mtp."})


# ---- logits ---------------------------------------------------------------------------------------------------


def add(case, gguf=None, prefix=None, mtp=None, drafts=None, hf=False):
    case.hf, case.draft_heads = hf, drafts or {}
    case.prefix = prefix or ("model.language_model." if any(t.startswith("model.language_model.")
                                                             for t in case.tensors) else "model.")
    if "bias_" in case.config:  # a keyword of ours on the way here
        case.config["bias"] = case.config.pop("bias_")
    if gguf:
        add_gguf(case, gguf, case.prefix, mtp)
    return case


def strip(case, name):
    return name[len(case.prefix):] if name.startswith(case.prefix) else name


def transformers_logits(case):
    """The text model in transformers, from the file names on disk; every tensor must find its place."""
    from transformers import AutoModelForCausalLM
    import json
    from safetensors.torch import save_file
    with tempfile.TemporaryDirectory() as folder:
        skip = ("mtp.", "model.vision_tower.", "model.multi_modal", "model.visual.", "model.time_series.")
        tensors = {}
        for name, value in case.weights().items():
            if not name.startswith(skip):
                new = name if not name.startswith(case.prefix) else "model." + strip(case, name)
                tensors[new] = value.contiguous()
        save_file(tensors, os.path.join(folder, "model.safetensors"))
        with open(os.path.join(folder, "config.json"), "w") as f:
            json.dump(case.text, f)
        model, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager",
                                                           output_loading_info=True)
        assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"], info
        with torch.no_grad():
            return model.eval()(torch.tensor([case.ids])).logits[0].float()


def run_plain(case):
    """The first seed at which no choice of experts is so close that float32 could decide it either way."""
    for case.seed in range(1, 100):
        plain = Plain({strip(case, n): v for n, v in case.weights().items()}, case.text,
                      plus_one=getattr(case, "zero_centred", False))
        logits = plain.forward(case.ids)
        drafts = {head: plain.draft(case.ids, prefix) for head, prefix in case.draft_heads.items()}
        if plain.margin > 1e-4:
            return plain, logits, drafts


def make(case, out, gguf_dir):
    plain, logits, drafts = run_plain(case)
    largest, told = logits.abs().max(), ""
    if case.hf:
        theirs = transformers_logits(case)
        error = float((theirs.double() - logits).abs().max() / largest)
        told = f", transformers against plain {error:.1e}"
        assert error < 2e-5, (case.name, error)
        logits = theirs
    case.write(out, logits, drafts)
    if gguf_dir and case.gguf:
        case.save_gguf(os.path.join(gguf_dir, case.name + ".gguf"))
    top = logits.sort(descending=True).values
    print(f"{case.name}: max |logit| {float(largest):.1f}, top-1 ahead by {float((top[:, 0] - top[:, 1]).median()):.2f}, "
          f"router margin {plain.margin:.1e}{told}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--only")
    parser.add_argument("--gguf")
    args = parser.parse_args()
    torch.set_num_threads(1)
    out = os.path.join(args.out, "tiny")
    os.makedirs(out, exist_ok=True)
    for family in (llama_cases, internlm_cases, moe_cases, s1_pro_cases, hybrid_cases):
        for case in family():
            if not args.only or case.name == args.only:
                make(case, out, args.gguf)


if __name__ == "__main__":
    main()
