"""Writes a tagged PDF whose tags know better than geometry: two short columns of cards that are read row by row, drawn in
a third order, with a header marked as an artifact and a heading that looks like text. Usage: tagged_order.py OUT.pdf"""
import sys

CARDS = [("Anchor", ["A hook of iron on a chain. It", "holds the boat to the ground."]),
         ("Buoy", ["A float with a name on it. It", "tells the boat where to go."]),
         ("Capstan", ["A drum on a post. Four walk", "round it and the rope comes in."]),
         ("Davit", ["A crooked arm at the side. It", "lets the small boat down."])]
PLACES = [(72, 640), (320, 640), (72, 560), (320, 560)]


def show(x, y, text, font="F1", size=11):
    return "BT /%s %d Tf %d %d Td (%s) Tj ET\n" % (font, size, x, y, text)


def content():
    out = "/Artifact <</Type /Pagination>> BDC\n" + show(250, 750, "Words of the harbour") + "EMC\n"
    for card in (2, 0, 3, 1):  # drawn in no order at all
        x, y = PLACES[card]
        out += "/H2 <</MCID %d>> BDC\n" % (2 * card + 1) + show(x, y, CARDS[card][0]) + "EMC\n"
        out += "/P <</MCID %d>> BDC\n" % (2 * card + 2)
        for i, line in enumerate(CARDS[card][1]):
            out += show(x, y - 16 - 13 * i, line)
        out += "EMC\n"
    return out + "/H1 <</MCID 0>> BDC\n" + show(72, 690, "Four things on deck", "F2", 16) + "EMC\n"


def main(path):
    stream = content()
    objects = ["<</Type /Catalog /Pages 2 0 R /MarkInfo <</Marked true>> /StructTreeRoot 7 0 R /Lang (en)>>",
               "<</Type /Pages /Kids [3 0 R] /Count 1>>",
               "<</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /StructParents 0 "
               "/Resources <</Font <</F1 5 0 R /F2 6 0 R>>>>>>",
               "<</Length %d>>\nstream\n%sendstream" % (len(stream), stream),
               "<</Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding>>",
               "<</Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding>>"]
    elements = [("H1", 0)]
    for card in range(4):
        elements += [("H2", 2 * card + 1), ("P", 2 * card + 2)]
    first = len(objects) + 3
    kids = " ".join("%d 0 R" % (first + i) for i in range(len(elements)))
    objects.append("<</Type /StructTreeRoot /K [8 0 R]>>")
    objects.append("<</Type /StructElem /S /Document /P 7 0 R /K [%s]>>" % kids)
    objects += ["<</Type /StructElem /S /%s /P 8 0 R /Pg 3 0 R /K %d>>" % e for e in elements]
    out, offsets = "%PDF-1.7\n", []
    for i, body in enumerate(objects):
        offsets.append(len(out))
        out += "%d 0 obj\n%s\nendobj\n" % (i + 1, body)
    start = len(out)
    out += "xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += "".join("%010d 00000 n \n" % o for o in offsets)
    out += "trailer\n<</Size %d /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    with open(path, "wb") as file:
        file.write(out.encode("latin-1"))


main(sys.argv[1])
