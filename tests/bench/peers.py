"""One converter over one folder of PDFs, or a table of what all of them did; used by peers.sh.

    peers.py run PEER PDFS OUT        convert PDFS/*.pdf to OUT/NAME.md with a Python package
    peers.py measure LOG COMMAND...   run it; append wall, CPU seconds and peak memory of its processes to LOG
    peers.py collect DIR OUT          DIR/NAME/NAME.md (or DIR/NAME.md) -> OUT/NAME.md
    peers.py table PAGES              lines "peer|version|log|scores" from stdin -> a Markdown table
"""

import os
import pathlib
import resource
import shutil
import sys
import time


def converter(peer):
    """A function from a path to Markdown: born-digital text, no OCR, no pictures."""
    if peer == "pymupdf4llm":
        import pymupdf4llm

        return lambda path: pymupdf4llm.to_markdown(str(path))
    if peer == "liteparse":
        import liteparse

        parser = liteparse.LiteParse(
            ocr_enabled=False, output_format="markdown", image_mode="off", extract_links=False,
            quiet=True, num_workers=1)
        return lambda path: parser.parse(str(path)).text
    if peer == "kreuzberg":
        import kreuzberg

        config = kreuzberg.ExtractionConfig(
            output_format="markdown", use_cache=False, disable_ocr=True)
        return lambda path: kreuzberg.extract_file_sync(str(path), config=config).content
    if peer == "markitdown":
        import markitdown

        reader = markitdown.MarkItDown()
        return lambda path: reader.convert(str(path)).text_content
    raise SystemExit(f"peers.py: {peer}: unknown")


def run(peer, pdfs, out):
    convert = converter(peer)
    failed = 0
    for path in sorted(pathlib.Path(pdfs).glob("*.pdf")):
        try:
            text = convert(path)
        except Exception as error:  # a peer's own trouble with one file is a result, not ours
            print(f"{peer}: {path.name}: {error}", file=sys.stderr)
            failed += 1
            continue
        (pathlib.Path(out) / (path.stem + ".md")).write_text(text or "", encoding="utf-8")
    return 1 if failed else 0


def measure(log, command):
    start = time.monotonic()
    code = os.spawnvp(os.P_WAIT, command[0], command)
    wall = time.monotonic() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(log, "a", encoding="utf-8") as file:
        print(wall, used.ru_utime + used.ru_stime, used.ru_maxrss, code, file=file)
    return code


def collect(folder, out):
    for path in pathlib.Path(folder).rglob("*"):
        if path.suffix in (".md", ".txt") and path.is_file():
            shutil.copyfile(path, pathlib.Path(out) / (path.stem + ".md"))


def table(pages):
    head = "| converter | scores | pages/s | CPU ms/page | peak MB |"
    print(head)
    print("|---|---|---|---|---|")
    for line in sys.stdin:
        name, version, log, scores = line.rstrip("\n").split("|", 3)
        try:
            wall, cpu, kib, code = open(log, encoding="utf-8").read().split()[-4:]
        except (OSError, ValueError):
            print(f"| {name} {version} | {scores or 'not run'} | - | - | - |")
            continue
        note = "" if code == "0" else f" (exit {code})"
        print(f"| {name} {version}{note} | {scores} | {pages / float(wall):.1f} "
              f"| {1000 * float(cpu) / pages:.1f} | {float(kib) / 1024:.0f} |")


def main(args):
    if args[:1] == ["run"] and len(args) == 4:
        return run(*args[1:])
    if args[:1] == ["measure"] and len(args) > 2:
        return measure(args[1], args[2:])
    if args[:1] == ["collect"] and len(args) == 3:
        return collect(*args[1:])
    if args[:1] == ["table"] and len(args) == 2:
        return table(int(args[1]))
    print(__doc__, file=sys.stderr)
    return 2


sys.exit(main(sys.argv[1:]))
