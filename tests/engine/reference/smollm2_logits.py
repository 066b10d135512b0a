#!/usr/bin/env python3
"""Record what SmolLM2-135M-Instruct answers in float32: tests/data/engine/smollm2_logits.json.

    smollm2_logits.py SmolLM2-135M-Instruct.Q4_1.gguf OUT.json

The GGUF file's weights are dequantised by the `gguf` package to float32, the rotary row order of Wq and Wk is
undone, and transformers' LlamaForCausalLM runs them in float32. So the reference shares with the engine
nothing but the file. Needs gguf, torch, transformers, numpy.

For each prompt (token ids; the texts below were encoded with the file's own vocabulary, through the
`tokenizers` package) it stores of the last position: the largest logit magnitude, the 200 largest logits, 300
further ones drawn with a fixed seed; and 64 greedy tokens with the smallest gap between best and second-best
on the way. A gap below 1e-4 of the largest logit is a near tie that float32 itself may break either way: the
recorder refuses such a prompt, so that "same tokens" is a fair demand.
"""

import json
import sys

import gguf
import numpy as np
import torch
from gguf.quants import dequantize
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

PROMPTS = [
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n",
    "The mitochondrion is an organelle found in the cells of most eukaryotes. It is often called the "
    "powerhouse of the cell because",
    "<|im_start|>user\nList three uses of a PDF parser.<|im_end|>\n<|im_start|>assistant\n",
]
N_GREEDY = 64


def build_tokenizer(reader):
    field = lambda key: reader.fields[key].contents()
    tokens, merges = field("tokenizer.ggml.tokens"), field("tokenizer.ggml.merges")
    types = field("tokenizer.ggml.token_type")
    tok = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, [tuple(m.split(" ")) for m in merges]))
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tok.decoder = decoders.ByteLevel()
    tok.add_special_tokens([t for t, kind in zip(tokens, types) if kind == 3])
    return tok


def build_model(reader):
    field = lambda key: reader.fields[key].contents()
    heads, kv_heads = field("llama.attention.head_count"), field("llama.attention.head_count_kv")
    layers = field("llama.block_count")
    weights = {t.name: torch.from_numpy(np.array(dequantize(t.data, t.tensor_type), dtype=np.float32))
               for t in reader.tensors}

    def unpermute(w, n):
        rows, cols = w.shape
        return w.reshape(n, rows // n // 2, 2, cols).swapaxes(1, 2).reshape(rows, cols)

    state = {"model.embed_tokens.weight": weights["token_embd.weight"],
             "lm_head.weight": weights["token_embd.weight"],
             "model.norm.weight": weights["output_norm.weight"]}
    for i in range(layers):
        src, dst = f"blk.{i}.", f"model.layers.{i}."
        state[dst + "self_attn.q_proj.weight"] = unpermute(weights[src + "attn_q.weight"], heads)
        state[dst + "self_attn.k_proj.weight"] = unpermute(weights[src + "attn_k.weight"], kv_heads)
        state[dst + "self_attn.v_proj.weight"] = weights[src + "attn_v.weight"]
        state[dst + "self_attn.o_proj.weight"] = weights[src + "attn_output.weight"]
        for name in ("gate", "up", "down"):
            state[dst + f"mlp.{name}_proj.weight"] = weights[src + f"ffn_{name}.weight"]
        state[dst + "input_layernorm.weight"] = weights[src + "attn_norm.weight"]
        state[dst + "post_attention_layernorm.weight"] = weights[src + "ffn_norm.weight"]
    config = LlamaConfig(
        vocab_size=weights["token_embd.weight"].shape[0], hidden_size=field("llama.embedding_length"),
        intermediate_size=field("llama.feed_forward_length"), num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv_heads,
        rms_norm_eps=field("llama.attention.layer_norm_rms_epsilon"),
        rope_theta=field("llama.rope.freq_base"), max_position_embeddings=field("llama.context_length"),
        tie_word_embeddings=True, attn_implementation="eager")
    rope = getattr(config, "rope_parameters", None)
    if rope is not None:  # transformers 5
        rope["rope_theta"] = field("llama.rope.freq_base")
    model = LlamaForCausalLM(config).eval()
    model.load_state_dict(state)
    return model


def record(model, tok, text):
    ids = tok.encode(text).ids
    with torch.no_grad():
        step = model(torch.tensor([ids]), use_cache=True)
        logits = step.logits[0, -1].numpy().copy()
        greedy, gap = [], float("inf")
        while True:
            out = step.logits[0, -1]
            best = torch.topk(out, 2)
            gap = min(gap, float((best.values[0] - best.values[1]) / out.abs().max()))
            greedy.append(int(best.indices[0]))
            if len(greedy) == N_GREEDY or greedy[-1] in (0, 2):
                break
            step = model(torch.tensor([greedy[-1:]]), past_key_values=step.past_key_values, use_cache=True)
    if gap < 1e-4:
        sys.exit(f"near tie (gap {gap:.1e}) after {len(greedy)} tokens: choose another prompt for {text[:40]!r}")
    order = np.argsort(-logits, kind="stable")
    rest = np.sort(np.random.RandomState(1).choice(order[200:], 300, replace=False))
    pick = [int(i) for i in order[:200]] + [int(i) for i in rest]
    return {"text": text, "ids": ids, "max_abs": float(np.abs(logits).max()),
            "logits": [[i, round(float(logits[i]), 5)] for i in pick],
            "greedy": greedy, "greedy_text": tok.decode(greedy), "smallest_gap": gap}


def main():
    torch.manual_seed(0)
    reader = gguf.GGUFReader(sys.argv[1])
    model, tok = build_model(reader), build_tokenizer(reader)
    records = [record(model, tok, text) for text in PROMPTS]
    for r in records:
        print(len(r["ids"]), "tokens, gap", r["smallest_gap"], repr(r["greedy_text"][:100]))
    with open(sys.argv[2], "w") as f:
        json.dump({"prompts": records}, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
