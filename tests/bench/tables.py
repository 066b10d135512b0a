#!/usr/bin/env python3
"""Tables by what is drawn around them: how like their truth ruled ones are, and unruled ones.

    tests/bench/tables.py LODE SCORER FOLDER

LODE    the built program
SCORER  score.py: its parse_tables(), bag(), dice(), teds_pair() are used, so that the figures are the scorer's own
FOLDER  a corpus: FOLDER/pdfs/*.pdf and their truth as Markdown, FOLDER/truth/*.md

Each table of the truth is paired with one of lode's by the words they share, as the scorer does for teds_m. What is
drawn where lode found it comes from `mutool trace`, not from lode:

    ruled       lines from top to bottom inside of it, over a third of its height together
    horizontal  two lines or more across half of its width, none down
    none        neither; also tables that were not found at all, named as missed

Prints the mean over documents (the scorer's teds_m), and for each kind how many tables and their mean TEDS.
"""
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

THICK = 3.0  # points: more than that is a ground, not a line


def load(path):
    spec = importlib.util.spec_from_file_location("scorer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def numbers(line, key):
    found = re.search(rf'\b{key}="([^"]*)"', line)
    return [float(n) for n in found.group(1).split()] if found else []


def lines_of(pdf, page):
    """(x0, y0, x1, y1) of the straight lines drawn on a page, from 0, in points from its upper left corner."""
    trace = subprocess.run(["mutool", "trace", pdf, str(page + 1)], capture_output=True, text=True, errors="replace")
    found, points, matrix, stroked = [], [], [1, 0, 0, 1, 0, 0], False
    for line in trace.stdout.splitlines():
        if "<fill_path" in line or "<stroke_path" in line:
            stroked = "<stroke_path" in line
            matrix = numbers(line, "transform") or [1, 0, 0, 1, 0, 0]
            points = []
        elif "<moveto" in line or "<lineto" in line:
            x, y = numbers(line, "x")[0], numbers(line, "y")[0]
            a, b, c, d, e, f = matrix
            here = (a * x + c * y + e, b * x + d * y + f)
            if stroked and "<lineto" in line and points:
                found.append((*points[-1], *here))
            points.append(here)
            if "<moveto" in line and not stroked:
                points = [here]
        elif "<closepath" in line and points:
            if stroked:
                found.append((*points[-1], *points[0]))
            else:
                xs, ys = [p[0] for p in points], [p[1] for p in points]
                if min(max(xs) - min(xs), max(ys) - min(ys)) <= THICK:
                    found.append((min(xs), min(ys), max(xs), max(ys)))
    return [(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)) for x0, y0, x1, y1 in found]


def kind_of(lines, boxes):
    down, across = {}, 0
    height = sum(b[4] - b[2] for b in boxes)
    for page, x0, y0, x1, y1 in boxes:
        for a, b, c, d in lines(page):
            if c - a <= THICK and x0 + 4 < a < x1 - 4:
                down[round(a / 3)] = down.get(round(a / 3), 0) + max(0, min(d, y1 + 3) - max(b, y0 - 3))
            if d - b <= THICK and y0 - 6 < b < y1 + 6 and min(c, x1) - max(a, x0) > 0.5 * (x1 - x0):
                across += 1
    if down and max(down.values()) > height / 3:
        return "ruled"
    # a line across may be drawn cell by cell
    pieces = sum(min(c, x1) - max(a, x0) for page, x0, y0, x1, y1 in boxes for a, b, c, d in lines(page)
                 if d - b <= THICK and y0 - 6 < b < y1 + 6 and min(c, x1) > max(a, x0))
    return "horizontal" if across >= 2 or pieces > 1.5 * (boxes[0][3] - boxes[0][1]) else "none"


def document(scorer, out, pdf, truth):
    """[(kind, TEDS)] for the tables of the truth."""
    name = pdf.stem
    markdown = (out / name / f"{name}.md").read_bytes()
    read = json.loads((out / name / f"{name}.json").read_text())
    known = {}

    def lines(page):
        if page not in known:
            known[page] = lines_of(str(pdf), page)
        return known[page]

    tables = []
    for table in read["tables"]:
        block = read["blocks"][table["block"]]
        start, end = block["markdown"]
        for one in scorer.parse_tables(scorer.pipes_to_html(markdown[start:end].decode())):
            tables.append((one, block["boxes"]))
    wanted = scorer.parse_tables(scorer.pipes_to_html(truth.read_text()))
    bags = [scorer.bag(t) for t in wanted], [scorer.bag(t) for t, _ in tables]
    pairs = sorted(((scorer.dice(g, p), -abs(i - k), i, k) for i, g in enumerate(bags[0])
                    for k, p in enumerate(bags[1])), reverse=True)
    taken, result = set(), [("missed", 0.0)] * len(wanted)
    for like, _, i, k in pairs:
        if like <= 0 or result[i][0] != "missed" or k in taken:
            continue
        taken.add(k)
        result[i] = kind_of(lines, tables[k][1]), scorer.teds_pair(wanted[i], tables[k][0])
    return result


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    lode, scorer, folder = sys.argv[1], load(sys.argv[2]), Path(sys.argv[3])
    pdfs = [p for p in sorted((folder / "pdfs").glob("*.pdf")) if (folder / "truth" / f"{p.stem}.md").exists()]
    kinds, means = {}, []
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([lode, "convert", "-q", "--images", "none", "-f", "md,json", "-o", out, *map(str, pdfs)],
                       check=True)
        for pdf in pdfs:
            result = document(scorer, Path(out), pdf, folder / "truth" / f"{pdf.stem}.md")
            if result:
                means.append(sum(teds for _, teds in result) / len(result))
            for kind, teds in result:
                kinds.setdefault(kind, []).append(teds)
    print(f"documents  {len(means):4d}  {sum(means) / max(len(means), 1):.4f}")
    for kind in sorted(kinds):
        print(f"{kind:10s} {len(kinds[kind]):4d}  {sum(kinds[kind]) / len(kinds[kind]):.4f}")


if __name__ == "__main__":
    main()
