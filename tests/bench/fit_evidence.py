#!/usr/bin/env python3
"""Fit the weights by which sentences are chosen as evidence.

    bench_answers features LIBRARY QUESTIONS.jsonl > features.jsonl
    fit_evidence.py QUESTIONS.jsonl features.jsonl > weights.h    in the form of pipelines/evidence_weights.h

Of each question the sentences compete: softmax over the linear score, and the expected token F1 of the chosen
sentence with the answer is what is made large (gradient ascent, L2 penalty). Without the embedder the cosine's
weight is fixed at 0. The bias puts the median winning score of questions whose winner is right at 0.75. Five
folds by document tell how well it does on papers it has not seen (stderr); the weights come from all of them.
Needs numpy."""
import collections
import json
import re
import string
import sys

import numpy as np

NAMES = ["coverage", "passage", "around", "pairs", "cosine", "rank", "document", "number", "date", "name",
         "reason", "lower", "open", "short", "long", "echo", "question", "reference"]
COSINE = NAMES.index("cosine")


def tokens(text):
    text = re.sub(r"\b(a|an|the)\b", " ", "".join(c for c in text.lower() if c not in string.punctuation))
    return text.split()


def f1(a, b):
    a, b = tokens(a), tokens(b)
    same = sum((collections.Counter(a) & collections.Counter(b)).values())
    return 2 * same / (len(a) + len(b)) if same else 0.0


def load(questions, features):
    gold = {}
    for line in open(questions, encoding="utf-8"):
        q = json.loads(line)
        gold[q["_id"]] = (q["answers"], q["evidence"][0]["doc"])
    data = []
    for line in open(features, encoding="utf-8"):
        try:
            o = json.loads(line)
        except ValueError:
            continue
        answers, doc = gold[o["_id"]]
        if not o["sentences"]:
            continue
        x = np.array([s[2] for s in o["sentences"]])
        y = np.array([max(f1(s[1], a) for a in answers) for s in o["sentences"]])
        data.append((doc, x, y))
    return data


def fit(data, use_cosine, steps=400, rate=0.3, penalty=2e-3):
    mask = np.ones(len(NAMES))
    if not use_cosine:
        mask[COSINE] = 0
    w = np.zeros(len(NAMES))
    velocity = np.zeros_like(w)
    for _ in range(steps):
        gradient = np.zeros_like(w)
        for _, x, y in data:
            score = x @ w
            p = np.exp(score - score.max())
            p /= p.sum()
            gradient += x.T @ (p * (y - p @ y))
        gradient = gradient / len(data) - penalty * w
        velocity = 0.9 * velocity + rate * 4 * gradient
        w = w + mask * velocity * 0.5
    return w


def picked(data, w):
    return np.array([y[np.argmax(x @ w)] for _, x, y in data])


def report(name, data, use_cosine):
    docs = sorted({d for d, _, _ in data})
    folds = {d: i % 5 for i, d in enumerate(docs)}
    got = []
    for k in range(5):
        train = [r for r in data if folds[r[0]] != k]
        test = [r for r in data if folds[r[0]] == k]
        if test:
            got.append(picked(test, fit(train, use_cosine)))
    got = np.concatenate(got)
    first = np.mean([y[0] for _, _, y in data])
    best = np.mean([y.max() for _, _, y in data])
    print(f"{name}: {len(data)} questions, F1 of the first as it was {first:.4f}, five folds {got.mean():.4f}, "
          f"best there is {best:.4f}", file=sys.stderr)


def bias(data, w):
    good = [float((x @ w).max()) for _, x, y in data if y[np.argmax(x @ w)] > 0.3]
    return np.log(3) - float(np.median(good)) if good else 0.0


def write(name, w, b):
    print(f"static const double weights_{name}[EVIDENCE_N_FEATURES] = {{")
    for i in range(0, len(w), 6):
        print("    " + ", ".join(f"{v:.4f}" for v in w[i:i + 6]) + ",")
    print("};")
    print(f"static const double bias_{name} = {b:.4f};")


def main():
    data = load(sys.argv[1], sys.argv[2])
    print("/* Written by tests/bench/fit_evidence.py; in the order of evidence.h. */")
    for name, use_cosine in (("words", False), ("embedded", True)):
        report(name, data, use_cosine)
        w = fit(data, use_cosine)
        write(name, w, bias(data, w))


if __name__ == "__main__":
    main()
