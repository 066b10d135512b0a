#!/usr/bin/env python3
"""Writes engine/unicode_tables.c and engine/unicode_categories.c: what each code point is, as the reference tokenizers see it.

The tokenizers a model was trained with decide what a letter, a number or a blank is, and several Unicode
versions meet in one of them (Oniguruma's classes for the byte-level splits, older tables for the BERT
normaliser, the Rust standard library for lower case). So the tables are not taken from a Unicode release
but asked of the reference, code point by code point; the same text then gives the same ids whatever
GLib is installed.

    python3 unicode_tables.py > engine/unicode_tables.c      (needs: pip install tokenizers==0.23.3)
    python3 unicode_tables.py categories > engine/unicode_categories.c
"""
import sys

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

CPS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def regex_class(expression):
    """Code points that a character class of the reference's regular expressions matches."""
    split = pre_tokenizers.Split(Regex(expression), "removed")
    found = set()
    for i in range(0, len(CPS), 4096):
        block = CPS[i : i + 4096]
        kept = set()
        for _, (start, end) in split.pre_tokenize_str("".join(map(chr, block))):
            kept.update(range(start, end))
        found.update(c for k, c in enumerate(block) if k not in kept)
    return found


def mapped(normalizer):
    out = {}
    for c in CPS:
        r = normalizer.normalize_str(chr(c))
        if r != chr(c):
            out[c] = r
    return out


def probe():
    clean = mapped(normalizers.BertNormalizer(True, False, False, False))
    strip = mapped(normalizers.BertNormalizer(False, False, True, False))
    nfd = normalizers.NFD()
    bert = pre_tokenizers.BertPreTokenizer()
    digits = pre_tokenizers.Digits(True)
    flags = [
        ("LETTER", regex_class(r"\p{L}")),
        ("NUMBER", regex_class(r"\p{N}")),
        ("MARK", regex_class(r"\p{M}")),
        ("PUNCT", regex_class(r"\p{P}")),
        ("SPACE", regex_class(r"\s")),
        ("DIGIT", {c for c in CPS if len(digits.pre_tokenize_str("a" + chr(c) + "a")) == 3}),
        ("BERT_PUNCT", {c for c in CPS if len(bert.pre_tokenize_str("a" + chr(c) + "a")) == 3}),
        ("BERT_DROP", {c for c, r in clean.items() if r == ""}),
        ("BERT_MARK", {c for c, r in strip.items() if r == ""}),
        # a mark of class 240 in front: whatever has a non-zero class moves before it
        ("COMBINING", {c for c in CPS if nfd.normalize_str("a\u0345" + chr(c))[2:] == "\u0345" and c != 0x345} | {0x345}),
        ("DECOMPOSES", {c for c in CPS if nfd.normalize_str(chr(c)) != chr(c) and not 0xAC00 <= c <= 0xD7A3}),
    ]
    return flags, mapped(normalizers.Lowercase())


def lower_runs(lower):
    """(first, last, step, delta): every step-th code point from first to last maps to itself + delta."""
    runs = []
    for c in sorted(lower):
        if len(lower[c]) != 1:
            continue
        delta = ord(lower[c]) - c
        if runs:
            first, last, step, d = runs[-1]
            if d == delta and c - last in ((1, 2) if first == last else (step,)):
                runs[-1] = (first, c, c - last, d)
                continue
        runs.append((c, c, 1, delta))
    return runs


def rows(items, per_line):
    for i in range(0, len(items), per_line):
        print("    " + " ".join(s + "," for s in items[i : i + per_line]))


def categories():
    names = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co".split()
    of = {c: len(names) + 1 for c in range(0x110000)}
    of.update((c, len(names)) for c in range(0xD800, 0xE000))
    for k, name in enumerate(names):
        of.update((c, k) for c in regex_class(r"\p{%s}" % name))
    names += ["Cs", "Cn"]
    segments = [c << 5 | of[c] for c in range(0x110000) if c == 0 or of[c] != of[c - 1]]
    print("/* Written by tests/engine/reference/unicode_tables.py from tokenizers %s; do not edit. */" % tokenizers.__version__)
    print('#include "engine/unicode.h"\n')
    print("/* clang-format off */")
    print("const char unicode_category_names[][3] = {")
    rows(['"%s"' % n for n in names], 15)
    print("};")
    print("const size_t unicode_n_category_names = G_N_ELEMENTS(unicode_category_names);\n")
    print("/* Where the general category changes: first code point << 5 | its name's place. */")
    print("const uint32_t unicode_categories[] = {")
    rows(["0x%x" % x for x in segments], 12)
    print("};")
    print("const size_t unicode_n_categories = G_N_ELEMENTS(unicode_categories);")
    print("/* clang-format on */")


def main():
    flags, lower = probe()
    wide = [c for c in lower if len(lower[c]) != 1]
    assert wide == [0x130] and lower[0x130] == "i\u0307", wide
    segments, last = [], None
    for c in range(0x110000):
        bits = sum(1 << k for k, (_, found) in enumerate(flags) if c in found)
        if bits != last:
            segments.append((c << len(flags)) | bits)
            last = bits
    runs = lower_runs(lower)
    print("/* Written by tests/engine/reference/unicode_tables.py from tokenizers %s; do not edit. */" % tokenizers.__version__)
    print('#include "engine/unicode.h"\n')
    print("/* clang-format off */")
    print("/* Where the class changes: first code point << %d | flags, up to the next entry's. Flags, from bit 0:" % len(flags))
    print(" * %s. */" % " ".join(n for n, _ in flags))
    print("const uint32_t unicode_segments[] = {")
    rows(["0x%x" % s for s in segments], 10)
    print("};")
    print("const size_t unicode_n_segments = G_N_ELEMENTS(unicode_segments);\n")
    print("/* The same flags of the first 128 code points, without a search. */")
    print("const uint16_t unicode_ascii[128] = {")
    rows(["0x%x" % sum(1 << k for k, (_, found) in enumerate(flags) if c in found) for c in range(128)], 16)
    print("};\n")
    print("/* Simple lower case: every step-th code point of first .. last moves by delta. */")
    print("const unicode_lower_run unicode_lower_runs[] = {")
    rows(["{0x%x, 0x%x, %d, %d}" % r for r in runs], 5)
    print("};")
    print("const size_t unicode_n_lower_runs = G_N_ELEMENTS(unicode_lower_runs);")
    print("/* clang-format on */")
    print(len(segments), "segments,", len(runs), "lower runs", file=sys.stderr)


if __name__ == "__main__":
    categories() if sys.argv[1:] == ["categories"] else main()
