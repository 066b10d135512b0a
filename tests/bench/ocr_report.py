#!/usr/bin/env python3
"""The tables of ocr.sh: error rates page by page beside Tesseract's, kinds of copies, papers made pictures, time.

  tests/bench/ocr_report.py SCORE CORPUS WORK NAMES PAPERS PAPER_NAMES
"""
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter

WITHIN = 1.5  # of the clean pages' rates, for a degraded copy
NEAR = 0.01  # or this much
SAME = 5e-4  # character error rates this near are the same
FURNITURE = ("header", "footer", "page_number")
PAPER_METRICS = ("mhs", "head_f1", "head_lv", "teds_m", "teds_m_s", "order", "text")


def scores(score, truth, predicted, names, metrics):
    """name -> metric -> value."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [sys.executable, score, "--truth", truth, "--pred", predicted, "--metrics", metrics,
                   "--json", report.name]
        done = subprocess.run(command + (["--names", names] if names else []), capture_output=True, text=True)
        if done.returncode not in (0, 1):
            sys.exit(done.stderr)
        with open(report.name, encoding="utf-8") as file:
            return next(iter(json.load(file)["sources"].values()))["documents"]


def seconds(folder, names):
    total = 0.0
    for name in names:
        with open(os.path.join(folder, name + ".seconds"), encoding="ascii") as file:
            total += float(file.read())
    return total


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else 0.0


def rates(documents):
    return mean(d["cer"] for d in documents.values()), mean(d["wer"] for d in documents.values())


class Targets:
    missed = 0

    def check(self, good, text):
        print(("pass  " if good else "FAIL  ") + text)
        self.missed += not good


def put_back(folder, to):
    """Copies of the Markdown in folder, with running heads above it and feet and page numbers below."""
    os.makedirs(to, exist_ok=True)
    for name in os.listdir(folder):
        if not name.endswith(".md"):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            text = file.read()
        with open(os.path.join(folder, name[:-3] + ".json"), encoding="utf-8") as file:
            document = json.load(file)
        above, below = [], []
        for block in document.get("blocks", []):
            if block["type"] in FURNITURE and block.get("boxes"):
                box = block["boxes"][0]
                half = document["pages"][box[0]]["height"] / 2
                (above if box[2] < half else below).append(block["text"])
        with open(os.path.join(to, name), "w", encoding="utf-8") as file:
            file.write("\n\n".join(above + [text] + below) + "\n")


def words(scorer, path):
    """The words of a file as the scorer compares them, and how often each stands there."""
    with open(path, encoding="utf-8") as file:
        return Counter(scorer.plain_text(file.read(), False).split())


def words_wrong(truth, predicted):
    """The share of words that are missing or too many, in any order."""
    return max((truth - predicted).total(), (predicted - truth).total()) / max(truth.total(), 1)


def load_scorer(score):
    spec = importlib.util.spec_from_file_location("score", score)
    scorer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scorer)
    return scorer


def pages(score, corpus, work, names, targets):
    """Page by page; returns lode's."""
    truth = os.path.join(corpus, "truth")
    clean, whole, layer = (os.path.join(work, *part) for part in (("lode", "clean"), ("whole",), ("layer",)))
    put_back(clean, whole)
    texts = {folder: scores(score, truth, folder, names, "cer,wer") for folder in (whole, layer)}
    modes = {}
    for mode in sorted(os.listdir(os.path.join(work, "tesseract"))):
        modes[mode] = scores(score, truth, os.path.join(work, "tesseract", mode), names, "cer,wer")
    ours = scores(score, truth, clean, names, "cer,wer")
    scorer = load_scorer(score)
    print("%-44s %15s %7s %7s %14s %20s" % ("page", "lode", "whole", "layer", "psm 1", "best"))
    worse, ordered, bare = [], [], 0
    for name, own in sorted(ours.items()):
        best = min(modes, key=lambda mode: modes[mode][name]["cer"])
        first, other = modes.get("1", modes[best])[name], modes[best][name]
        bare += own["cer"] > other["cer"] + SAME
        mark = ""
        if min(texts[folder][name]["cer"] for folder in texts) > other["cer"] + SAME:
            right = words(scorer, os.path.join(truth, name + ".md"))
            wrong = {folder: words_wrong(right, words(scorer, os.path.join(folder, name + ".md")))
                     for folder in [*texts, *(os.path.join(work, "tesseract", mode) for mode in modes)]}
            mine, theirs = (min(wrong[f] for f in wrong if (f in texts) == of) for of in (True, False))
            (ordered if mine <= theirs else worse).append(name)
            mark = " <-- %s: words wrong in any order %.4f, %.4f" % ("worse" if mine > theirs else "order", mine, theirs)
        print("%-44s  %.4f %.4f  %.4f  %.4f  %.4f %.4f  psm %s %.4f %.4f%s" % (
            name, own["cer"], own["wer"], texts[whole][name]["cer"], texts[layer][name]["cer"], first["cer"], first["wer"],
            best, other["cer"], other["wer"], mark))
    for mode, documents in modes.items():
        print("tesseract --psm %s: cer %.4f wer %.4f" % ((mode,) + rates(documents)))
    cer, wer = rates(ours)
    targets.check(cer <= 0.040 and wer <= 0.080, "lode: cer %.4f <= .040, wer %.4f <= .080" % (cer, wer))
    targets.check(not worse, "no page worse than Tesseract in its best mode: %d are, %d by the order alone (%d as Markdown has them)"
                  % (len(worse), len(ordered), bare))
    if "1" in modes:
        own, plain = seconds(clean, ours), seconds(os.path.join(work, "tesseract", "1"), ours)
        targets.check(own <= 1.1 * plain, "CPU time %.1f s, Tesseract's %.1f s: %.2f <= 1.10" % (own, plain, own / plain))
    return ours


