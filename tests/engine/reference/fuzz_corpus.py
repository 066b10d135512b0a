#!/usr/bin/env python3
"""Make the seed files of fuzz_gguf, fuzz_gguf_parts, fuzz_safetensors, fuzz_model_config and fuzz_decoder: folders of
these names in tests/data/fuzz.

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
PIECES = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3), ("<sep>", 0.0, 4), ("<0x41>", 0.0, 6), ("\u2581", -1.0, 1),
          ("a", -2.0, 1), ("b", -2.5, 1), ("ab", -1.5, 1), ("\u2581ab", -1.25, 1), ("\u00e9t", -3.0, 1), ("abab", -1.5, 5)]
SPM = {
    "tokenizer.ggml.model": ("s", "llama"), "tokenizer.ggml.tokens": (("a", "s"), [p[0] for p in PIECES]),
    "tokenizer.ggml.scores": (("a", "f"), [p[1] for p in PIECES]),
    "tokenizer.ggml.token_type": (("a", "i"), [p[2] for p in PIECES]),
}
UNIGRAM = {**SPM, "tokenizer.ggml.model": ("s", "t5"), "tokenizer.ggml.remove_extra_whitespaces": ("?", True)}


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    """Of a protocol buffer: an int as varint, a float as 32 bits, bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def charsmap():
    """A double array that holds one rule, "a" -> "b": the root's children at 256, a's value at 512."""
    units = [0] * 1024
    units[0] = 256 << 10
    units[256 ^ 97] = (256 ^ 97 ^ 512) << 10 | 1 << 8 | 97
    units[512] = 1 << 31
    trie = struct.pack("<1024I", *units)
    return struct.pack("<I", len(trie)) + trie + b"b\0"


def sentencepiece(kind, rules=b"", extra=True):
    out = b"".join(field(1, field(1, text.encode()) + field(2, score) + field(3, type_)) for text, score, type_ in PIECES)
    out += field(2, field(3, kind) + field(40, 0) + field(41, 1) + field(42, 2))
    return out + field(3, (field(2, rules) if rules else b"") + field(3, 1) + field(4, int(extra)))


JINJA = {
    "loop.jinja": "{%- for m in messages if m.role != 'x' %}{{ loop.index0 }}{{ '<|' + m['role'] + '|>' ~ m.content | trim }}\n"
                  "{%- else %}none{% endfor %}{% if add_generation_prompt %}{{ bos_token }}{% endif %}\n",
    "all.jinja": "{# c #}{% set ns = namespace(a=1, b=[]) %}{% set ns.a = ns.a + n * 2 - 7 // 2 % 3 ** 2 %}{% macro f(x, y='z') -%}"
                 "<{{ x }}{{ y | upper }}>{%- endmacro %}{{ f(1, y=l[::-1]) }}{{ messages[2].tool_calls | tojson(indent=2) }}"
                 "{% set t %}{% raw %}{{{% endraw %}{% endset %}{{ t if t is string and n in l else {'a': (1, 2)} }}"
                 "{% filter upper %}{{ s.strip().split(', ')[-1:] | join('-') }}{% endfilter %}{% for k, v in d.items() %}{{ k }}={{ v }}"
                 "{% break %}{% endfor %}{{ messages | selectattr('role', 'eq', 'user') | map(attribute='content') | list | length }}",
    "reply.txt": "<think>\na\n</think>\n\nb<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call><tool_call>\n"
                 "<function=f>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call><|action_start|><|plugin|>{\"name\":\"f\"}"
                 "<|action_end|>[TOOL_CALLS]f[ARGS]{}<|python_tag|>{\"name\":\"f\"}",
}
KINDS = {f"a.{k}": (k, 1) for k in "BbHhIiQq"}
KINDS.update({"a.f": ("f", 0.5), "a.d": ("d", 0.25), "a.bool": ("?", True), "a.int": ("I", 9), "a.s": ("s", "text"),
              "a.ints": (("a", "i"), [1, -2, 3]), "a.floats": (("a", "f"), [1.0, 2.0]), "a.q": (("a", "q"), [1 << 40]),
              "general.name": ("s", "seed"), "general.alignment": ("I", 64)})
