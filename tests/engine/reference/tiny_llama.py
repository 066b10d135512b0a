#!/usr/bin/env python3
"""Make the tiny random llama models of tests/data/engine/llama_* and record their logits in float32.

    tiny_llama.py OUTDIR          (tests/data/engine)

Every case is a folder: the model (safetensors + config.json, or model.gguf), reference.json (token ids and the
positions recorded) and logits.f32 (positions x vocabulary, float32, little-endian), computed by transformers'
LlamaForCausalLM on the very weights stored (quantised ones dequantised by the `gguf` package). 300 tokens run,
so that attention crosses a block of 256 positions. Needs torch, transformers, safetensors, gguf, numpy.

    llama_tied      F32 safetensors, tied embedding, 4 heads over 2 KV heads, sizes no vector width divides
    llama_scaled    BF16 safetensors, own output matrix, head_dim of its own, llama3 rope scaling, biases
    llama_gguf      GGUF: Q4_1 matrices, Q8_0 embedding, F16 output, rotary rows permuted; a byte tokenizer
"""

import json
import os
import sys

import gguf
import numpy as np
import torch
from gguf.quants import dequantize, quantize
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

N_TOKENS = 300
POSITIONS = list(range(16)) + [254, 255, 256, 257, 299]
VOCAB = 272


def token_ids():
    return [(7 * i * i + 3 * i + 1) % VOCAB for i in range(N_TOKENS)]


def random_model(config, seed):
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() == 1:
                p.copy_((0.0 if name.endswith("bias") else 1.0) + 0.2 * torch.randn_like(p))
            else:  # gains that keep activations alive and the logits far apart
                gain = 6.0 if "lm_head" in name or "embed" in name else 1.4
                p.copy_(torch.randn_like(p) * gain / p.shape[1] ** 0.5)
    return model


def record(model, folder):
    with torch.no_grad():
        logits = model.float()(torch.tensor([token_ids()])).logits[0, POSITIONS].numpy()
    logits.astype("<f4").tofile(os.path.join(folder, "logits.f32"))
    with open(os.path.join(folder, "reference.json"), "w") as f:
        json.dump({"ids": token_ids(), "positions": POSITIONS}, f, separators=(",", ":"))
        f.write("\n")
    print(folder, "max |logit|", float(np.abs(logits).max()))


def save_hf(model, config, extra, folder, dtype):
    """Round the weights to dtype, store them and the configuration."""
    os.makedirs(folder, exist_ok=True)
    tensors = {}
    for name, p in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        tensors[name] = p.detach().to(dtype).contiguous().clone()
        p.copy_(tensors[name].float())
    save_file(tensors, os.path.join(folder, "model.safetensors"))
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(extra, f, indent=1, sort_keys=True)
        f.write("\n")


def hf_config(**changes):
    base = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": 36,
            "intermediate_size": 44, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "head_dim": 10, "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
            "vocab_size": VOCAB, "tie_word_embeddings": True, "attention_bias": False, "mlp_bias": False}
    return {**base, **changes}


def make_config(fields):
    known = {k: v for k, v in fields.items() if k not in ("architectures", "model_type")}
    return LlamaConfig(attn_implementation="eager", **known)


def make_tied(out):
    fields = hf_config()
    model = random_model(make_config(fields), 1)
    save_hf(model, model.config, fields, out, torch.float32)
    record(model, out)


def make_scaled(out):
    fields = hf_config(tie_word_embeddings=False, head_dim=16, attention_bias=True, mlp_bias=True, rope_theta=500.0,
                       rope_scaling={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                     "high_freq_factor": 4.0, "original_max_position_embeddings": 64})
    model = random_model(make_config(fields), 2)
    save_hf(model, model.config, fields, out, torch.bfloat16)
    record(model, out)