def kinds(score, work, clean, targets):
    folder = os.path.join(work, "lode")
    for kind in sorted(os.listdir(folder)):
        if kind == "clean":
            continue
        found = scores(score, os.path.join(work, "kinds", kind, "truth"), os.path.join(folder, kind), "", "cer,wer")
        found = {name: d for name, d in found.items() if os.path.exists(os.path.join(folder, kind, name + ".md"))}
        parts = [part for name in found for part in name.split("+") if part in clean]
        if not parts:
            continue
        cer, wer = rates(found)
        of = mean(clean[part]["cer"] for part in parts)
        targets.check(cer <= max(WITHIN * of, of + NEAR), "%-12s cer %.4f wer %.4f, clean %.4f: %.2f times" % (
            kind, cer, wer, of, cer / of if of else 1.0))


def papers(score, folder, work, names, targets):
    truth = os.path.join(folder, "truth")
    native, image = (scores(score, truth, os.path.join(work, "lode-papers", which), names, ",".join(PAPER_METRICS))
                     for which in ("native", "image"))
    for name in sorted(image):
        print("%-44s %s" % (name, "  ".join("%s %.3f>%.3f" % (m, native[name][m], image[name][m])
                                            for m in PAPER_METRICS if image[name].get(m) is not None)))
    for metric in PAPER_METRICS:
        both = [(native[n][metric], image[n][metric]) for n in image if image[n].get(metric) is not None and native[n].get(metric) is not None]
        if both:
            a, b = mean(v[0] for v in both), mean(v[1] for v in both)
            targets.check(b >= a - 0.05, "papers as pictures: %-8s %.4f, native %.4f: %+.4f" % (metric, b, a, b - a))


def main():
    score, corpus, work, names, paper_folder, paper_names = sys.argv[1:7]
    targets = Targets()
    clean = pages(score, corpus, work, names, targets)
    kinds(score, work, clean, targets)
    if paper_folder:
        papers(score, paper_folder, work, paper_names, targets)
    sys.exit(1 if targets.missed else 0)


if __name__ == "__main__":
    main()
