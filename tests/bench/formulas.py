#!/usr/bin/env python3
"""How good are the formulas of converted papers?

    formulas.py inline TRUTH PRED      spans of inline mathematics against those of the truth's Markdown
    formulas.py compile PRED           does TeX take every formula of every PRED/*.md?
    formulas.py render PRED PDFS [DIR] formulas set anew beside their crops in the PDF: how alike are they?
                                       DIR: keep both images of each there

TRUTH and PRED are folders of NAME.md. PRED of `render` holds a folder per paper, as `lode convert -o PRED` writes it
(the JSON has each formula's box); it needs pdflatex, pdftoppm, pdfseparate and Pillow; `compile` needs pdflatex.

render: the formula is set as large as the original, both are cut to their ink, ours is stretched to the size of the
original and the ink of both compared in cells of a few pixels. How far it had to be stretched is reported apart.

inline: the spans of both texts, tables aside, are aligned in order (a pair is as good as 1 - Levenshtein / longer
length, on LaTeX without blanks and braces around one character); a pair counts from 0.5 on. Spans left over are paired
in any order where three words before or behind them are the same: a truth has captions and notes in other places than
the page. Spans of text that the truth leaves out (those words are nowhere in it) are counted, not judged. Precision is
pairs / spans judged, recall pairs / spans of the truth, likeness the mean over pairs. Spans of one letter or number
count like any other.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

try:  # the same figures, sooner
    from rapidfuzz.distance.Levenshtein import distance as rapid
except ImportError:
    rapid = None

INLINE = re.compile(r"(?<![\\$])\$(?!\$)((?:(?!\n\s*\n)(?:[^$\\]|\\.))+?)\$(?!\$)", re.S)
DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.S)
CODE = re.compile(r"^```.*?^```", re.S | re.M)
TABLE = re.compile(r"<table.*?</table>|^\|[^\n]*$", re.S | re.M | re.I)


def tidy(latex):
    latex = re.sub(r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|textstyle|limits)(?![a-zA-Z])", "", latex)
    latex = re.sub(r"\\(?:mathrm|operatorname\*?|text|textrm|mathit|rm|mathbf|bm|boldsymbol|mathsf|mbox|textit|textbf)"
                   r"(?![a-zA-Z])", "", latex)
    latex = re.sub(r"\\[,;:!> ]|~", "", latex)
    latex = latex.replace("\\leq", "\\le").replace("\\geq", "\\ge").replace("\\to", "\\rightarrow")
    latex = latex.replace("\\ldots", "\\dots").replace("\\neq", "\\ne").replace("\\ast", "*")
    latex = re.sub(r"\\textcolor\{\w+\}|\\boldmath\$?", "", latex)
    latex = latex.replace("\\lbrace", "\\{").replace("\\rbrace", "\\}").replace("...", "\\dots")
    latex = re.sub(r"\{([-+=<>*/:,])\}", r"\1", latex)
    latex = re.sub(r"\s+", "", latex)
    while True:
        short = re.sub(r"\{(\\?[A-Za-z0-9*']+)\}", r"\1", latex)
        if short == latex:
            return latex.strip(".,;")
        latex = short


def words(text):
    return re.findall(r"[a-z]+", re.sub(r"\\[a-zA-Z]+|<[^>]*>", " ", text).lower())


def spans(markdown):
    """[(span, words before, words behind)], and all words of the text between them."""
    markdown = TABLE.sub(" ", DISPLAY.sub(" ", CODE.sub(" ", markdown)))
    found, between, at = [], [], 0
    for m in INLINE.finditer(markdown):
        if tidy(m.group(1)):
            between.append(words(markdown[at:m.start()]))
            found.append(tidy(m.group(1)))
            at = m.end()
    between.append(words(markdown[at:]))
    flat = [w for part in between for w in part]
    result, k = [], 0
    for part, s in zip(between, found):
        k += len(part)
        result.append((s, " ".join(flat[max(0, k - 3):k]), " ".join(flat[k:k + 3])))
    return result, " " + " ".join(flat) + " "


def levenshtein(a, b):
    if rapid is not None:
        return rapid(a, b)
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        left, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            left, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, left + (x != y))
    return row[-1]


def likeness(a, b, cache={}):
    if a == b:
        return 1.0
    if min(len(a), len(b)) * 2 < max(len(a), len(b)):
        return 0.0
    key = (a, b)
    if key not in cache:
        cache[key] = 1 - levenshtein(a, b) / max(len(a), len(b))
    return cache[key]


def align(truth, found):
    """Pairs in order with the greatest sum of likenesses (Needleman and Wunsch, gaps free)."""
    n, m = len(truth), len(found)
    best = [[0.0] * (m + 1) for _ in range(n + 1)]
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            s = likeness(truth[i - 1], found[j - 1])
            best[i][j] = max(best[i - 1][j], best[i][j - 1], best[i - 1][j - 1] + s if s >= 0.5 else 0)
    pairs, i, j = [], n, m
    while i and j:
        s = likeness(truth[i - 1], found[j - 1])
        if s >= 0.5 and best[i][j] == best[i - 1][j - 1] + s:
            pairs.append((i - 1, j - 1, s))
            i, j = i - 1, j - 1
        elif best[i][j] == best[i - 1][j]:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


def pair(truth, found):
    """Pairs in order, then those of moved text."""
    pairs = align([t[0] for t in truth], [f[0] for f in found])
    hit_t, hit_f = {p[0] for p in pairs}, {p[1] for p in pairs}
    for j, (s, before, behind) in enumerate(found):
        if j in hit_f:
            continue
        best = max(((likeness(t[0], s), i) for i, t in enumerate(truth)
                    if i not in hit_t and (t[1] == before or t[2] == behind)), default=(0, 0))
        if best[0] >= 0.5:
            pairs.append((best[1], j, best[0]))
            hit_t.add(best[1])
    return pairs


def inline(truth_dir, found_dir, verbose):
    total, unjudged = [0, 0, 0, 0.0], 0
    for name in sorted(os.listdir(truth_dir)):
        path = os.path.join(found_dir, name)
        if not name.endswith(".md") or not os.path.exists(path):
            continue
        (truth, text), (found, _) = (spans(open(p, encoding="utf-8").read())
                                     for p in (os.path.join(truth_dir, name), path))
        if len(truth) < 5:
            continue
        pairs = pair(truth, found)
        hit_t, hit_f = {p[0] for p in pairs}, {p[1] for p in pairs}
        like, n_all = sum(p[2] for p in pairs), len(found)
        extra = [f for j, f in enumerate(found) if j not in hit_f and
                 (f" {f[1]} " in text or f" {f[2]} " in text)]
        n_found = len(pairs) + len(extra)
        print(f"{name:46} truth {len(truth):4} found {n_found:4} precision {len(pairs) / max(n_found, 1):.3f} "
              f"recall {len(pairs) / len(truth):.3f} likeness {like / max(len(pairs), 1):.3f}")
        if verbose:
            print("   missed:", [t for i, t in enumerate(truth) if i not in hit_t][:30])
            print("   extra: ", extra[:30])
            print("   unlike:", [(truth[i][0], found[j][0]) for i, j, s in pairs if s < 1][:20])
        total = [total[0] + len(truth), total[1] + n_found, total[2] + len(pairs), total[3] + like]
        unjudged += n_all - n_found
    print(f"{'all':46} truth {total[0]:4} found {total[1]:4} precision {total[2] / max(total[1], 1):.3f} "
          f"recall {total[2] / max(total[0], 1):.3f} likeness {total[3] / max(total[2], 1):.3f} "
          f"({unjudged} more in text that the truth has not)")


PREAMBLE = r"""\documentclass[10pt]{article}
\usepackage[utf8]{inputenc}\usepackage[T1]{fontenc}\usepackage{textcomp}
\usepackage{amsmath,amssymb,mathrsfs,bm}\usepackage[paperwidth=60cm,paperheight=40cm,margin=2mm]{geometry}
\pagestyle{empty}\parindent=0pt
\begin{document}
"""


def typeset(formulas, folder, stem):
    """One page per formula. Returns the numbers of those that TeX stumbles over."""
    path = os.path.join(folder, stem + ".tex")
    with open(path, "w", encoding="utf-8") as out:
        out.write(PREAMBLE)
        for k, latex in enumerate(formulas):
            out.write(f"\\typeout{{@{k}}}\n{latex}\n\\newpage\n")
        out.write("\\end{document}\n")
    run = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-file-line-error", stem + ".tex"], cwd=folder,
                         capture_output=True, text=True, errors="replace")
    bad, at = set(), -1
    for line in run.stdout.split("\n"):
        if m := re.match(r"@(\d+)", line):
            at = int(m.group(1))
        elif re.match(r"(!|[^ ]+\.tex:\d+: )", line):
            bad.add(at)
    return bad


def compile_all(found_dir):
    formulas = []
    for name in sorted(os.listdir(found_dir)):
        if not name.endswith(".md"):
            continue
        text = CODE.sub(" ", open(os.path.join(found_dir, name), encoding="utf-8").read())
        formulas += [(name, f"\\[{m.group(1)}\\]") for m in DISPLAY.finditer(text)]
        formulas += [(name, f"${m.group(1)}$") for m in INLINE.finditer(DISPLAY.sub(" ", text))]
    with tempfile.TemporaryDirectory() as folder:
        bad = typeset([latex for _, latex in formulas], folder, "f") if formulas else set()
    for k in sorted(bad):
        print(": ".join(formulas[k]) if k >= 0 else "before the first formula")
    print(f"{len(formulas)} formulas, TeX stumbles over {len(bad)}")
    return bool(formulas) and not bad


DPI = 150
CELL = 4  # pixels: strokes that are a few apart still meet


def ink(image):
    """Dark pixels as 255, cut to where they are; None where there are none."""
    dark = image.convert("L").point(lambda p: 255 if p < 160 else 0)
    box = dark.getbbox()
    return dark.crop(box) if box else None


def rastered(pdf, folder, dpi, box=None):
    """A page (box: number from 0, x0, y0, x1, y1 in points; None: all pages) as images."""
    from PIL import Image

    call = ["pdftoppm", "-r", f"{dpi:.2f}", "-gray"]
    if box:
        s = dpi / 72
        call += ["-f", str(box[0] + 1), "-l", str(box[0] + 1), "-x", str(round(box[1] * s)), "-y",
                 str(round(box[2] * s)), "-W", str(round((box[3] - box[1]) * s)), "-H",
                 str(round((box[4] - box[2]) * s))]
    subprocess.run([*call, pdf, os.path.join(folder, "page")], check=True)
    images = []
    for name in sorted(n for n in os.listdir(folder) if n.startswith("page")):
        with Image.open(os.path.join(folder, name)) as image:
            images.append(image.copy())
        os.remove(os.path.join(folder, name))
    return images


def alike(crop, ours):
    """Cosine of where the ink of two formulas is, ours stretched to the crop's box."""
    from PIL import Image

    cells = (max(4, round(crop.width / CELL)), max(4, round(crop.height / CELL)))
    a, b = (i.resize(cells, Image.BOX).tobytes() for i in (crop, ours))
    dot, norm = sum(x * y for x, y in zip(a, b)), (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5
    return dot / max(norm, 1)


def render(found_dir, pdf_dir, keep=None):
    scores = []
    with tempfile.TemporaryDirectory() as folder:
        for name in sorted(os.listdir(found_dir)):
            path, pdf = os.path.join(found_dir, name, name + ".json"), os.path.join(pdf_dir, name + ".pdf")
            if not os.path.exists(path) or not os.path.exists(pdf):
                continue
            document = json.load(open(path, encoding="utf-8"))
            blocks = [(f["latex"], document["blocks"][f["block"]]) for f in document["formulas"] if f.get("latex")]
            formulas = [(latex, b) for latex, b in blocks if len(b["boxes"]) == 1]
            if not formulas:
                continue
            typeset([f"\\[{latex}\\]" for latex, _ in formulas], folder, "r")
            for k, (latex, block) in enumerate(formulas):
                page, x0, y0, x1, y1 = block["boxes"][0]
                crop = ink(rastered(pdf, folder, DPI, (page, x0 - 1, y0 - 1, x1 + 1, y1 + 1))[0])
                # set in 10 points: as large as the original at so many dots per inch
                dpi = DPI * block["font_size"] / 10
                subprocess.run(["pdfseparate", "-f", str(k + 1), "-l", str(k + 1), "r.pdf", "one.pdf"], cwd=folder,
                               check=True)
                ours = ink(rastered(os.path.join(folder, "one.pdf"), folder, dpi)[0])
                if crop is None or ours is None:
                    scores.append((0.0, 0.0, 0.0, name, latex))
                    continue
                s = alike(crop, ours)
                scores.append((s, ours.width / crop.width, ours.height / crop.height, name, latex))
                if keep:
                    os.makedirs(keep, exist_ok=True)
                    crop.save(os.path.join(keep, f"{s:.2f}-{name}-{k}-a.png"))
                    ours.save(os.path.join(keep, f"{s:.2f}-{name}-{k}-b.png"))
    scores.sort()
    for s, w, h, name, latex in scores[:10]:
        print(f"{s:.2f} wide {w:.2f} high {h:.2f} {name}: {latex[:150]}")
    n = max(1, len(scores))
    print(f"{len(scores)} formulas, cosine of where their ink is: mean {sum(s[0] for s in scores) / n:.3f}, "
          f"{sum(s[0] >= 0.7 for s in scores)} of them from .7 on; "
          f"{sum(abs(s[1] - 1) < 0.1 and abs(s[2] - 1) < 0.1 for s in scores)} as wide and as high, within a tenth")


def main():
    if len(sys.argv) >= 4 and sys.argv[1] == "inline":
        inline(sys.argv[2], sys.argv[3], "-v" in sys.argv)
    elif len(sys.argv) >= 3 and sys.argv[1] == "compile":
        return 0 if compile_all(sys.argv[2]) else 1
    elif len(sys.argv) >= 4 and sys.argv[1] == "render":
        render(sys.argv[2], sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else None)
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
