#!/usr/bin/env python3
"""Writes the small PDFs of tests/data/pdf: `python3 make_pdfs.py` (needs qpdf for the encrypted one).

Each is written object by object, so that a test knows where everything is. The same run gives the same
bytes: no dates, no random ids.
"""
import os
import subprocess
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "pdf")
FUZZ = os.path.join(HERE, "fuzz", "pdf")


class Pdf:
    """Objects by number; 1 is the catalog, 2 the page tree."""

    def __init__(self):
        self.objects = {1: b"", 2: b""}
        self.pages = []
        self.catalog = ""
        self.info = None

    def add(self, body):
        number = max(self.objects) + 1
        self.objects[number] = body.encode("latin-1") if isinstance(body, str) else body
        return number

    def set(self, number, body):
        self.objects[number] = body.encode("latin-1") if isinstance(body, str) else body

    def stream(self, data, entries="", length=None):
        if isinstance(data, str):
            data = data.encode("latin-1")
        head = "<< /Length %d %s >>\nstream\n" % (len(data) if length is None else length, entries)
        return self.add(head.encode("latin-1") + data + b"\nendstream")

    def page(self, content, resources="", entries="", media="0 0 612 792"):
        contents = self.stream(content)
        number = self.add("<< /Type /Page /Parent 2 0 R /MediaBox [%s] /Contents %d 0 R "
                          "/Resources << %s >> %s >>" % (media, contents, resources, entries))
        self.pages.append(number)
        return number

    def finish(self, count=None):
        kids = " ".join("%d 0 R" % p for p in self.pages)
        if not self.objects[2]:
            self.set(2, "<< /Type /Pages /Kids [%s] /Count %d >>"
                     % (kids, len(self.pages) if count is None else count))
        self.set(1, "<< /Type /Catalog /Pages 2 0 R %s >>" % self.catalog)

    def bytes(self, shift=0):
        """shift: added to every offset of the cross-reference table, to make it lie."""
        out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        offsets = {}
        for number in sorted(self.objects):
            offsets[number] = len(out)
            out += b"%d 0 obj\n" % number + self.objects[number] + b"\nendobj\n"
        start = len(out)
        out += b"xref\n0 %d\n0000000000 65535 f \n" % (max(self.objects) + 1)
        for number in range(1, max(self.objects) + 1):
            out += b"%010d 00000 n \n" % (offsets[number] + shift)
        info = "/Info %d 0 R " % self.info if self.info else ""
        out += ("trailer\n<< /Size %d /Root 1 0 R %s>>\nstartxref\n%d\n%%%%EOF\n"
                % (max(self.objects) + 1, info, start)).encode()
        return bytes(out)


def save(name, data):
    assert len(data) < 10240, (name, len(data))
    with open(os.path.join(OUT, name), "wb") as f:
        f.write(data)


HELVETICA = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
TIMES_BI = "<< /Type /Font /Subtype /Type1 /BaseFont /Times-BoldItalic >>"
COURIER = "<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>"


def fonts(**by_name):
    return "/Font << %s >>" % " ".join("/%s %s" % item for item in by_name.items())


def simple(content, resources=None, **kw):
    pdf = Pdf()
    pdf.page(content, resources or fonts(F=HELVETICA), **kw)
    pdf.finish()
    return pdf


def glyphs():
    return simple(
        "BT /F 12 Tf 72 720 Td (Hello) Tj ET\n"
        "BT /G 10 Tf 1 0 0 rg 2 0 0 2 100 600 Tm (ab) Tj ET\n"
        "0 g BT /C 10 Tf 0 1 -1 0 300 300 Tm (up) Tj ET\n"
        "0 0 0 1 k BT /F 12 Tf 72 500 Td (black) Tj ET\n"
        "0 g BT /F 12 Tf 72 480 Td (one ) Tj (run) Tj ET\n",
        fonts(F=HELVETICA, G=TIMES_BI, C=COURIER))


