#!/usr/bin/env python3
"""Hebrew and Arabic as a program writes them: from left to right as they stand on the page. Read, they start at the right;
numbers and foreign words inside run to the right all the same, and a ligature of two letters keeps their order.

Not embedded: a Type 0 font with two-byte codes, every glyph 600 wide, and a ToUnicode map."""
import sys

codes = {}  # string of characters -> code


def code(cluster):
    return codes.setdefault(cluster, len(codes) + 1)


def visual(logical, ligatures=()):
    """Clusters of a right-to-left line in the order in which they stand, from the left."""
    clusters = []
    while logical:
        size = next((len(l) for l in ligatures if logical.startswith(l)), 1)
        clusters.append(logical[:size])
        logical = logical[size:]
    clusters.reverse()
    out, run = [], []
    for cluster in clusters:  # numbers and Latin words turn back
        if cluster.isascii() and cluster.isalnum():
            run.insert(0, cluster)
            continue
        out += run + [cluster]
        run = []
    return out + run


def line(y, logical, ligatures=(), right=540, size=12):
    clusters = visual(logical, ligatures)
    x = right - 0.6 * size * len(clusters)
    hexes = "".join(f"{code(c):04x}" for c in clusters)
    return f"BT /F1 {size} Tf {x:.2f} {y} Td <{hexes}> Tj ET\n"


page = line(740, "1 מד הגאות בנמל הישן", size=16)
for i, text in enumerate([
        "השומר רשם את גובה המים בכל שעה במשך שלושים שנה ולא",
        "החמיץ אף לילה אחד גם כשהרוח נשבה בעוצמה רבה מן הים",
        "בשנת 1887 נמדדו 412 סנטימטרים ליד מזח London בלבד"]):
    page += line(700 - 18 * i, text)
page += line(620, "السلام على البلاد والعلماء في كل مكان", ("لا",))

cmap = "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CMapName /A def\n/CMapType 2 def\n" \
       "1 begincodespacerange\n<0000> <ffff>\nendcodespacerange\n"
items = [f"<{c:04x}> <{text.encode('utf-16-be').hex()}>" for text, c in codes.items()]
for start in range(0, len(items), 100):
    part = items[start:start + 100]
    cmap += f"{len(part)} beginbfchar\n" + "\n".join(part) + "\nendbfchar\n"
cmap += "endcmap\nend\nend\n"
objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
    f"<< /Length {len(page)} >>\nstream\n{page}endstream",
    "<< /Type /Font /Subtype /Type0 /BaseFont /Harbour /Encoding /Identity-H /DescendantFonts [6 0 R] /ToUnicode 7 0 R >>",
    "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Harbour /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) "
    "/Supplement 0 >> /DW 600 /FontDescriptor 8 0 R >>",
    f"<< /Length {len(cmap)} >>\nstream\n{cmap}endstream",
    "<< /Type /FontDescriptor /FontName /Harbour /Flags 4 /FontBBox [0 -200 600 800] /ItalicAngle 0 /Ascent 800 "
    "/Descent -200 /CapHeight 700 /StemV 80 >>",
]
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
