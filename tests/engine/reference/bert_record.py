#!/usr/bin/env python3
"""Records what PyTorch (float32) makes of some texts with a BERT encoder, pooling and normalisation.

    python3 bert_record.py [MODELS]      (needs: pip install torch transformers safetensors; MODELS as LODE_MODELS)

Writes to tests/data/engine:
    bert_texts.json               the texts
    tiny_bert/                    a random encoder small enough to keep, as sentence-transformers would save it
    tiny_bert_mean.f32, tiny_bert_cls.f32   [n_texts, 32] mean + Normalize, and [CLS] alone
    tiny_cross/                   a random cross-encoder beside it; its vocabulary is tiny_bert's
    tiny_cross.f32                [n_texts, n_texts'] logits of (each of some texts as query, every text)
    minilm_vectors.f32            [n_texts, 384] all-MiniLM-L6-v2, with MODELS only"""
import json
import os
import sys

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, BertModel

from tokenizer_lines import line, load_words

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../data/engine")

SENTENCES = [
    "", " ", "a", "The quick brown fox jumps over the lazy dog.",
    "We present a transformer model for predicting crystal structures.",
    "How does the attention mechanism scale with sequence length?",
    "The Hamiltonian is diagonalised in a plane-wave basis with a cutoff of 500 eV.",
    "E = mc^2", "$\\alpha_{i,j} \\leq \\sum_{k=1}^{n} x_k$", "∂ψ/∂t = −iĤψ/ħ", "x² + y² = 10⁻³ µm",
    "我们提出了一种新的神经网络模型。", "注意力机制在量子力学中的应用", "データとモデル", "논문의 결과",
    "данные и модель", "نموذج البيانات", "naïve Schrödinger façade Erdős Ångström",
    "for (size_t i = 0; i < n; i++) sum += a[i] * b[i];", "https://example.org/paper?id=12345#section",
    "!!! ??? ...", "👩‍🔬 🧬 ⚛️", "tab\tnewline\ncarriage\rreturn", "supercalifragilisticexpialidocious" * 4,
    "1 2 3 4 5 6 7 8 9 10", "UPPER CASE TEXT", "mixed 中文 and English 混合 text", "a.b.c.d.e.f",
    "photoluminescence of CdSe/ZnS quantum dots at 4 K", "Table 3: results (mean ± s.d., n = 12)",
]


def texts():
    words, fragments = load_words()
    out = list(SENTENCES)
    for n in (3, 17, 29, 41):
        text = line(n, words, fragments).decode("utf-8", "replace").replace("\0", "")
        out.append(text.replace("[", "(").replace("]", ")"))
    plain = " ".join(w.decode() for w in words[:120])
    out.append(plain)                                       # some 150 tokens
    out.append("the energy of the system is low . " * 31)   # close to 256
    out.append((plain + " ") * 3)                           # cut at 256
    out.append("word " * 5000)                              # cut
    out.append("数据模型方法" * 60)                          # cut
    out.append("last one, with a trailing blank ")
    return out


def tiny_tokenizer(folder):
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)] + list("0123456789.,=()")
    words = ["the", "model", "of", "energy", "##el", "##er", "##ing", "中", "数"]
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + letters + ["##" + c for c in letters[:26]] + words
    with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8", newline="\n") as f:
        f.write("".join(v + "\n" for v in vocab))
    tok = Tokenizer(models.WordPiece({v: i for i, v in enumerate(vocab)}, unk_token="[UNK]"))
    tok.normalizer = normalizers.BertNormalizer(lowercase=True)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return tok, len(vocab)


def write_json(folder, name, value):
    os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False, indent=1)
        f.write("\n")


