#!/usr/bin/env python3
"""Degraded copies of pages: what scanners, photocopiers and photographers do to them.

  tests/bench/degrade.py CORPUS OUT [--kinds LIST] [--names LIST] [--dpi N] [--page N]

CORPUS  a folder with pdfs/NAME.pdf and truth/NAME.md
OUT     gets a folder per kind with pdfs/, truth/ and source.json: score.py --corpus OUT scores each
--kinds of the list below (default: all); "image" is the page as it is, only as pixels
--dpi   the first --page pages are rendered at (default 300, and all pages)

Pages are rendered by pdftoppm to gray, degraded, and wrapped into PDFs that hold nothing but a JPEG for each page.
The same input gives the same pixels. What is there already is not made again. Needs numpy and Pillow.
"""
import argparse
import io
import json
import os
import shutil
import subprocess
import tempfile
import zlib

import numpy
from PIL import Image

WHITE = 255


def to_array(image):
    return numpy.asarray(image, dtype=numpy.float32)


def to_image(array):
    return Image.fromarray(numpy.clip(array + 0.5, 0, 255).astype(numpy.uint8))


def skew(image, degrees):
    return image.rotate(degrees, resample=Image.BICUBIC, expand=True, fillcolor=WHITE)


def salt_pepper(image, random):
    """One and a half per cent of the pixels: what dust and a bad threshold leave."""
    array = to_array(image).copy()
    hit = random.random(array.shape)
    array[hit < 0.0075] = 0
    array[hit > 0.9925] = 255
    return to_image(array)


def shadow(image, random):
    """A photograph by a lamp at one side: light falls to two fifths, the paper is no longer white, the sensor noisy."""
    array = to_array(image)
    high, wide = array.shape
    y, x = numpy.mgrid[0:high, 0:wide].astype(numpy.float32)
    light = 1 - 0.45 * (x / wide) - 0.15 * (y / high)
    hand = numpy.exp(-(((x - 0.7 * wide) / (0.3 * wide)) ** 2 + ((y - 0.75 * high) / (0.25 * high)) ** 2))
    light *= 1 - 0.25 * hand
    return to_image((30 + 0.85 * array) * light + random.normal(0, 4, array.shape).astype(numpy.float32))


def bleed(image, other):
    """The back of the sheet shows through, mirrored and weak."""
    back = other.resize(image.size).transpose(Image.FLIP_LEFT_RIGHT)
    array = to_array(image)
    return to_image(numpy.minimum(array, WHITE - 0.3 * (WHITE - to_array(back))))


def holes(image, dpi):
    """Scanned with the lid open: a dark frame around the sheet, and the holes of a folder at its left."""
    margin = int(0.35 * dpi)
    wide, high = image.size
    array = numpy.full((high + 2 * margin, wide + 2 * margin), 25, numpy.float32)
    sheet = to_array(image).copy()
    y, x = numpy.mgrid[0:high, 0:wide]
    for part in (0.37, 0.63):
        sheet[(x - 0.35 * dpi) ** 2 + (y - part * high) ** 2 < (0.12 * dpi) ** 2] = 20
    array[margin:margin + high, margin:margin + wide] = sheet
    return to_image(array)


