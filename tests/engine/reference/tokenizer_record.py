#!/usr/bin/env python3
"""Records what the reference tokenizers make of the lines of tokenizer_lines.py.

    python3 tokenizer_record.py MODELS      (needs: pip install tokenizers gguf; MODELS as LODE_MODELS)

Writes to tests/data/engine:
    tiny_bpe/tokenizer.json, tiny_wordpiece/{tokenizer.json,vocab.txt}    trained on the lines
    pre_tokenizers.json                                                   of those streams that are steps
    ids_STREAM.u32   per 4 lines one FNV-1a over their ids, little-endian
Training breaks ties as it likes, so the tiny tokenizers are trained only where they are missing. Streams
minilm and smollm2 are the real models; tiny_* need only the files above. tiny_bpe is recorded once per
pre-tokenizer we know."""
import json
import os
import struct
import sys

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from tokenizer_lines import group_hashes, lines

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../data/engine")
PER_GROUP = 4
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN35 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
          r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
DEFAULT = [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"]


# Letters with a case, as DeepSeek's first models list them: code points in hexadecimal
CASED = (
    "41-5a 61-7a b5 c0-d6 d8-f6 f8-1ba 1bc-1bf 1c4-293 295-2af 370-373 376 377 37b-37d 37f 386 388-38a 38c 38e-3a1 "
    "3a3-3f5 3f7-481 48a-52f 531-556 10a0-10c5 13a0-13f5 13f8-13fd 1c90-1cba 1cbd-1cbf 1d00-1d2b 1d6b-1d77 1d79-1d9a "
    "1e00-1f15 1f18-1f1d 1f20-1f45 1f48-1f4d 1f50-1f57 1f59 1f5b 1f5d 1f5f-1f7d 1f80-1fb4 1fb6-1fbc 1fbe 1fc2-1fc4 "
    "1fc6-1fcc 1fd0-1fd3 1fd6-1fdb 1fe0-1fec 1ff2-1ff4 1ff6-1ffc 2102 2107 210a-2113 2115 2119-211d 2124 2126 2128 "
    "212a-212d 212f-2134 2139 213c-213f 2145-2149 214e 2183 2184 2c00-2c7b 2c7e-2ce4 2ceb-2cee 2cf2 2cf3 a640-a66d "
    "a680-a69b a722-a76f a771-a787 a78b-a78e ab70-abbf fb00-fb06 fb13-fb17 ff21-ff3a ff41-ff5a 10400-1044f 104b0-104d3 "
    "104d8-104fb 10c80-10cb2 10cc0-10cf2 118a0-118df 1e900-1e943")
CASED = "".join("-".join(chr(int(end, 16)) for end in part.split("-")) for part in CASED.split())
HAN = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
DEEPSEEK_LLM = [r"[\r\n]", r"\s?[" + CASED + "]+",
                "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+",
                r"\s+$", HAN, r"\p{N}+"]
DEEPSEEK_CODER = [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", HAN, r"\p{N}"]
DEEPSEEK_V3 = [r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
               r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
               r"""| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""]
FALCON = [r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"]


def regex_split(*patterns):
    steps = [pre_tokenizers.Split(Regex(p), "isolated") for p in patterns]
    return pre_tokenizers.Sequence(steps + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


SPLITS = {
    "gpt2": pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                       pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]),
    "qwen2": regex_split(QWEN2),
    "qwen35": regex_split(QWEN35),
    "llama3": regex_split(LLAMA3),
    "default": regex_split(*DEFAULT),
    "deepseek_llm": regex_split(*DEEPSEEK_LLM),
    "deepseek_coder": regex_split(*DEEPSEEK_CODER),
    "deepseek_v3": regex_split(*DEEPSEEK_V3),
    "falcon": regex_split(*FALCON),
    # as the model's own tokenizer.json has it: steps behind ByteLevel cut its alphabet
    "falcon_hf": pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")]),
    "steps": pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"\s+"), "merged_with_next"), pre_tokenizers.Split("e", "merged_with_previous"),
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Split(Regex(r"\p{Lu}+"), "contiguous", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
    "words": pre_tokenizers.Sequence([
        pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
}
STEPS = ("deepseek_v3", "falcon_hf", "steps", "words")  # from tokenizer.json; the others by their names in GGUF


def record(name, tokenizer, texts):
    tokenizer.no_truncation()
    tokenizer.no_padding()
    ids = [e.ids for e in tokenizer.encode_batch(texts)]
    hashes = group_hashes(ids, PER_GROUP)
    with open(os.path.join(DATA, "ids_%s.u32" % name), "wb") as f:
        f.write(struct.pack("<%dI" % len(hashes), *hashes))
    print(name, sum(map(len, ids)), "ids")
    return ids


def smollm2(path):
    import gguf

    reader = gguf.GGUFReader(path)
    get = lambda key: reader.fields["tokenizer.ggml." + key].contents()
    tokens, types = get("tokens"), get("token_type")
    vocab = {t: i for i, t in enumerate(tokens)}
    tok = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(m.split(" ")) for m in get("merges")]))
    tok.add_special_tokens([AddedToken(t, special=True, normalized=False) for t, k in zip(tokens, types) if k == 3])
    tok.pre_tokenizer = SPLITS["smollm"]
    return tok


def save(tokenizer, folder):
    os.makedirs(os.path.join(DATA, folder), exist_ok=True)
    with open(os.path.join(DATA, folder, "tokenizer.json"), "w", encoding="utf-8") as f:
        json.dump(json.loads(tokenizer.to_str()), f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


def saved(folder):
    path = os.path.join(DATA, folder, "tokenizer.json")
    return Tokenizer.from_file(path) if os.path.exists(path) else None


def tiny_bpe(texts):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = SPLITS["gpt2"]
    trainer = trainers.BpeTrainer(vocab_size=900, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"], show_progress=False)
    tok.train_from_iterator(texts, trainer)
    save(tok, "tiny_bpe")
    return tok


def tiny_wordpiece(texts):
    tok = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tok.normalizer = normalizers.BertNormalizer(lowercase=True)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tok.train_from_iterator(texts, trainers.WordPieceTrainer(
        vocab_size=2600, limit_alphabet=1900, special_tokens=special, show_progress=False))
    tok.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    save(tok, "tiny_wordpiece")
    vocab = sorted(tok.get_vocab().items(), key=lambda kv: kv[1])
    with open(os.path.join(DATA, "tiny_wordpiece/vocab.txt"), "w", encoding="utf-8", newline="\n") as f:
        f.write("".join(token + "\n" for token, _ in vocab))
    return tok


def main():
    texts = [b.decode("utf-8", "replace") for b in lines()]
    tok = saved("tiny_bpe") or tiny_bpe(texts)
    for name, split in SPLITS.items():
        tok.pre_tokenizer = split
        record("tiny_bpe_" + name, tok, texts)
    steps = {}  # the pre_tokenizer of those that are run step by step
    for name in STEPS:
        tok.pre_tokenizer = SPLITS[name]
        steps["tiny_bpe_" + name] = json.loads(tok.to_str())["pre_tokenizer"]
    with open(os.path.join(DATA, "pre_tokenizers.json"), "w", encoding="utf-8") as f:
        json.dump(steps, f, indent=1)
        f.write("\n")
    half = json.loads(tok.to_str())["model"]  # tokens that only ignore_merges can reach
    merges = [tuple(m) for m in half["merges"]]
    short = Tokenizer(models.BPE(half["vocab"], merges[: len(merges) // 2], ignore_merges=True))
    short.pre_tokenizer = SPLITS["llama3"]
    short.add_special_tokens([AddedToken(t, special=True, normalized=False)
                              for t in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")])
    record("tiny_bpe_ignore_merges", short, texts)
    added = Tokenizer.from_str(tok.to_str())
    added.pre_tokenizer = SPLITS["gpt2"]
    added.add_tokens([AddedToken("<file_sep>", normalized=False, lstrip=True, rstrip=True),
                      AddedToken("model", normalized=False, single_word=True)])
    record("tiny_bpe_added", added, texts)
    tok.pre_tokenizer, tok.normalizer = SPLITS["qwen2"], normalizers.NFC()
    record("tiny_bpe_qwen2_nfc", tok, texts)

    tok = saved("tiny_wordpiece") or tiny_wordpiece(texts)
    record("tiny_wordpiece", tok, texts)
    tok.normalizer = normalizers.BertNormalizer(lowercase=False)
    record("tiny_wordpiece_cased", tok, texts)
    tok.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False, clean_text=False,
                                                handle_chinese_chars=False)
    record("tiny_wordpiece_accents", tok, texts)
    if len(sys.argv) > 1:
        record("minilm", Tokenizer.from_file(os.path.join(sys.argv[1], "all-MiniLM-L6-v2/tokenizer.json")), texts)
        record("smollm2", smollm2(os.path.join(sys.argv[1], "SmolLM2-135M-Instruct.Q4_1.gguf")), texts)


if __name__ == "__main__":
    main()