def rotated():
    pdf = Pdf()
    pdf.page("BT /F 12 Tf 60 110 Td (corner) Tj ET", fonts(F=HELVETICA),
             "/Rotate 90 /CropBox [50 100 550 700]")
    pdf.page("BT /F 12 Tf 60 110 Td (inside) Tj ET BT /F 12 Tf 10 10 Td (outside) Tj ET",
             fonts(F=HELVETICA), "/CropBox [50 100 550 700]")
    pdf.page("BT /F 12 Tf 60 110 Td (turned) Tj ET", fonts(F=HELVETICA), "/Rotate -180")
    pdf.finish()
    return pdf


def rules():
    return simple(
        "1 w 100 700 m 300 700 l S\n"                    # horizontal rule
        "0.5 w 100 600 m 100 690 l S\n"                  # vertical rule
        "100 590 200 0.8 re f\n"                         # a rule as a thin rectangle
        "2 w 100 500 100 50 re S\n"                      # stroked rectangle
        "0.9 g 1 0 0 RG 1 w 250 500 100 50 re B\n"       # filled and stroked
        "0 g 400 500 m 450 550 500 450 550 500 c S\n"    # a curve
        "1 w 100 400 m 200 400 l 100 380 m 200 380 l 100 360 m 200 360 l S\n"  # three in one path
        "q 100 300 50 50 re W n 0 0 1 rg 90 290 30 30 re f Q\n"                 # clipped
        "q 0 0 10 10 re W n 400 300 30 30 re f Q\n"                             # clipped away
        "q 2 0 0 2 0 0 cm 1 w 100 100 m 150 100 l S Q\n"                        # scaled: 2 pt wide
        "100 100 m 150 130 l S\n")                                              # slanted


def image():
    return simple(
        "q 200 0 0 100 100 500 cm\nBI /W 2 /H 1 /BPC 8 /CS /RGB ID \xff\0\0\0\xff\0 EI Q\n"
        "q 0.5 g 50 0 0 50 100 400 cm\nBI /IM true /W 8 /H 8 /BPC 1 ID "
        "\xaa\x55\xaa\x55\xaa\x55\xaa\x55 EI Q\n"
        "q 300 300 50 50 re W n 100 0 0 100 300 300 cm\nBI /W 1 /H 1 /BPC 8 /CS /G ID \x80 EI Q\n")