def halftone(image):
    """Printed on a tint: a screen of clustered dots, as in magazines, one bit deep."""
    n = 6
    y, x = numpy.mgrid[0:n, 0:n]
    dot = numpy.cos((x + 0.5) / n * 2 * numpy.pi) + numpy.cos((y + 0.5) / n * 2 * numpy.pi)
    order = numpy.argsort(numpy.argsort(dot.ravel())).reshape(n, n)
    threshold = 255 * (order + 0.5) / (n * n)
    array = 0.8 * to_array(image)
    high, wide = array.shape
    tiled = numpy.tile(threshold, (high // n + 1, wide // n + 1))[:high, :wide]
    return to_image(numpy.where(array > tiled, 255, 0))


def spread(left, right, dpi):
    """Two facing pages in one scan, the fold dark between them."""
    high = max(left.size[1], right.size[1])
    sheet = Image.new("L", (left.size[0] + right.size[0], high), WHITE)
    sheet.paste(left, (0, 0))
    sheet.paste(right, (left.size[0], 0))
    array = to_array(sheet)
    from_fold = numpy.abs(numpy.arange(sheet.size[0]) - left.size[0]) / (0.25 * dpi)
    return to_image(array * (1 - 0.6 * numpy.exp(-(from_fold ** 2)))[None, :])


# kind -> (degrade(image, other, dpi, random), dpi or None, JPEG quality)
KINDS = {
    "image": (lambda image, other, dpi, random: image, None, 90),
    "skew_plus": (lambda image, other, dpi, random: skew(image, 5), None, 85),
    "skew_minus": (lambda image, other, dpi, random: skew(image, -5), None, 85),
    "turn_90": (lambda image, other, dpi, random: image.transpose(Image.ROTATE_90), None, 85),
    "turn_180": (lambda image, other, dpi, random: image.transpose(Image.ROTATE_180), None, 85),
    "turn_270": (lambda image, other, dpi, random: image.transpose(Image.ROTATE_270), None, 85),
    "dpi_150": (lambda image, other, dpi, random: image, 150, 85),
    "jpeg_30": (lambda image, other, dpi, random: image, None, 30),
    "salt_pepper": (lambda image, other, dpi, random: salt_pepper(image, random), None, 85),
    "shadow": (lambda image, other, dpi, random: shadow(image, random), None, 85),
    "bleed": (lambda image, other, dpi, random: bleed(image, other), None, 85),
    "holes": (lambda image, other, dpi, random: holes(image, dpi), None, 85),
    "halftone": (lambda image, other, dpi, random: halftone(image), None, 90),
    "spread": (None, None, 85),
}


def render(path, dpi, last_page):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["pdftoppm", "-r", str(dpi), "-gray", "-hide-annotations", *(["-l", str(last_page)] if last_page else []), path,
                        os.path.join(folder, "p")], check=True, capture_output=True)
        pages = []
        for name in sorted(os.listdir(folder)):
            with Image.open(os.path.join(folder, name)) as page:
                pages.append(page.convert("L"))
        return pages


def write_pdf(path, images, dpi, quality):
    """A PDF of JPEGs, a page each."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    kids = []
    for image in images:
        data = io.BytesIO()
        image.save(data, "JPEG", quality=quality)
        wide, high = image.size[0] * 72 / dpi, image.size[1] * 72 / dpi
        n = len(objects)
        content = b"q %.3f 0 0 %.3f 0 0 cm /I Do Q" % (wide, high)
        objects += [
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %.3f %.3f] /Contents %d 0 R "
            "/Resources << /XObject << /I %d 0 R >> >> >>" % (wide, high, n + 2, n + 3),
            (b"<< /Length %d >>" % len(content), content),
            (b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 /ColorSpace /DeviceGray "
             b"/Filter /DCTDecode /Length %d >>" % (*image.size, data.tell()), data.getvalue()),
        ]
        kids.append("%d 0 R" % (n + 1))
    objects[1] = "<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), " ".join(kids))
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % number
        out += body.encode() if isinstance(body, str) else body[0] + b"\nstream\n" + body[1] + b"\nendstream"
        out += b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    with open(path + ".part", "wb") as file:
        file.write(out)
    os.replace(path + ".part", path)


def prepare(out, kind, source):
    for folder in ("pdfs", "truth"):
        os.makedirs(os.path.join(out, kind, folder), exist_ok=True)
    config = os.path.join(source, "source.json")
    if os.path.exists(config):
        shutil.copy(config, os.path.join(out, kind, "source.json"))
    else:
        with open(os.path.join(out, kind, "source.json"), "w") as file:
            json.dump({"metrics": ["ocr", "text"]}, file)


def read_truth(corpus, name):
    with open(os.path.join(corpus, "truth", name + ".md"), encoding="utf-8") as file:
        return file.read()


def write_truth(out, kind, name, text):
    with open(os.path.join(out, kind, "truth", name + ".md"), "w", encoding="utf-8") as file:
        file.write(text)


def make_spreads(args, names, pages):
    upright = [name for name in names if "rotated" not in name]
    for left, right in zip(upright[0::2], upright[1::2]):
        name = left + "+" + right
        path = os.path.join(args.out, "spread", "pdfs", name + ".pdf")
        if os.path.exists(path):
            continue
        sheet = spread(pages(left)[0], pages(right)[0], args.dpi)
        write_pdf(path, [sheet], args.dpi, KINDS["spread"][2])
        write_truth(args.out, "spread", name,
                    read_truth(args.corpus, left) + "\n\n" + read_truth(args.corpus, right))


def main():
    parser = argparse.ArgumentParser(description="degraded copies of pages")
    parser.add_argument("corpus")
    parser.add_argument("out")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--names", default="")
    parser.add_argument("--dpi", type=int, default=300)
    parser.add_argument("--page", type=int, default=0)
    args = parser.parse_args()
    folder = os.path.join(args.corpus, "pdfs")
    names = sorted(name[:-4] for name in os.listdir(folder) if name.endswith(".pdf"))
    if args.names:
        names = [name for name in names if name in args.names.split(",")]
    rendered = {}

    def pages(name, dpi=args.dpi):
        if (name, dpi) not in rendered:
            while len(rendered) > 3:
                rendered.pop(next(iter(rendered)))
            rendered[name, dpi] = render(os.path.join(folder, name + ".pdf"), dpi, args.page)
        return rendered[name, dpi]

    kinds = args.kinds.split(",")
    for kind in kinds:
        if kind not in KINDS:
            parser.error(f"{kind}: no such kind; there are {', '.join(KINDS)}")
        prepare(args.out, kind, args.corpus)
    for index, name in enumerate(names):
        for kind in kinds:
            degrade, own_dpi, quality = KINDS[kind]
            path = os.path.join(args.out, kind, "pdfs", name + ".pdf")
            if degrade is None or os.path.exists(path):
                continue
            dpi = own_dpi or args.dpi
            back = pages(names[(index + 1) % len(names)])[0] if kind == "bleed" else None
            random = numpy.random.default_rng(zlib.crc32((kind + name).encode()))
            write_truth(args.out, kind, name, read_truth(args.corpus, name))
            write_pdf(path, [degrade(page, back, dpi, random) for page in pages(name, dpi)], dpi, quality)
    if "spread" in kinds:
        make_spreads(args, names, pages)


if __name__ == "__main__":
    main()