def byte_vocabulary():
    """The 256 byte tokens in GPT-2's printable spelling, then control tokens and one merged pair."""
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    spelled, extra = {}, 0
    for b in range(256):
        if b in printable:
            spelled[b] = chr(b)
        else:
            spelled[b] = chr(256 + extra)
            extra += 1
    return [spelled[b] for b in range(256)] + ["<|im_start|>", "<|im_end|>", "ab"] + [f"<|unused{i}|>" for i in range(13)]


def make_gguf(out):
    os.makedirs(out, exist_ok=True)
    heads, kv_heads, dim, ff, layers = 4, 2, 64, 96, 2
    config = LlamaConfig(vocab_size=VOCAB, hidden_size=dim, intermediate_size=ff, num_hidden_layers=layers,
                         num_attention_heads=heads, num_key_value_heads=kv_heads, max_position_embeddings=512,
                         rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=False,
                         attn_implementation="eager")
    model = random_model(config, 3)
    w = gguf.GGUFWriter(os.path.join(out, "model.gguf"), "llama")
    w.add_name("tiny random llama")
    w.add_block_count(layers)
    w.add_context_length(512)
    w.add_embedding_length(dim)
    w.add_feed_forward_length(ff)
    w.add_head_count(heads)
    w.add_head_count_kv(kv_heads)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_freq_base(10000.0)
    w.add_vocab_size(VOCAB)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("smollm")
    w.add_token_list(byte_vocabulary())
    w.add_token_types([1] * 256 + [3, 3, 1] + [3] * 13)
    w.add_token_merges(["a b"])
    w.add_bos_token_id(256)
    w.add_eos_token_id(257)

    state, types = model.state_dict(), gguf.GGMLQuantizationType

    def put(name, source, kind, n_heads=0):
        value = state[source].float().numpy()
        if n_heads:  # pairs (j, j + d/2) of each head become neighbours
            rows, cols = value.shape
            value = value.reshape(n_heads, 2, rows // n_heads // 2, cols).swapaxes(1, 2).reshape(rows, cols)
        packed = quantize(np.ascontiguousarray(value), kind)
        w.add_tensor(name, packed, raw_dtype=kind)
        value = np.array(dequantize(packed, kind), dtype=np.float32).reshape(value.shape)
        if n_heads:
            value = value.reshape(n_heads, rows // n_heads // 2, 2, cols).swapaxes(1, 2).reshape(rows, cols)
        state[source].copy_(torch.from_numpy(np.ascontiguousarray(value)))

    put("token_embd.weight", "model.embed_tokens.weight", types.Q8_0)
    put("output.weight", "lm_head.weight", types.F16)
    put("output_norm.weight", "model.norm.weight", types.F32)
    for i in range(layers):
        src, dst = f"model.layers.{i}.", f"blk.{i}."
        put(dst + "attn_norm.weight", src + "input_layernorm.weight", types.F32)
        put(dst + "ffn_norm.weight", src + "post_attention_layernorm.weight", types.F32)
        put(dst + "attn_q.weight", src + "self_attn.q_proj.weight", types.Q4_1, heads)
        put(dst + "attn_k.weight", src + "self_attn.k_proj.weight", types.Q4_1, kv_heads)
        put(dst + "attn_v.weight", src + "self_attn.v_proj.weight", types.Q5_0)
        put(dst + "attn_output.weight", src + "self_attn.o_proj.weight", types.Q4_0)
        put(dst + "ffn_gate.weight", src + "mlp.gate_proj.weight", types.Q4_1)
        put(dst + "ffn_up.weight", src + "mlp.up_proj.weight", types.Q5_1)
        put(dst + "ffn_down.weight", src + "mlp.down_proj.weight", types.Q8_0)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    record(model, out)


if __name__ == "__main__":
    with torch.no_grad():
        make_tied(os.path.join(sys.argv[1], "llama_tied"))
        make_scaled(os.path.join(sys.argv[1], "llama_scaled"))
        make_gguf(os.path.join(sys.argv[1], "llama_gguf"))