def document():
    """Links, outline, labels, metadata, language."""
    pdf = Pdf()
    text = "BT /F 12 Tf 72 720 Td (page %d) Tj ET"
    annots = [
        pdf.add("<< /Type /Annot /Subtype /Link /Rect [72 600 172 620] "
                "/A << /S /URI /URI (https://example.org/a?b=c) >> >>"),
        pdf.add("<< /Type /Annot /Subtype /Link /Rect [72 500 172 520] /Dest /XX >>"),
        pdf.add("<< /Type /Annot /Subtype /Link /Rect [72 400 172 420] "
                "/A << /S /GoTo /D (cite.smith2020) >> >>"),
        pdf.add("<< /Type /Annot /Subtype /Link /Rect [72 300 172 320] "
                "/A << /S /JavaScript /JS (app.alert\\(1\\)) >> >>"),
    ]
    for n in range(4):
        entries = "/Annots [%s]" % " ".join("%d 0 R" % a for a in annots) if n == 0 else ""
        pdf.page(text % (n + 1), fonts(F=HELVETICA), entries)
    pdf.set(annots[1], "<< /Type /Annot /Subtype /Link /Rect [72 500 172 520] "
            "/Dest [%d 0 R /XYZ 72 692 null] >>" % pdf.pages[1])
    names = pdf.add("<< /Names [(cite.smith2020) [%d 0 R /XYZ 100 592 null] "
                    "(figure.1) [%d 0 R /Fit]] >>" % (pdf.pages[2], pdf.pages[3]))
    root = pdf.add("")
    first, child, second = pdf.add(""), pdf.add(""), pdf.add("")
    pdf.set(root, "<< /Type /Outlines /First %d 0 R /Last %d 0 R /Count 3 >>" % (first, second))
    pdf.set(first, "<< /Title (One) /Parent %d 0 R /Next %d 0 R /First %d 0 R /Last %d 0 R "
            "/Dest [%d 0 R /XYZ 0 792 null] >>" % (root, second, child, child, pdf.pages[0]))
    pdf.set(child, "<< /Title <FEFF004B0069006E006400E9> /Parent %d 0 R /Dest (cite.smith2020) >>" % first)
    # the last item's Next leads back to the first: a cycle
    pdf.set(second, "<< /Title (Two) /Parent %d 0 R /Prev %d 0 R /Next %d 0 R "
            "/A << /S /GoTo /D [%d 0 R /Fit] >> >>" % (root, first, first, pdf.pages[3]))
    xmp = pdf.stream("<x:xmpmeta xmlns:x='adobe:ns:meta/'>packet</x:xmpmeta>",
                     "/Type /Metadata /Subtype /XML")
    pdf.info = pdf.add("<< /Title <FEFF00DC006200650072> /Author (A. Author) /Subject ( ) "
                       "/CreationDate (D:20240131120000Z) >>")
    pdf.catalog = ("/Outlines %d 0 R /Names << /Dests %d 0 R >> /Lang (en-GB) /Metadata %d 0 R "
                   "/PageLabels << /Nums [0 << /S /r >> 2 << /S /D /St 1 >> "
                   "3 << /S /A /P (A-) /St 27 >>] >>" % (root, names, xmp))
    pdf.finish()
    return pdf


def tagged():
    pdf = Pdf()
    page = pdf.page(
        "/Artifact << /Type /Pagination >> BDC BT /F 9 Tf 72 770 Td (running head) Tj ET EMC\n"
        "/H1 << /MCID 0 >> BDC BT /F 18 Tf 72 720 Td (Title) Tj ET EMC\n"
        "/P << /MCID 1 >> BDC BT /F 10 Tf 72 700 Td (some ) Tj\n"
        "/Span << /MCID 2 >> BDC (inner ) Tj EMC (rest) Tj ET EMC\n"
        "/P /Named BDC BT /F 10 Tf 72 680 Td (by name) Tj ET EMC\n"
        "/Fm Do\n"
        "EMC EMC\n"  # unbalanced on purpose
        "BT /F 10 Tf 72 640 Td (loose) Tj ET",
        fonts(F=HELVETICA) + " /Properties << /Named << /MCID 3 >> >> /XObject << /Fm 90 0 R >>")
    # a form that opens marks and does not close them
    form = "/Artifact BMC /P << /MCID 7 >> BDC BT /F 10 Tf 72 660 Td (in form) Tj ET"
    pdf.set(90, ("<< /Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << %s >> "
                 "/Length %d >>\nstream\n%s\nendstream" % (fonts(F=HELVETICA), len(form), form)))
    root = 91
    pdf.set(root, "<< /Type /StructTreeRoot /K 92 0 R /RoleMap << /Kop /H1 /Alinea /P /Loop /Loop2 "
                  "/Loop2 /Loop >> >>")
    pdf.set(92, "<< /Type /StructElem /S /Document /P 91 0 R /K [93 0 R 94 0 R 95 0 R 96 0 R] >>")
    pdf.set(93, "<< /Type /StructElem /S /Kop /P 92 0 R /Pg %d 0 R /K 0 >>" % page)
    pdf.set(94, "<< /Type /StructElem /S /Alinea /P 92 0 R /Pg %d 0 R /K [1 << /Type /MCR /MCID 2 "
                "/Pg %d 0 R >> 3] >>" % (page, page))
    pdf.set(95, "<< /Type /StructElem /S /Figure /P 92 0 R /Alt (a \\(small\\) picture) /Pg %d 0 R >>" % page)
    # its own child, and a role map that goes round
    pdf.set(96, "<< /Type /StructElem /S /Loop /P 92 0 R /K [96 0 R 92 0 R] >>")
    for hole in range(max(n for n in pdf.objects if n < 90) + 1, 90):
        pdf.set(hole, "null")
    pdf.catalog = "/StructTreeRoot %d 0 R /MarkInfo << /Marked true >>" % root
    pdf.finish()
    return pdf


