#!/usr/bin/env python3
"""Long-context tasks in the manner of RULER (arXiv:2404.06654) and of the needle in a haystack, made and scored here.

    ruler.py BUILD MODEL [--lengths 2048,4096,8192] [--samples N] [--tasks a,b] [--seed N] [--threads N] [--out FILE]
             [--cache FOLDER]

BUILD is lode's build folder; the answers come from `lode generate`. Only Python's own library is needed. Everything
is made from the seed: the same samples every time. A sample is filled up to LENGTH tokens of the model's own
tokenizer, answer included; the score is the share of the expected strings that stand in the answer. With --cache
what prompts begin with is kept there: the filler before a needle is the same at every depth and length.

    needle        a fact in English filler, at 100, 75, 50, 25, 0 % of it in turn
    needle_zh     the same in Chinese filler
    single        one key among noise: "The special magic number for KEY is: 1234567."
    multikey      a haystack made of such needles only, one is asked for
    multivalue    4 values of one key        multiquery    4 keys asked at once
    vt            variables that pass a value on, 4 hops: which hold it?
    cwe           10 words stand 30 times, the others 3 times: which are common? (fewer times in short texts)
    fwe           the 3 most frequent coded words, Zipf with alpha 2
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

NOISE = ["The grass is green.", "The sky is blue.", "The sun is yellow.", "Here we go.", "There and back again."]
FILLER = [
    "A library keeps what its readers may one day ask for.",
    "The river turns twice before it reaches the mill.",
    "Most letters of that winter were never answered.",
    "He counted the steps of the tower and came to a different number each time.",
    "The market opens early, and the best fruit is gone by seven.",
    "Nobody remembers who planted the old chestnut by the gate.",
    "A map is only as good as the walk that was made for it.",
    "The ferry waits for the train when the train is not too late.",
]
FILLER_ZH = [
    "河水在磨坊前转了两个弯。", "图书馆保存着读者将来可能会问的东西。", "那年冬天的信大多没有人回。",
    "市场开得很早，好的水果七点以前就卖完了。", "没有人记得门口的老栗树是谁种的。", "渡船会等火车，只要火车不太晚。",
]
SYLLABLES = ["ka", "lo", "mi", "ten", "ra", "su", "vel", "dor", "in", "pa", "qui", "zan", "fe", "ber", "oth"]


def word(rng, n=3):
    return "".join(rng.choice(SYLLABLES) for _ in range(n))


def words(rng, n):
    out = {}  # in order
    while len(out) < n:
        out[word(rng, 3 if n < 1000 else 5)] = True
    return list(out)


def number(rng):
    return str(rng.randrange(10**6, 10**7))


def repeat(items, n):
    return [items[i % len(items)] for i in range(n)]


def insert(rng, filler, needles, depth=None):
    """Needles at random places of the filler, or at a depth of 0 to 1."""
    out = list(filler)
    for needle in needles:
        out.insert(round(depth * len(out)) if depth is not None else rng.randrange(len(out) + 1), needle)
    return out


# A task: (rng, size, index) -> (text, question, answers). size counts sentences, needles or words.


def needle(rng, size, index, filler=FILLER):
    city, thing = word(rng).title(), word(rng)
    fact = f"The best thing to do in {city} is to visit the {thing} garden."
    text = " ".join(insert(rng, repeat(filler, size), [fact], 1 - (index % 5) / 4))
    return text, f"What is the best thing to do in {city}? Answer with what the text says.", [thing]


def needle_zh(rng, size, index):
    code = number(rng)
    text = "".join(insert(rng, repeat(FILLER_ZH, size), [f"老站长的密码是{code}。"], 1 - (index % 5) / 4))
    return text, "老站长的密码是多少？只回答数字。", [code]


def magic(key, value):
    return f"The special magic number for {key} is: {value}."


def ask_magic(keys):
    return f"What are all the special magic numbers for {', '.join(keys)} mentioned in the text?"


def single(rng, size, _):
    key, value = word(rng), number(rng)
    return " ".join(insert(rng, repeat(NOISE, size), [magic(key, value)])), ask_magic([key]), [value]


def multikey(rng, size, _):
    keys = words(rng, size)
    values = [number(rng) for _ in keys]
    chosen = rng.randrange(len(keys))
    return " ".join(map(magic, keys, values)), ask_magic([keys[chosen]]), [values[chosen]]


def multivalue(rng, size, _):
    key, values = word(rng), [number(rng) for _ in range(4)]
    return " ".join(insert(rng, repeat(NOISE, size), [magic(key, v) for v in values])), ask_magic([key]), values


def multiquery(rng, size, _):
    keys, values = words(rng, 4), [number(rng) for _ in range(4)]
    return " ".join(insert(rng, repeat(NOISE, size), list(map(magic, keys, values)))), ask_magic(keys), values


def vt(rng, size, _):
    names, value = [w.upper() for w in words(rng, 5)], str(rng.randrange(10**4, 10**5))
    chain = [f"VAR {names[0]} = {value}."] + [f"VAR {b} = VAR {a}." for a, b in zip(names, names[1:])]
    at = sorted(rng.randrange(size + 1) for _ in chain)
    out = repeat(NOISE, size)
    for place, line in reversed(list(zip(at, chain))):
        out.insert(place, line)
    return " ".join(out), f"Find all variables that are assigned the value {value}. List their names.", names


def cwe(rng, size, _):
    often = min(30, max(size // 20, 4))  # less where 30 times would not leave room for the others
    seldom = max(often // 10, 1)
    common = words(rng, 10)
    rest = words(rng, 10 + max((size - 10 * often) // seldom, 1))[10:]
    others = [w for w in rest if w not in common]
    pool = common * often + others * seldom
    rng.shuffle(pool)
    return " ".join(pool), "What are the 10 most common words in the list above?", common


def fwe(rng, size, _):
    coded = words(rng, 200)
    pool = [w for rank, w in enumerate(coded, 1) for _ in range(max(int(size * 0.6 / rank**2), 1))]
    rng.shuffle(pool)
    return " ".join(pool), "What are the three most frequently used words in the text above?", coded[:3]


TASKS = {f.__name__: f for f in (needle, needle_zh, single, multikey, multivalue, multiquery, vt, cwe, fwe)}
ANSWER_TOKENS = {"cwe": 120, "vt": 60, "multivalue": 128, "multiquery": 128}  # digits may be a token each


class Lode:
    def __init__(self, build, model, threads, cache):
        self.cache = ["--cache", cache] if cache else []
        self.program = os.path.join(build, "pipelines", "lode")
        self.counter = os.path.join(build, "tests", "engine", "bench_logits")
        self.model, self.threads = model, threads
        self.folder = tempfile.TemporaryDirectory()
        self.prompt = os.path.join(self.folder.name, "prompt.txt")

    def save(self, text):
        with open(self.prompt, "w", encoding="utf-8") as f:
            f.write(text)

    def count(self, text):
        self.save(text)
        out = subprocess.run([self.counter, "tokens", self.model, self.prompt, str(1 << 22)], check=True,
                             capture_output=True, text=True)
        return out.stdout.count("\n")

    def answer(self, text, n_context, n_tokens):
        self.save(text)
        command = [self.program, "generate", self.model, "--file", self.prompt, "--chat", "--context", str(n_context),
                   "--max-tokens", str(n_tokens), "--threads", str(self.threads), "-q", *self.cache]
        out = subprocess.run(command, capture_output=True, text=True)
        if out.returncode != 0:
            sys.exit(f"{' '.join(command)}: {out.stderr.strip()}")
        return out.stdout


def build_sample(lode, task, length, index, seed):
    """The largest sample that leaves room for the answer and the chat template."""
    room = length - ANSWER_TOKENS.get(task, 40) - 96

    def at(size):
        rng = random.Random(f"{seed}/{task}/{length}/{index}")
        text, question, answers = TASKS[task](rng, size, index)
        return f"{text}\n\n{question}", answers

    size = room // 12
    for _ in range(6):  # tokens grow about evenly with size: a few corrections reach the room
        prompt, answers = at(size)
        n = lode.count(prompt)
        if room * 0.97 <= n <= room:
            break
        size = max(int(size * room * 0.985 / n), 1)
    while n > room and size > 1:
        size = int(size * 0.97)
        prompt, answers = at(size)
        n = lode.count(prompt)
    return prompt, answers, n


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("model")
    parser.add_argument("--lengths", default="2048,4096,8192")
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--out")
    parser.add_argument("--cache")
    args = parser.parse_args()
    lode = Lode(args.build, args.model, args.threads, args.cache)
    lengths, out = [int(n) for n in args.lengths.split(",")], open(args.out, "w") if args.out else None
    print(f"{'task':12s}" + "".join(f"{n:>9d}" for n in lengths), flush=True)
    sums = {n: [] for n in lengths}
    for task in args.tasks.split(","):
        line = f"{task:12s}"
        for length in lengths:
            scores = []
            for index in range(args.samples):
                prompt, answers, n_tokens = build_sample(lode, task, length, index, args.seed)
                said = lode.answer(prompt, length, ANSWER_TOKENS.get(task, 40))
                scores.append(sum(a.lower() in said.lower() for a in answers) / len(answers))
                if out:
                    out.write(json.dumps({"task": task, "length": length, "index": index, "tokens": n_tokens,
                                          "answers": answers, "said": said, "score": scores[-1]}) + "\n")
                    out.flush()
            sums[length].append(sum(scores) / len(scores))
            line += f"{100 * sums[length][-1]:9.1f}"
        print(line, flush=True)
    print(f"{'average':12s}" + "".join(f"{100 * sum(s) / len(s):9.1f}" for s in sums.values()))


if __name__ == "__main__":
    main()
