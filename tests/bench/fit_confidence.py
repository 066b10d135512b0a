#!/usr/bin/env python3
"""Fit what decides whether there is an answer at all.

    bench_answers signals LIBRARY QUESTIONS.jsonl > signals.jsonl
    fit_confidence.py LIBRARY:yes=FILE[,FILE...]:no=FILE[,FILE...] ... > gate

Each argument is a library with the signals of questions that it answers and of questions about other things. Logistic
regression with an L2 penalty; every library counts the same, and so do its two kinds, but that to refuse an answerable
question costs COST times as much as to answer an unrelated one. Written: bias and weights in the form of
pipelines/suffices.c, and, to stderr, for each library what weights that have not seen it refuse, and those that
have. Needs numpy."""
import json
import sys

import numpy as np

COST = 1.5


def load(paths):
    rows = []
    for path in paths.split(","):
        for line in open(path, encoding="utf-8"):
            signals = json.loads(line)["signals"]
            if signals:
                rows.append(signals)
    return np.array(rows)


def parse(argument):
    name, yes, no = argument.split(":")
    return name, load(yes.removeprefix("yes=")), load(no.removeprefix("no="))


def fit(libraries, penalty=1e-2, steps=4000, rate=0.5):
    x = np.concatenate([np.concatenate([yes, no]) for _, yes, no in libraries])
    y = np.concatenate([np.concatenate([np.ones(len(yes)), np.zeros(len(no))]) for _, yes, no in libraries])
    share = np.concatenate([np.concatenate([np.full(len(yes), 0.5 / len(yes)), np.full(len(no), 0.5 / len(no))])
                            for _, yes, no in libraries]) / len(libraries)
    mean, scale = x.mean(0), x.std(0) + 1e-9
    z = (x - mean) / scale
    w, b = np.zeros(x.shape[1]), 0.0
    for _ in range(steps):
        p = 1 / (1 + np.exp(-(z @ w + b)))
        g = share * (p - y)
        w -= rate * (z.T @ g + penalty * w)
        b -= rate * g.sum()
    w = w / scale
    return w, b - float(w @ mean) + float(np.log(COST))


def main():
    libraries = [parse(a) for a in sys.argv[1:]]
    for i, (name, yes, no) in enumerate(libraries):
        w, b = fit(libraries[:i] + libraries[i + 1:]) if len(libraries) > 1 else fit(libraries)
        print(f"{name}: refused {np.mean(yes @ w + b < 0):.3f} of {len(yes)} answerable, "
              f"{np.mean(no @ w + b < 0):.3f} of {len(no)} unrelated", file=sys.stderr)
    w, b = fit(libraries)
    print(f"{{{b:.3f}, {{{', '.join(f'{v:.3f}' for v in w)}}}}}")
    for name, yes, no in libraries:
        print(f"all, on {name}: {np.mean(yes @ w + b < 0):.3f} answerable, {np.mean(no @ w + b < 0):.3f} unrelated",
              file=sys.stderr)


if __name__ == "__main__":
    main()