def modes():
    return simple(
        "BT /F 12 Tf 72 720 Td 3 Tr (hidden) Tj ET\n"
        "BT /F 12 Tf 72 700 Td 0 Tr (plain) Tj ET\n"
        "BT /F 12 Tf 72 680 Td 1 Tr (stroked) Tj ET\n"
        "BT /F 12 Tf 72 660 Td 2 Tr (both) Tj ET\n"
        "q BT /F 12 Tf 72 640 Td 7 Tr (clip) Tj ET Q\n"
        "BT /F 12 Tf 900 620 Td 0 Tr (beyond) Tj ET\n"
        "q 300 500 100 100 re W n BT /F 12 Tf 310 550 Td (within) Tj ET "
        "BT /F 12 Tf 72 550 Td (cut off) Tj ET Q\n"
        "q /Pattern cs /S scn BT /F 12 Tf 72 600 Td (shaded) Tj ET Q\n",
        fonts(F=HELVETICA) +
        " /Pattern << /S << /PatternType 2 /Shading << /ShadingType 2 /ColorSpace /DeviceRGB "
        "/Coords [0 0 600 0] /Function << /FunctionType 2 /Domain [0 1] /C0 [1 0 0] /C1 [0 0 1] /N 1 >> "
        "/Extend [true true] >> >> >>")


def type3():
    pdf = Pdf()
    box = pdf.stream("600 0 0 0 500 700 d1 0 0 500 700 re f")
    colored = pdf.stream("600 0 d0 1 0 0 rg 0 0 500 700 re f")
    # as dvips makes them: a matrix of pixels, drawn at size 1
    pixels = pdf.stream("40 0 0 0 38 45 d1 38 0 0 45 0 0 cm BI /IM true /W 8 /H 8 /BPC 1 ID "
                        "\xff\x81\x81\x81\x81\x81\x81\xff EI")
    cmap = pdf.stream("/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
                      "1 begincodespacerange <00> <FF> endcodespacerange\n"
                      "2 beginbfchar <61> <0041> <62> <0042> endbfchar\n"
                      "endcmap end end")
    font = ("<< /Type /Font /Subtype /Type3 /FontBBox [0 0 600 700] /FontMatrix [0.001 0 0 0.001 0 0] "
            "/CharProcs << /a %d 0 R /b %d 0 R >> /Encoding << /Differences [97 /a /b] >> "
            "/FirstChar 97 /LastChar 98 /Widths [600 600] /ToUnicode %d 0 R /Resources << >> >>"
            % (box, colored, cmap))
    bitmap = ("<< /Type /Font /Subtype /Type3 /FontBBox [0 -15 40 45] /FontMatrix [1 0 0 1 0 0] "
              "/CharProcs << /A %d 0 R >> /Encoding << /Differences [65 /A] >> "
              "/FirstChar 65 /LastChar 65 /Widths [40] /Resources << >> >>" % pixels)
    pdf.page("BT /T 10 Tf 72 700 Td (ab) Tj ET\n"
             "BT /B 1 Tf 0.2 0 0 0.2 72 600 Tm (AA) Tj ET\n",
             fonts(T=font, B=bitmap))
    pdf.finish()
    return pdf