BLOCKS = [("f32", 0, 4, 1), ("f16", 1, 2, 1), ("bf16", 30, 2, 1), ("q4_0", 2, 18, 32), ("q4_1", 3, 20, 32),
          ("q5_0", 6, 22, 32), ("q5_1", 7, 24, 32), ("q8_0", 8, 34, 32), ("q2_k", 10, 84, 256), ("q3_k", 11, 110, 256),
          ("q4_k", 12, 144, 256), ("q5_k", 13, 176, 256), ("q6_k", 14, 210, 256), ("iq4_nl", 20, 18, 32),
          ("iq4_xs", 23, 136, 256), ("mxfp4", 39, 17, 32)]


def decoder_keys(arch, **more):
    keys = {"block_count": 1, "embedding_length": 8, "attention.head_count": 2, "attention.head_count_kv": 1,
            "attention.key_length": 4, "attention.value_length": 4, "feed_forward_length": 16, "context_length": 64,
            **more}
    out = {"general.architecture": ("s", arch), f"{arch}.attention.layer_norm_rms_epsilon": ("f", 1e-5)}
    return out | {f"{arch}.{k}": ("I", v) for k, v in keys.items()}


def decoder_block(i, delta=False, gated=False, experts=0, after="ffn_norm"):
    """Names and dimensions of one block, all F32: 2 heads of 4 over one key head; delta rule with 2 value heads."""
    shapes = {"attn_norm.weight": [8], after + ".weight": [8]}
    if delta:
        shapes |= {"attn_qkv.weight": [8, 16], "attn_gate.weight": [8, 8], "ssm_beta.weight": [8, 2],
                   "ssm_alpha.weight": [8, 2], "ssm_out.weight": [8, 8], "ssm_conv1d.weight": [4, 16], "ssm_a": [2],
                   "ssm_dt.bias": [2], "ssm_norm.weight": [4]}
    else:
        shapes |= {"attn_q.weight": [8, 16 if gated else 8], "attn_k.weight": [8, 4], "attn_v.weight": [8, 4],
                   "attn_output.weight": [8, 8]}
        if gated:
            shapes |= {"attn_q_norm.weight": [4], "attn_k_norm.weight": [4]}
    if experts:
        shapes |= {"ffn_gate_inp.weight": [8, experts], "ffn_gate_exps.weight": [8, 4, experts],
                   "ffn_up_exps.weight": [8, 4, experts], "ffn_down_exps.weight": [4, 8, experts],
                   "ffn_gate_inp_shexp.weight": [8], "ffn_gate_shexp.weight": [8, 4],
                   "ffn_up_shexp.weight": [8, 4], "ffn_down_shexp.weight": [4, 8]}
    else:
        shapes |= {"ffn_gate.weight": [8, 16], "ffn_up.weight": [8, 16], "ffn_down.weight": [16, 8]}
    return {f"blk.{i}.{k}": v for k, v in shapes.items()}


def product(dims):
    n = 1
    for d in dims:
        n *= d
    return n


def decoder(metadata, shapes):
    shapes = {"token_embd.weight": [8, 6], "output_norm.weight": [8]} | shapes
    return gguf(metadata, [(k, d, 0, 4 * product(d)) for k, d in shapes.items()])


def hf(config, shapes):
    """config.json, NUL, safetensors of F32 (shapes row-major)."""
    header, at = {}, 0
    for name, shape in shapes.items():
        end = at + 4 * product(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, end]}
        at = end
    body = json.dumps(header, separators=(",", ":")).encode()
    data = bytes(i * 7 & 0x3F for i in range(at))
    return json.dumps(config).encode() + b"\0" + struct.pack("<Q", len(body)) + body + data


