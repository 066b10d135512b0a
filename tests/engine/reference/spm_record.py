#!/usr/bin/env python3
"""Records what SentencePiece, and tokenizers for the same models, make of the lines of tokenizer_lines.py.

    python3 spm_record.py      (needs: pip install sentencepiece tokenizers)

Writes to tests/data/engine:
    tiny_spm/NAME.model    trained on the lines where missing: training breaks ties as it likes
    tiny_spm/NAME.json     its pieces as [[text, score, type], ...], for files of other formats
    ids_spm_*.u32          per 4 lines one FNV-1a over their ids, as in tokenizer_record.py

NAME is bpe (byte fallback, as Llama and InternLM have it), bpe_rules (no bytes; normalisation rules, runs of
blanks become one, user-defined pieces), bpe_blanks (pieces may hold several words) and unigram (rules, bytes)
and unigram_unk (no bytes)."""
import collections
import io
import json
import os
import tempfile

import sentencepiece as spm
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from tokenizer_lines import lines
from tokenizer_record import DATA, record

FOLDER = os.path.join(DATA, "tiny_spm")
USER = ["<sep>", "H2O", "e.g."]
# NFKC and the like, as far as these lines need them: from, to (hexadecimal code points)
RULES = [("FB01", "66 69"), ("FB02", "66 6C"), ("E9", "65"), ("65 301", "65"), ("3000", "20"), ("A0", "20"),
         ("9", "20"), ("A", "20"), ("200B", ""), ("2026", "2E 2E 2E"), ("FF21", "41"), ("B5", "3BC"),
         ("212B", "C5"), ("2003", "20 20"), ("41 42", "43")]


def train(name, texts, **options):
    path = os.path.join(FOLDER, name + ".model")
    if os.path.exists(path):
        return path
    out = io.BytesIO()
    spm.SentencePieceTrainer.train(sentence_iterator=iter(texts), model_writer=out, num_threads=1, minloglevel=2,
                                   hard_vocab_limit=False, **options)
    with open(path, "wb") as f:
        f.write(out.getvalue())
    return path


def train_all(texts):
    plain = dict(normalization_rule_name="identity", remove_extra_whitespaces=False, byte_fallback=True,
                 character_coverage=1.0, split_digits=True, vocab_size=1000)
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        rules.write("".join("%s\t%s\n" % rule for rule in RULES))
        rules.flush()
        ruled = dict(normalization_rule_tsv=rules.name, user_defined_symbols=USER, character_coverage=1.0)
        return {
            "bpe": train("bpe", texts, model_type="bpe", **plain),
            "bpe_rules": train("bpe_rules", texts, model_type="bpe", vocab_size=800, **ruled),
            "bpe_blanks": train("bpe_blanks", texts, model_type="bpe", split_by_whitespace=False,
                                add_dummy_prefix=False, **{**plain, "vocab_size": 900}),
            "unigram": train("unigram", texts, model_type="unigram", vocab_size=900, byte_fallback=True, **ruled),
            "unigram_unk": train("unigram_unk", texts, model_type="unigram",
                                 **{**plain, "vocab_size": 700, "byte_fallback": False}),
        }


def pieces_of(sp):
    def kind(i):
        tests = ((sp.IsUnknown, 2), (sp.IsControl, 3), (sp.IsUnused, 5), (sp.IsByte, 6))
        return next((number for test, number in tests if test(i)), 4 if sp.IdToPiece(i) in USER else 1)

    return [[sp.IdToPiece(i), sp.GetScore(i), kind(i)] for i in range(sp.GetPieceSize())]


class Ids:
    def __init__(self, ids):
        self.ids = ids


class Reference:
    """SentencePiece with the interface that record() asks for."""

    def __init__(self, sp):
        self.sp = sp
        self.no_truncation = self.no_padding = lambda: None

    def encode_batch(self, texts):
        return [Ids(self.sp.EncodeAsIds(t)) for t in texts]


def merges_of(pieces):
    """As converters extract them: every way to cut a piece in two, the best piece first."""
    vocab = {p[0]: i for i, p in enumerate(pieces)}
    merges = []
    for text, score, kind in pieces:
        if kind != 1:
            continue
        cuts = [(text[:i], text[i:]) for i in range(1, len(text)) if text[:i] in vocab and text[i:] in vocab]
        merges += [(score, vocab[a], vocab[b], (a, b)) for a, b in cuts]
    merges.sort(key=lambda m: (-m[0], m[1], m[2]))
    return [m[3] for m in merges]


def huggingface(pieces):
    vocab = {p[0]: i for i, p in enumerate(pieces)}
    tok = Tokenizer(models.BPE(vocab, merges_of(pieces), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return tok


def save_json(tok, name):
    with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as f:
        json.dump(json.loads(tok.to_str()), f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


def main():
    os.makedirs(FOLDER, exist_ok=True)
    texts = [b.decode("utf-8", "replace") for b in lines()]
    count = collections.Counter("".join(texts))
    common = {c for c, n in count.items() if n >= 60 and c.isprintable()}
    one_line = ["".join(c if c in common else " " for c in t) for t in texts]
    for name, path in train_all(one_line).items():
        sp = spm.SentencePieceProcessor(model_file=path)
        pieces = pieces_of(sp)
        with open(os.path.join(FOLDER, name + ".json"), "w", encoding="utf-8") as f:
            json.dump(pieces, f, ensure_ascii=False, separators=(",", ":"))
            f.write("\n")
        record("spm_" + name, Reference(sp), texts)
        if name == "bpe":
            tok = huggingface(pieces)
            save_json(tok, "llama_tokenizer.json")
            record("spm_hf", tok, texts)
            tok.normalizer = None
            for scheme, split in (("first", False), ("always", True), ("never", True)):
                tok.pre_tokenizer = pre_tokenizers.Metaspace("▁", scheme, split)
                record("spm_hf_" + scheme, tok, texts)
        if name == "unigram_unk":
            scores = [(p[0], p[1]) for p in pieces]
            tok = Tokenizer(models.Unigram(scores, unk_id=0))
            tok.pre_tokenizer = pre_tokenizers.Metaspace("▁", "always", True)
            record("spm_hf_unigram", tok, texts)


if __name__ == "__main__":
    main()