def unicode_maps():
    pdf = Pdf()
    cmap = pdf.stream("/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
                      "1 begincodespacerange <00> <FF> endcodespacerange\n"
                      "4 beginbfchar <41> <006600660069> <42> <FB01> <43> <E000> <44> <0007> endbfchar\n"
                      "endcmap end end")
    mapped = ("<< /Type /Font /Subtype /Type1 /BaseFont /ABCDEF+Helvetica-Oblique "
              "/FirstChar 65 /LastChar 68 /Widths [600 600 600 600] /ToUnicode %d 0 R >>" % cmap)
    glyph = pdf.stream("600 0 0 0 500 700 d1 0 0 500 700 re f")
    bell = pdf.stream("/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
                      "1 begincodespacerange <00> <FF> endcodespacerange\n"
                      "1 beginbfchar <21> <0007> endbfchar\nendcmap end end")
    nameless = ("<< /Type /Font /Subtype /Type3 /FontBBox [0 0 600 700] "
                "/FontMatrix [0.001 0 0 0.001 0 0] /CharProcs << /blob %d 0 R >> "
                "/Encoding << /Differences [33 /blob] >> /FirstChar 33 /LastChar 33 /Widths [600] "
                "/ToUnicode %d 0 R /Resources << >> >>" % (glyph, bell))
    pdf.page("BT /M 10 Tf 72 700 Td (A) Tj ET BT /M 10 Tf 72 680 Td (B) Tj ET "
             "BT /M 10 Tf 72 660 Td (CDz) Tj ET BT /N 10 Tf 72 640 Td (!!) Tj ET",
             fonts(M=mapped, N=nameless))
    pdf.finish()
    return pdf


def annotations():
    pdf = Pdf()
    look = "BT /F 12 Tf 2 4 Td (%s) Tj ET"
    form = "/Type /XObject /Subtype /Form /BBox [0 0 100 20] /Resources << %s >>" % fonts(F=HELVETICA)
    note = pdf.stream(look % "a note", form)
    field = pdf.stream(look % "a field", form)
    pdf.page("BT /F 12 Tf 72 720 Td (page) Tj ET", fonts(F=HELVETICA),
             "/Annots [<< /Type /Annot /Subtype /FreeText /Rect [72 600 172 620] /DA (/F 12 Tf) "
             "/Contents (a note) /AP << /N %d 0 R >> >> "
             "<< /Type /Annot /Subtype /Widget /FT /Tx /T (f) /V (a field) /Rect [72 500 172 520] "
             "/AP << /N %d 0 R >> >>]" % (note, field))
    pdf.finish()
    return pdf


def nested_forms():
    """A form that draws itself, and a chain of 64."""
    pdf = Pdf()
    form = "/Subtype /Form /BBox [0 0 612 792]"
    own = max(pdf.objects) + 1
    pdf.stream("BT /F 12 Tf 72 700 Td (self) Tj ET /X Do",
               form + " /Resources << %s /XObject << /X %d 0 R >> >>" % (fonts(F=HELVETICA), own))
    inner = pdf.stream("BT /F 12 Tf 72 600 Td (bottom) Tj ET",
                       form + " /Resources << %s >>" % fonts(F=HELVETICA))
    shallow = inner
    for depth in range(64):
        inner = pdf.stream("/X Do", form + " /Resources << /XObject << /X %d 0 R >> >>" % inner)
        if depth == 4:
            shallow = inner
    pdf.page("/A Do /B Do /C Do BT /F 12 Tf 72 500 Td (after) Tj ET",
             fonts(F=HELVETICA) + " /XObject << /A %d 0 R /B %d 0 R /C %d 0 R >>" % (own, inner, shallow))
    pdf.finish()
    return pack(pdf)


