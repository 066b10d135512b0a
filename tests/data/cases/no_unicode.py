#!/usr/bin/env python3
"""A font whose glyphs nobody can name: Type 3, glyphs "sign1" to "sign26" at codes 1 to 26, no ToUnicode. Its words
cannot be read, which is to be said, not hidden; the words of the other font can."""
import sys


def text(x, y, size, words, font="F1"):
    return f"BT /{font} {size} Tf {x} {y} Td ({words}) Tj ET\n"


def signs(x, y, size, words):
    strings = ["<" + "".join(f"{ord(c) - 64:02x}" for c in word) + ">" for word in words.split()]
    return f"BT /F3 {size} Tf {x} {y} Td [{' -500 '.join(strings)}] TJ ET\n"


page = text(72, 730, 17, "A Cipher in the Margin")
page += text(72, 705, 13, "1   Method", "F2")
for i, line in enumerate([
        "The clerk of the salt office kept his accounts twice, once for the",
        "king and once for himself, and wrote the second in signs of his own.",
        "We print a line of them here as it stands in his old ledger of 1761,",
        "and we leave it to others to find out what it says about the salt."]):
    page += text(72, 685 - 13 * i, 11, line)
for i, line in enumerate(["KHOOR ZRUOG ZKR UHDGV WKLV OLQH LV D FOHUN DQG QRW D NLQJ",
                          "VDOW DQG VLOYHU ZHUH VROG LQ WKH KDUERXU EB QLJKW DQG EB GDB"]):
    page += signs(72, 615 - 13 * i, 11, line)

procs = " ".join(f"/sign{i + 1} {10 + i} 0 R" for i in range(26))
widths = " ".join(["600"] * 26)
differences = " ".join(f"/sign{i + 1}" for i in range(26))
objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font "
    "<< /F1 5 0 R /F2 6 0 R /F3 7 0 R >> >> >>",
    f"<< /Length {len(page)} >>\nstream\n{page}endstream",
    "<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman /Encoding /WinAnsiEncoding >>",
    "<< /Type /Font /Subtype /Type1 /BaseFont /Times-Bold /Encoding /WinAnsiEncoding >>",
    f"<< /Type /Font /Subtype /Type3 /Name /Signs /FontBBox [0 0 600 700] /FontMatrix [.001 0 0 .001 0 0] "
    f"/CharProcs << {procs} >> /Encoding << /Type /Encoding /Differences [1 {differences}] >> "
    f"/FirstChar 1 /LastChar 26 /Widths [{widths}] /Resources << >> >>",
    "<< >>",
    "<< >>",
]
for i in range(26):
    draw = f"600 0 0 0 600 700 d1 50 0 {40 + 18 * i} {680 - 20 * i} re f 300 {20 * i} 200 100 re f\n"
    objects.append(f"<< /Length {len(draw)} >>\nstream\n{draw}endstream")
out = bytearray(b"%PDF-1.4\n")
offsets = []
for number, body in enumerate(objects, 1):
    offsets.append(len(out))
    out += f"{number} 0 obj\n{body}\nendobj\n".encode()
start = len(out)
out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
with open(sys.argv[1], "wb") as file:
    file.write(out)
