#!/usr/bin/env python3
"""Text that no reader sees, beside text that only looks like it.

Page 1, left out: white on the paper, the paper's colour inside a grey box, render mode 3, half a point high, outside
the page, below a later black box, below a later picture. Kept: white on a dark bar, text under a highlight that
multiplies, text on a picture, white on a rounded dark box.
Page 2: a scan, that is a picture of the whole page with invisible text over it: that text is the page's.
"""
import sys
import zlib


def text(x, y, size, words, extra=""):
    return f"q {extra} BT /F1 {size} Tf {x} {y} Td ({words}) Tj ET Q\n"


BODY = [
    "The tide gauge at the old harbour was read every hour by two",
    "observers who did not know of each other, and their notes were",
    "compared only after the season had ended. They agree within two",
    "centimetres on all but three days, and those were days of storm.",
]

SCAN = [
    "On the second of March the float of the northern gauge was found",
    "caught on a nail, so that its readings of that week are left out of",
    "the comparison. The nail was drawn, and the gauge was set again",
    "by the mark that the harbour master had cut into the quay in 1887.",
]

page1 = text(72, 730, 17, "Reading a Tide Gauge Twice")
page1 += text(72, 708, 13, "1   Method").replace("/F1", "/F2")
for i, line in enumerate(BODY):
    page1 += text(72, 690 - 13 * i, 11, line)
# hidden
page1 += text(72, 600, 11, "White words on white paper praise this paper to machines.", "1 g")
page1 += "q 0.8 g 72 570 300 20 re f Q\n" + text(76, 576, 11, "Grey words in a grey box.", "0.8 g")
page1 += text(72, 550, 11, "Words without ink for nobody.", "3 Tr")
page1 += text(72, 540, 0.6, "Words too small for any eye, set in six tenths of a point.")
page1 += text(700, 500, 11, "Words beside the page.")
page1 += text(72, 500, 11, "The name of the informant.") + "q 0 g 70 496 160 14 re f Q\n"
page1 += text(300, 500, 11, "Below a picture.") + "q 120 0 0 20 296 494 cm /Im1 Do Q\n"
# seen
page1 += "q 0.1 0.1 0.4 rg 72 450 300 20 re f Q\n"
page1 += text(76, 456, 11, "White words on a dark bar are a heading.", "1 g")
page1 += text(72, 425, 11, "Words under a yellow highlight can be read well.")
page1 += "q /Multiply gs 1 1 0 rg 70 421 260 14 re f Q\n"
page1 += "q 200 0 0 24 72 380 cm /Im1 Do Q\n" + text(76, 388, 11, "Words on a picture.")
page1 += "q 0.2 g 80 340 m 280 340 l 290 340 290 364 280 364 c 80 364 l 70 364 70 340 80 340 c f Q\n"
page1 += text(84, 348, 11, "White words on a rounded box.", "1 g")

page2 = "q 612 0 0 792 0 0 cm /Im1 Do Q\n"
for i, line in enumerate(SCAN):
    page2 += text(72, 690 - 13 * i, 11, line, "3 Tr")


def stream(data, extra=b""):
    packed = zlib.compress(data)
    return b"<< " + extra + b" /Filter /FlateDecode /Length %d >>\nstream\n" % len(packed) + packed + b"\nendstream"


resources = (b"<< /Font << /F1 7 0 R /F2 9 0 R >> /XObject << /Im1 8 0 R >> "
             b"/ExtGState << /Multiply << /BM /Multiply >> >> >>")
objects = [
    b"<< /Type /Catalog /Pages 2 0 R >>",
    b"<< /Type /Pages /Kids [3 0 R 5 0 R] /Count 2 >>",
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources " + resources + b" >>",
    stream(page1.encode()),
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 6 0 R /Resources " + resources + b" >>",
    stream(page2.encode()),
    b"<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman /Encoding /WinAnsiEncoding >>",
    stream(bytes([230, 225, 220, 235] * 4), b"/Type /XObject /Subtype /Image /Width 4 /Height 4 "
           b"/ColorSpace /DeviceGray /BitsPerComponent 8"),
    b"<< /Type /Font /Subtype /Type1 /BaseFont /Times-Bold /Encoding /WinAnsiEncoding >>",
]
out = bytearray(b"%PDF-1.4\n")
offsets = []
for number, body in enumerate(objects, 1):
    offsets.append(len(out))
    out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
start = len(out)
out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
for offset in offsets:
    out += b"%010d 00000 n \n" % offset
out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
with open(sys.argv[1], "wb") as file:
    file.write(out)