def pack(pdf):
    """The same objects in an object stream, where they fit into few bytes (streams stay outside)."""
    inside = {n: b for n, b in pdf.objects.items() if b"stream\n" not in b}
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = {}
    for number in sorted(pdf.objects):
        if number in inside:
            continue
        offsets[number] = len(out)
        out += b"%d 0 obj\n" % number + pdf.objects[number] + b"\nendobj\n"
    holder, table = max(pdf.objects) + 1, max(pdf.objects) + 2
    index, body = b"", b""
    for number in sorted(inside):
        index += b"%d %d " % (number, len(body))
        body += inside[number] + b" "
    packed = zlib.compress(index + body, 9)
    offsets[holder] = len(out)
    out += (b"%d 0 obj\n<< /Type /ObjStm /N %d /First %d /Filter /FlateDecode /Length %d >>\nstream\n"
            % (holder, len(inside), len(index), len(packed))) + packed + b"\nendstream\nendobj\n"
    start = offsets[table] = len(out)
    rows = bytes(6)  # /W [1 3 2]: type, offset or object stream, generation or index
    order = {n: i for i, n in enumerate(sorted(inside))}
    for number in range(1, table + 1):
        if number in order:
            rows += b"\2" + holder.to_bytes(3, "big") + order[number].to_bytes(2, "big")
        else:
            rows += b"\1" + offsets[number].to_bytes(3, "big") + bytes(2)
    data = zlib.compress(rows, 9)
    out += (b"%d 0 obj\n<< /Type /XRef /Size %d /W [1 3 2] /Root 1 0 R /Filter /FlateDecode /Length %d >>"
            b"\nstream\n" % (table, table + 1, len(data))) + data + b"\nendstream\nendobj\n"
    out += b"startxref\n%d\n%%%%EOF\n" % start
    return bytes(out)


