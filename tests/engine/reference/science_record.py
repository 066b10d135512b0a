#!/usr/bin/env python3
"""Where Intern-S1's tokenizer sees molecules and proteins: tests/data/engine/science_stretches.json.

    science_record.py OUT

The rules are those of InternS1Tokenizer in Hugging Face transformers (without RDKit), written down once more with regular
expressions; tokenizer_detect.c walks. Each record is [text, [[start, end], ...] molecules, [[start, end], ...] proteins] in
bytes. Texts are real molecules, their pieces put together at random, and near misses. Needs the package regex."""
import json
import random
import sys

import regex

SINGLE = "B C F H I K N O P S U V W Y b c n o p s".split()
DOUBLE = """Ac Ag Al Am Ar As At Au Ba Be Bh Bi Bk Br Ca Cd Ce Cf Cl Cm Cn Co Cr Cs Cu Db Ds Dy Er Es Eu Fe Fl Fm Fr
Ga Gd Ge He Hf Hg Ho Hs In Ir Kr La Li Lr Lu Lv Mc Md Mg Mn Mo Mt Na Nb Nd Ne Nh Ni No Np Og Os Pa Pb Pd Pm Po Pr Pt Pu
Ra Rb Re Rf Rg Rh Rn Ru Sb Sc Se Sg Si Sm Sn Sr Ta Tb Tc Te Th Ti Tl Tm Ts Xe Yb Zn Zr""".split()
UNIT = r"(?:\[[^\]]+\]|" + "|".join(DOUBLE + SINGLE) + r"|[().=\-#@0-9$%*:+/\\])"
MOLECULE = regex.compile(r"(?![:.=])(?>" + UNIT + r"){10,}(?<![:.=])")
PROTEIN = regex.compile(r"[A-Z]{27,}")
BONDS = "-=#:/\\.$"


def atoms_named(s):
    for inner in regex.findall(r"\[([^\[\]]*)\]", s):
        if not inner or "(" in inner or ")" in inner:
            return False
        if inner[0] in SINGLE or inner[:2] in DOUBLE:
            return True
    return True


def makes_sense(s):
    if sum(c.isascii() and c.isalpha() for c in s) < 5 or s[0] in BONDS or s[-1] in BONDS:
        return False
    squares, rounds, rings, n_rings, at = 0, 0, set(), 0, 0
    capital = False
    first_close = s.find("]")
    while at < len(s):
        c, step = s[at], 1
        capital = capital or c.isascii() and c.isupper()
        if c in BONDS and at > 0 and s[at - 1] in BONDS:
            return False
        if c == "[":
            squares += 1
            inner = s[at + 1:first_close] if first_close > at else ""
            if squares > 1 or "]" not in s[at + 1:]:
                return False
            if regex.search("[A-GI-Za-z]{3}|[0-9]{4}", inner) or len(regex.findall("[0-9]+", inner)) > 2:
                return False
        elif c == "]":
            squares -= 1
            if squares < 0:
                return False
        elif c in "()":
            rounds += 1 if c == "(" else -1
            if rounds < 0:
                return False
        elif squares == 0 and c in "0123456789":
            n_rings += 1
            if "%" not in s[max(at - 2, 0):at]:
                rings ^= {c}
        elif squares == 0 and c == "%":
            number = s[at + 1:at + 3]
            if not regex.fullmatch("[0-9][0-9]", number):
                return False
            n_rings += 1
            rings ^= {"%" + number}
            step = 3
        elif squares == 0 and s[at:at + 2] in ("Cl", "Br"):
            step = 2
        elif squares == 0 and c not in "BCNOPSFIbcnosp;" + BONDS:
            return False
        at += step
    return squares == 0 and not rings and (capital or n_rings >= 2) and atoms_named(s)


def stretches(text):
    molecules = []
    for m in MOLECULE.finditer(text):
        around = text[max(m.start() - 1, 0):m.start()] + text[m.end():m.end() + 1]
        if makes_sense(m.group()) and not any(c.isascii() and c.isalpha() for c in around):
            molecules.append(m.span())
    return molecules, [m.span() for m in PROTEIN.finditer(text)]


REAL = """CC1=CC=CC=C1C=O CC(=O)OC1=CC=CC=C1C(=O)O CN1C=NC2=C1C(=O)N(C(=O)N2C)C c1ccccc1-c1ccncc1 N[C@@H](C)C(=O)NCC(=O)O
[Na+].[Cl-].CCCCCCO CC(C)Cc1ccc(cc1)C(C)C(=O)O C%10CCCCCCCC%10O O=C(O)c1ccc(Br)cc1Cl F/C=C/C=C/CCCCCO [2H]C([2H])([2H])CCCCC
CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSR MKTAYIAKQRQISFVKSHFSRQLEER C1CCCCC1.C1CCCCC1
CCO(CC)=CC==CCCC CC(C(C(C(C(C( [CCCC]CCCCCCCCC [12345C]CCCCCCCCC C1CCCCCCCCCC C[](CCCCCCCC) :CCCCCCCCCCC: CCCCCCCCC ccccccccccc
c1ccccc1ccccc introspection 1234567890 (2023)10.1002/anie.2023 HOCOSCNCOCHCl HTTP://WWW.NIH.GOV C-C-C-C-C-C-C NNNNNNNNNNNNNNNNNNNNNNNNNNNNN
[CH3:1][CH2:2]CCCCCCCCO [C(C)]CCCCCCCC [Xx]CCCCCCCCC [Xx][C][()]CCCCCCCCC C[[C]CCCCCCCCC]""".split()


def main(out):
    rng = random.Random(7)
    texts = ["", "no chemistry"] + REAL + [f"see {s}, and {t}." for s, t in zip(REAL, REAL[1:])]
    texts += [f"x{s}" for s in REAL] + [f"{s}µ" for s in REAL] + [f"{s}y" for s in REAL]
    pieces = list("CCCNOcnsF()()[]=#-:./\\%123012@+ *;") + ["Cl", "Br", "[nH]", "[C@H]", "c1ccccc1", "(=O)", "C(F)", "%11", "[é]"]
    texts += ["".join(rng.choice(pieces) for _ in range(rng.randrange(10, 40))) for _ in range(400)]
    for s in REAL:
        for _ in range(6):
            at = rng.randrange(len(s))
            texts.append(s[:at] + rng.choice(pieces) + s[at + rng.randrange(2):])
    records = []
    for text in texts:
        found = stretches(text)
        in_bytes = [[[len(text[:a].encode()), len(text[:b].encode())] for a, b in kind] for kind in found]
        records.append([text] + in_bytes)
    with open(out, "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) for r in records) + "\n]\n")
    print(sum(bool(r[1]) for r in records), "with molecules,", sum(bool(r[2]) for r in records), "with proteins of", len(records))


if __name__ == "__main__":
    main(sys.argv[1])