def decoders():
    hybrid = decoder_keys("qwen35moe", **{
        "block_count": 3, "nextn_predict_layers": 1, "full_attention_interval": 2, "expert_count": 4,
        "expert_used_count": 2, "expert_feed_forward_length": 4, "expert_shared_feed_forward_length": 4,
        "rope.dimension_count": 2, "ssm.conv_kernel": 4, "ssm.state_size": 4, "ssm.group_count": 1,
        "ssm.time_step_rank": 2, "ssm.inner_size": 8})
    norm = "post_attention_norm"
    draft = {"blk.2.nextn.eh_proj.weight": [16, 8], "blk.2.nextn.enorm.weight": [8],
             "blk.2.nextn.hnorm.weight": [8]}
    yield "llama.gguf", decoder(decoder_keys("llama"), decoder_block(0))
    yield "qwen35moe.gguf", decoder(hybrid, decoder_block(0, delta=True, experts=4, after=norm) |
                                    decoder_block(1, gated=True, experts=4, after=norm) |
                                    decoder_block(2, gated=True, experts=4, after=norm) | draft)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4,
             "max_position_embeddings": 64, "rms_norm_eps": 1e-5}
    yield "interns1_pro.hf", hf(
        sizes | {"model_type": "interns1_pro_text", "num_experts": 4, "num_experts_per_tok": 2, "router_n_groups": 2,
                 "moe_intermediate_size": 4, "norm_topk_prob": True, "rope_scaling": {"rope_type": "default"}},
        {"model.embed_tokens.weight": [6, 8], "model.norm.weight": [8], "lm_head.weight": [6, 8],
         "model.rotary_emb.sin_coef": [1, 1, 1], "model.rotary_emb.cos_coef": [1, 1, 1],
         "model.layers.0.input_layernorm.weight": [8], "model.layers.0.post_attention_layernorm.weight": [8],
         "model.layers.0.self_attn.q_proj.weight": [8, 8], "model.layers.0.self_attn.k_proj.weight": [4, 8],
         "model.layers.0.self_attn.v_proj.weight": [4, 8], "model.layers.0.self_attn.o_proj.weight": [8, 8],
         "model.layers.0.self_attn.q_norm.weight": [4], "model.layers.0.self_attn.k_norm.weight": [4],
         "model.layers.0.mlp.gate.weight": [4, 8], "model.layers.0.mlp.experts.gate_up_proj": [4, 8, 8],
         "model.layers.0.mlp.experts.down_proj": [4, 4, 8]})
    yield "internlm2.hf", hf(
        sizes | {"model_type": "internlm2", "intermediate_size": 16, "rope_scaling": {"type": "dynamic", "factor": 2.0}},
        {"model.tok_embeddings.weight": [6, 8], "model.norm.weight": [8], "output.weight": [6, 8],
         "model.layers.0.attention_norm.weight": [8], "model.layers.0.ffn_norm.weight": [8],
         "model.layers.0.attention.wqkv.weight": [16, 8], "model.layers.0.attention.wo.weight": [8, 8],
         "model.layers.0.feed_forward.w1.weight": [16, 8], "model.layers.0.feed_forward.w3.weight": [16, 8],
         "model.layers.0.feed_forward.w2.weight": [8, 16]})