def deep_pages():
    """One page below 600 levels of /Kids."""
    pdf = Pdf()
    first = max(pdf.objects) + 1
    for depth in range(600):
        pdf.add("<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % (first + depth + 1))
    pdf.add("<< /Type /Page /MediaBox [0 0 100 100] >>")
    pdf.set(2, "<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % first)
    pdf.finish()
    return pack(pdf)


def cyclic_pages():
    pdf = Pdf()
    pdf.page("BT /F 12 Tf 72 720 Td (only page) Tj ET", fonts(F=HELVETICA))
    pdf.set(2, "<< /Type /Pages /Kids [2 0 R %d 0 R 2 0 R] /Count 3 >>" % pdf.pages[0])
    pdf.finish()
    return pdf


def bad_count():
    pdf = Pdf()
    for n in range(2):
        pdf.page("BT /F 12 Tf 72 720 Td (page %d) Tj ET" % (n + 1), fonts(F=HELVETICA))
    pdf.finish(count=2000000000)
    return pdf


def bomb():
    """A content stream of 256 MB of operators that draw nothing, and then a word."""
    once = zlib.compress(b"q Q " * (64 << 20) + b"BT /F 12 Tf 72 720 Td (end) Tj ET", 9)
    twice = zlib.compress(zlib.compress(once, 9), 9)
    pdf = Pdf()
    content = pdf.stream(twice.decode("latin-1"), "/Filter [/FlateDecode /FlateDecode /FlateDecode]")
    pdf.pages.append(pdf.add("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
                             "/Resources << %s >> >>" % (content, fonts(F=HELVETICA))))
    pdf.finish()
    return pdf


def masks():
    """Text in a soft mask, through one, and in a tiling pattern."""
    pdf = Pdf()
    form = "/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << %s >> " % fonts(F=HELVETICA)
    mask = pdf.stream("BT /F 12 Tf 72 720 Td (in the mask) Tj ET",
                      form + "/Group << /S /Transparency /CS /DeviceGray >>")
    tile = pdf.stream("BT /F 12 Tf 0 0 Td (tile) Tj ET", "/PatternType 1 /PaintType 1 /TilingType 1 "
                      "/BBox [0 0 30 20] /XStep 30 /YStep 20 /Resources << %s >>" % fonts(F=HELVETICA))
    pdf.page("q /M gs BT /F 12 Tf 72 700 Td (through it) Tj ET Q\n"
             "BT /F 12 Tf 72 680 Td (after it) Tj ET\n"
             "q /Pattern cs /T scn 72 500 200 100 re f Q\n"
             "BT /F 12 Tf 72 660 Td (after the tiles) Tj ET\n",
             fonts(F=HELVETICA) + " /ExtGState << /M << /SMask << /S /Luminosity /G %d 0 R >> >> >> "
             "/Pattern << /T %d 0 R >>" % (mask, tile))
    pdf.finish()
    return pdf


def layers():
    """Optional content that is switched off, and on."""
    pdf = Pdf()
    off = pdf.add("<< /Type /OCG /Name (off) >>")
    on = pdf.add("<< /Type /OCG /Name (on) >>")
    pdf.page("BT /F 12 Tf 72 720 Td /OC /Off BDC (switched off) Tj EMC ET\n"
             "BT /F 12 Tf 72 700 Td /OC /On BDC (switched on) Tj EMC ET\n",
             fonts(F=HELVETICA) + " /Properties << /Off %d 0 R /On %d 0 R >>" % (off, on))
    pdf.catalog = ("/OCProperties << /OCGs [%d 0 R %d 0 R] /D << /ON [%d 0 R] /OFF [%d 0 R] "
                   "/Order [] >> >>" % (off, on, on, off))
    pdf.finish()
    return pdf


def vertical():
    font = ("<< /Type /Font /Subtype /Type0 /BaseFont /Ryumin-Light-V /Encoding /UniJIS-UTF16-V "
            "/DescendantFonts [<< /Type /Font /Subtype /CIDFontType0 /BaseFont /Ryumin-Light "
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 5 >> /DW 1000 "
            "/FontDescriptor << /Type /FontDescriptor /FontName /Ryumin-Light /Flags 6 "
            "/FontBBox [0 -120 1000 880] /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 700 "
            "/StemV 90 >> >>] >>")
    return simple("BT /V 12 Tf 300 700 Td <65E5672C> Tj ET", fonts(V=font))


def main():
    os.makedirs(OUT, exist_ok=True)
    for make in (glyphs, rotated, rules, image, document, tagged, modes, type3, unicode_maps,
                 annotations, cyclic_pages, bad_count, bomb, masks, layers, vertical):
        save(make.__name__ + ".pdf", make().bytes())
    save("nested_forms.pdf", nested_forms())
    save("deep_pages.pdf", deep_pages())
    save("huge_page.pdf", simple("BT /F 12 Tf 72 720 Td (huge) Tj ET", media="0 0 1000000000 1000000000").bytes())
    plain = glyphs().bytes()
    save("lying_xref.pdf", glyphs().bytes(shift=7))
    whole = document().bytes()
    save("truncated.pdf", whole[:whole.index(b"(page 4)")])
    save("cut_short.pdf", plain[:plain.index(b"/Type /Page ")])
    save("no_pages.pdf", simple("").bytes().replace(b"/Kids [4 0 R]", b"/Kids [     ]"))
    save("late_header.pdf", b"X-Mailer: something\r\n\r\n" + plain)
    source = os.path.join(OUT, "glyphs.pdf")
    # what the fuzzer starts from: small and of many kinds
    os.makedirs(FUZZ, exist_ok=True)
    for name in ("document", "tagged", "type3", "unicode_maps", "modes", "rules"):
        with open(os.path.join(OUT, name + ".pdf"), "rb") as f, \
                open(os.path.join(FUZZ, name + ".pdf"), "wb") as g:
            g.write(f.read())
    subprocess.run(["qpdf", "--static-id", "--static-aes-iv", "--encrypt", "user", "owner", "128",
                    "--use-aes=y", "--", source, os.path.join(OUT, "encrypted.pdf")], check=True)


if __name__ == "__main__":
    main()
