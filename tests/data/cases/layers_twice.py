#!/usr/bin/env python3
"""Scans whose text comes more than once: each page is a picture of the whole page with text over or under it.

Page 1: two invisible layers of two programs, the older one's words wrong and a little beside.
Page 2: text drawn for the eye on the picture, and two invisible layers of the same.
Page 3: a layer under the picture that has half of the lines, and a later one with all of them.
Page 4: a layer, and a large grey stamp across it, which is no repetition.
"""
import sys
import zlib

PAGES = [
    ["On the second of March the float of the northern gauge was found",
     "caught on a nail, so that its readings of that week are left out of",
     "the comparison. The nail was drawn, and the gauge was set again",
     "by the mark that the harbour master had cut into the quay in 1887."],
    ["The tide gauge at the old harbour was read every hour by two",
     "observers who did not know of each other, and their notes were",
     "compared only after the season had ended. They agree within two",
     "centimetres on all but three days, and those were days of storm."],
    ["In autumn the quay was dredged, and the gauge was moved to the",
     "other side of the basin, where the swell of the ferries is less.",
     "Its zero was found again by levelling from the church, twice on",
     "the same day, with a difference of four millimetres between them."],
    ["Readings of the last winter were taken by a boy of fourteen years,",
     "whose notes are the best of all, since he wrote down the minute",
     "and the direction of the wind as well, and never once guessed at",
     "a figure that the ice had hidden from him."],
]
# of Helvetica's letters from the blank on, in thousandths of an em
WIDTHS = dict(enumerate([278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278] + [556] * 10 +
                        [278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722,
                         778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500,
                         556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500,
                         500, 500], 32))


def width(text, size):
    return size * sum(WIDTHS[ord(c)] for c in text) / 1000


def layer(lines, size, dx, dy, mode, words=False, wrong=False):
    """Words where those of 10 points stand, whatever the size: letters are stretched to them, as recognition does."""
    out = "BT /F1 %g Tf %d Tr\n" % (size, mode)
    for i, line in enumerate(lines):
        y = 690 - 13 * i + dy
        x = 72 + dx
        for part in line.split() if words else [line]:
            text = part.replace("the", "tlie").replace("m", "rn") if wrong else part
            out += "%.1f Tz 1 0 0 1 %.1f %.1f Tm (%s ) Tj\n" % (100 * width(part, 10) / width(text, size), x, y, text)
            x += width(part + " ", 10)
    return out + "ET\n"


PICTURE = "q 612 0 0 792 0 0 cm /Im1 Do Q\n"
one, two, three, four = PAGES
contents = [
    PICTURE + layer(one, 10.8, 1.1, -1.2, 3, True, True) + layer(one, 10, 0, 0, 3),
    PICTURE + layer(two, 10, 0, 0, 0) + layer(two, 11, 0.8, -1, 3, True) + layer(two, 9.5, -0.7, 0.9, 3, True),
    layer(three[:2], 10, 0, 0, 0) + PICTURE + layer(three, 10.6, 0.9, 1, 3, True),
    PICTURE + layer(four, 10, 0, 0, 3) + "BT /F1 80 Tf 0 Tr 0.8 g 1 0 0 1 90 655 Tm (COPY) Tj ET\n",
]


def stream(data, extra=b""):
    packed = zlib.compress(data, 9)
    return b"<< " + extra + b" /Filter /FlateDecode /Length %d >>\nstream\n" % len(packed) + packed + b"\nendstream"


n = len(contents)
objects = [b"<< /Type /Catalog /Pages 2 0 R >>",
           b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(b"%d 0 R" % (5 + 2 * i) for i in range(n)), n),
           b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
           stream(bytes((x * 3 + y) % 32 + 200 for y in range(40) for x in range(30)),
                  b"/Type /XObject /Subtype /Image /Width 30 /Height 40 /ColorSpace /DeviceGray /BitsPerComponent 8")]
for i, content in enumerate(contents):
    objects.append(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
                   b"/Resources << /Font << /F1 3 0 R >> /XObject << /Im1 4 0 R >> >> >>" % (6 + 2 * i))
    objects.append(stream(content.encode()))
out = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
offsets = []
for i, data in enumerate(objects):
    offsets.append(len(out))
    out += b"%d 0 obj\n" % (i + 1) + data + b"\nendobj\n"
xref = len(out)
out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
for offset in offsets:
    out += b"%010d 00000 n \n" % offset
out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, xref)
with open(sys.argv[1] if len(sys.argv) > 1 else "layers_twice.pdf", "wb") as f:
    f.write(out)