def main():
    for name, content in decoders():
        write(os.path.join(sys.argv[1], "decoder", name), content)
    for name, content in {
        "kinds.gguf": gguf(KINDS, [("w", [8, 2], 0, 64)], alignment=64),
        "types.gguf": gguf({}, [(n, [per, 2], kind, 2 * size) for n, kind, size, per in BLOCKS]),
        "bpe.gguf": gguf(BPE, [("token_embd.weight", [4, 12], 1, 96)]),
        "wordpiece.gguf": gguf(WORDPIECE, [], version=2),
        "spm.gguf": gguf(SPM, []),
        "unigram.gguf": gguf(UNIGRAM, []),
    }.items():
        write(os.path.join(sys.argv[1], "gguf", name), content)
    for name, content in {"bpe.model": sentencepiece(2, extra=False), "bpe_rules.model": sentencepiece(2, charsmap()),
                          "unigram.model": sentencepiece(1, charsmap())}.items():
        write(os.path.join(sys.argv[1], "tokenizer_model", name), content)
    for name, content in JINJA.items():
        write(os.path.join(sys.argv[1], "jinja", name), content.encode())
    tensors = {"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
               "b": {"dtype": "BF16", "shape": [4], "data_offsets": [24, 32]},
               "c": {"dtype": "I64", "shape": [], "data_offsets": [32, 40]}}
    header = json.dumps(tensors, separators=(",", ":")).encode() + b"  "
    write(os.path.join(sys.argv[1], "safetensors", "three.safetensors"),
          struct.pack("<Q", len(header)) + header + bytes(range(40)))
    fp8 = {"w.weight": {"dtype": "F8_E4M3", "shape": [130, 3], "data_offsets": [0, 390]},
           "w.weight_scale_inv": {"dtype": "F32", "shape": [2, 1], "data_offsets": [390, 398]},
           "v.weight": {"dtype": "F8_E5M2", "shape": [2, 2], "data_offsets": [398, 402]},
           "v.weight_scale_inv": {"dtype": "U8", "shape": [1, 1], "data_offsets": [402, 403]},
           "model.language_model.norm.weight": {"dtype": "BOOL", "shape": [1], "data_offsets": [403, 404]}}
    header = json.dumps(fp8, separators=(",", ":")).encode()
    write(os.path.join(sys.argv[1], "safetensors", "fp8.safetensors"),
          struct.pack("<Q", len(header)) + header + bytes(i * 7 & 0x7F for i in range(404)))
    split = {"split.count": ("H", 2), "split.tensors.count": ("i", 2)}
    first = gguf({"general.name": ("s", "seed"), "split.no": ("H", 0), **split}, [("a", [32, 2], 8, 68)])
    second = gguf({"split.no": ("H", 1), **split}, [("b", [4], 0, 16)])
    write(os.path.join(sys.argv[1], "gguf_parts", "two.gguf"), struct.pack("<H", len(first)) + first + second)
    for name, (config, index) in configs().items():
        write(os.path.join(sys.argv[1], "model_config", name),
              json.dumps(config).encode() + b"\0" + json.dumps({"weight_map": index}).encode())


def configs():
    """For the two files that fuzz_model_config.c writes: config.json and the index's map."""
    part = "model.layers.0."
    index = {n: "a.safetensors" for n in ["model.embed_tokens.weight", "model.norm.weight",
                                          part + "input_layernorm.weight", part + "self_attn.q_proj.weight"]}
    index.update({part + n: "b.safetensors" for n in ["mlp.gate_proj.weight", "self_attn.v_proj.weight"]})
    base = {"model_type": "llama", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
            "num_key_value_heads": 1, "intermediate_size": 64, "vocab_size": 40, "rms_norm_eps": 1e-5,
            "max_position_embeddings": 64, "tie_word_embeddings": True}
    yarn = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 16,
            "beta_fast": 32, "beta_slow": 1, "truncate": False}
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 16}
    return {
        "llama.json": (base, index),
        "qwen2_yarn.json": ({**base, "model_type": "qwen2", "rope_parameters": yarn}, index),
        "wrapped.json": ({"model_type": "interns1", "text_config": {**base, "rope_scaling": llama3}}, index),
        "dynamic.json": ({**base, "model_type": "internlm3", "rope_scaling": {"type": "dynamic", "factor": 6.0},
                          "quantization_config": {"weight_block_size": [128, 128]}}, index),
        "delta.json": ({**base, "model_type": "qwen3_5_moe_text", "num_experts": 4, "num_experts_per_tok": 2,
                        "layer_types": ["linear_attention"], "linear_num_key_heads": 2,
                        "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
                        "linear_conv_kernel_dim": 4, "moe_intermediate_size": 16}, index),
    }
    write(os.path.join(sys.argv[1], "safetensors", "empty.safetensors"), struct.pack("<Q", 2) + b"{}")


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(content)


if __name__ == "__main__":
    main()
