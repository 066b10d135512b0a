#!/usr/bin/env python3
"""Fit the weights by which search/chain.c chooses the sentence that answers.

    ANSWERS=answers.jsonl multihop.py LODE DATASET --planner rules --extractive > /dev/null
    fit_chain.py passages DATASET answers.jsonl > passages.jsonl     the first eight pages of each ranking
    bench_answers chains LIBRARY passages.jsonl > chains.jsonl       (any library: it is not read)
    fit_chain.py fit answers.jsonl=chains.jsonl ...                  one for each data set

Pairs of a sentence and the passage that leads to it compete: softmax over the linear score, and the expected share of
those whose sentence has an accepted answer is made large (gradient ascent, L2 penalty). Fitted on every other question,
the first of each file being one; what the others' best sentence has, alone and with the one before it, goes to stderr.
Yes or no is no sentence, and of a comparison each side has its own chain: such questions are left out. Needs numpy."""
import json
import os
import sys

import numpy as np

from multihop import holds


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def print_passages(dataset, answers):
    docs = {doc["_id"]: [doc["title"], doc["text"]] for doc in lines(os.path.join(dataset, "corpus.jsonl"))}
    for q in lines(answers):
        print(json.dumps({"_id": q["_id"], "question": q["text"], "passages": [docs[d] for d in q["ranking"][:8]]}))


def compares(question):
    """two sides beside the question itself: a chain is chosen for each"""
    return sum(node["turn"] == 1 and not node["needs"] for node in question["nodes"]) > 2


def load(argument):
    answers, chains = argument.split("=")
    asked = {q["_id"]: q for q in lines(answers)}
    golds = {i: [] if compares(q) else [g for g in q["answers"] if g.lower() not in ("yes", "no")]
             for i, q in asked.items()}
    data = []
    for q in lines(chains):
        if not golds[q["_id"]] or not q["pairs"]:
            continue
        has = [[float(any(holds(text, g) for g in golds[q["_id"]])) for text in (pair[0], pair[1])]
               for pair in q["pairs"]]
        data.append((np.array([pair[3] for pair in q["pairs"]]), np.array(has)))
    return data


def fit(data, penalty=2e-3, steps=600, rate=0.5):
    w = np.zeros(data[0][0].shape[1])
    velocity = np.zeros_like(w)
    for _ in range(steps):
        gradient = np.zeros_like(w)
        for x, y in data:
            p = np.exp(x @ w - (x @ w).max())
            p /= p.sum()
            gradient += x.T @ (p * (y[:, 0] - p @ y[:, 0]))
        velocity = 0.9 * velocity + rate * (gradient / len(data) - penalty * w)
        w = w + velocity
    return w


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "passages":
        print_passages(*sys.argv[2:])
        return 0
    if len(sys.argv) < 3 or sys.argv[1] != "fit":
        print(__doc__, file=sys.stderr)
        return 2
    sets = [load(argument) for argument in sys.argv[2:]]
    w = fit([row for data in sets for row in data[::2]])
    print("{" + ", ".join(f"{v:.2f}" for v in w) + "}")
    for argument, data in zip(sys.argv[2:], sets):
        for name, rows in (("fitted", data[::2]), ("others", data[1::2])):
            best = [y[np.argmax(x @ w)] for x, y in rows]
            print(f"{argument} {name}: sentence {np.mean([y[0] for y in best]):.3f}, "
                  f"with the one before {np.mean([max(y) for y in best]):.3f}, n {len(rows)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