def tiny_bert():
    folder = os.path.join(DATA, "tiny_bert")
    os.makedirs(folder, exist_ok=True)
    tok, n_vocab = tiny_tokenizer(folder)
    config = BertConfig(vocab_size=n_vocab, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                        intermediate_size=56, max_position_embeddings=64, hidden_act="gelu")
    torch.manual_seed(7)
    model = BertModel(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape) * 0.2)
    # float32 but short of noise: the low mantissa bits are dropped so that the file compresses
    state = {k: (v.view(torch.int32) & ~0xFFF).view(torch.float32).contiguous()
             for k, v in model.state_dict().items() if v.dtype == torch.float32}
    model.load_state_dict(state, strict=False)
    save_file(state, os.path.join(folder, "model.safetensors"))
    write_json(folder, "config.json", {
        "architectures": ["BertModel"], "model_type": "bert", "vocab_size": n_vocab, "hidden_size": 32,
        "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 56, "hidden_act": "gelu",
        "max_position_embeddings": 64, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0})
    write_json(folder, "modules.json", [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])
    write_json(folder, "1_Pooling/config.json", {"word_embedding_dimension": 32, "pooling_mode_cls_token": False,
                                                 "pooling_mode_mean_tokens": True})
    write_json(folder, "sentence_bert_config.json", {"max_seq_length": 48, "do_lower_case": False})
    return tok, model


def vectors(tok, model, all_texts, max_len, cls=False):
    tok.enable_truncation(max_len)
    tok.no_padding()
    rows = []
    with torch.no_grad():
        for text in all_texts:
            ids = torch.tensor([tok.encode(text).ids])
            hidden = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
            rows.append(hidden[0] if cls else torch.nn.functional.normalize(hidden.mean(0), dim=0))
    return torch.stack(rows)


CROSS_QUERIES = (0, 3, 5, 36, 39)  # nothing, two questions, some 50 tokens, too many


def tiny_cross(tok, all_texts):
    """As cross-encoder/ms-marco-MiniLM: BertForSequenceClassification with one label."""
    folder = os.path.join(DATA, "tiny_cross")
    config = BertConfig(vocab_size=tok.get_vocab_size(), hidden_size=32, num_hidden_layers=1, num_attention_heads=4,
                        intermediate_size=40, max_position_embeddings=64, hidden_act="gelu", num_labels=1)
    torch.manual_seed(11)
    model = BertForSequenceClassification(config).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape) * 0.2)
    state = {k: (v.view(torch.int32) & ~0xFFF).view(torch.float32).contiguous()
             for k, v in model.state_dict().items() if v.dtype == torch.float32}
    model.load_state_dict(state, strict=False)
    write_json(folder, "config.json", {
        "architectures": ["BertForSequenceClassification"], "model_type": "bert", "vocab_size": config.vocab_size,
        "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 40,
        "hidden_act": "gelu", "max_position_embeddings": 64, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
        "pad_token_id": 0, "id2label": {"0": "LABEL_0"}})
    save_file(state, os.path.join(folder, "model.safetensors"))
    tok.no_truncation()
    rows = []
    with torch.no_grad():
        for query in CROSS_QUERIES:
            first = tok.encode(all_texts[query]).ids
            if len(first) > 32:  # half of the context, and [SEP] stays
                first = first[:31] + [3]
            row = []
            for text in all_texts:
                ids = (first + tok.encode(text, add_special_tokens=False).ids)[:63] + [3]
                types = torch.tensor([[0] * len(first) + [1] * (len(ids) - len(first))])
                ids = torch.tensor([ids])
                row.append(model(input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=types).logits[0, 0])
            rows.append(torch.stack(row))
    return torch.stack(rows)


def write_vectors(name, rows):
    with open(os.path.join(DATA, name), "wb") as f:
        f.write(rows.numpy().astype("<f4").tobytes())
    print(name, tuple(rows.shape))


def main():
    all_texts = texts()
    assert not any("\0" in t for t in all_texts)
    write_json(DATA, "bert_texts.json", all_texts)
    tok, model = tiny_bert()
    write_vectors("tiny_bert_mean.f32", vectors(tok, model, all_texts, 48))
    write_vectors("tiny_bert_cls.f32", vectors(tok, model, all_texts, 48, cls=True))
    write_vectors("tiny_cross.f32", tiny_cross(tok, all_texts))
    if len(sys.argv) > 1:
        folder = os.path.join(sys.argv[1], "all-MiniLM-L6-v2")
        model = BertModel.from_pretrained(folder, attn_implementation="eager").float().eval()
        write_vectors("minilm_vectors.f32",
                      vectors(Tokenizer.from_file(os.path.join(folder, "tokenizer.json")), model, all_texts, 256))


if __name__ == "__main__":
    main()
