#!/usr/bin/env python3
"""Writes the office files, the book and the saved page of this folder, and the damaged ones in bad/.

    make_office.py [FOLDER]      default: this folder

Minimal packages with words of our own; the same bytes each time. Expected results in golden/ are rewritten by
`test_layout_readers_office --update`."""
import os
import struct
import sys
import zipfile
import zlib

HERE = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
M = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
WP = 'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"'
P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def write(name, parts, stored=()):
    path = os.path.join(HERE, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with zipfile.ZipFile(path, "w") as z:
        for part, data in parts:
            info = zipfile.ZipInfo(part, (2024, 5, 17, 12, 0, 0))
            info.compress_type = zipfile.ZIP_STORED if part in stored else zipfile.ZIP_DEFLATED
            z.writestr(info, data)


def png(width, height, shade):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes((x * shade + y * 3) % 256 for x in range(width)) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def rels(*entries):
    body = "".join('<Relationship Id="%s" Type="%s%s" Target="%s"%s/>' %
                   (i, REL, kind, target, ' TargetMode="External"' if target.startswith("http") else "")
                   for i, kind, target in entries)
    return HEAD + '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">%s</Relationships>' % body


def core(title, author):
    return HEAD + ('<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
                   'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/">'
                   '<dc:title>%s</dc:title><dc:creator>%s</dc:creator><dc:language>en-GB</dc:language>'
                   '<dcterms:created>2023-04-01T10:00:00Z</dcterms:created></cp:coreProperties>' % (title, author))


# ---- Word -------------------------------------------------------------------------------------

def p(text, style=None, more=""):
    properties = ('<w:pStyle w:val="%s"/>' % style if style else "") + more
    return "<w:p>%s%s</w:p>" % ("<w:pPr>%s</w:pPr>" % properties if properties else "", text)


def r(text, properties=""):
    return '<w:r>%s<w:t xml:space="preserve">%s</w:t></w:r>' % (
        "<w:rPr>%s</w:rPr>" % properties if properties else "", text)


def field(instruction, result):
    return ('<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText xml:space="preserve"> %s </w:instrText></w:r>'
            '<w:r><w:fldChar w:fldCharType="separate"/></w:r>%s<w:r><w:fldChar w:fldCharType="end"/></w:r>' %
            (instruction, result))


def cell(text, properties=""):
    return "<w:tc><w:tcPr>%s</w:tcPr>%s</w:tc>" % (properties, p(r(text) if text else ""))


def item(text, level, num):
    return p(r(text), None, '<w:numPr><w:ilvl w:val="%d"/><w:numId w:val="%d"/></w:numPr>' % (level, num))


def docx_parts():
    style = '<w:style w:type="paragraph" w:styleId="%s"%s><w:name w:val="%s"/>%s%s</w:style>'
    styles = HEAD + "<w:styles %s>%s</w:styles>" % (W, "".join([
        style % ("Normal", ' w:default="1"', "Normal", "", ""),
        style % ("Title", "", "Title", "", ""),
        style % ("H1", "", "heading 1", "", '<w:pPr><w:numPr><w:numId w:val="3"/></w:numPr><w:outlineLvl w:val="0"/></w:pPr>'),
        style % ("H2", "", "heading 2", "", '<w:pPr><w:numPr><w:ilvl w:val="1"/><w:numId w:val="3"/></w:numPr><w:outlineLvl w:val="1"/></w:pPr>'),
        style % ("Mine", "", "My heading", '<w:basedOn w:val="H2"/>', ""),
        style % ("Caption", "", "caption", "", ""),
        style % ("TOC1", "", "toc 1", "", ""),
        style % ("Code", "", "HTML Preformatted", "", ""),
        '<w:style w:type="character" w:styleId="Strong"><w:name w:val="Strong"/><w:rPr><w:b/></w:rPr></w:style>']))

    def level(i, fmt, text):
        return '<w:lvl w:ilvl="%d"><w:start w:val="1"/><w:numFmt w:val="%s"/><w:lvlText w:val="%s"/></w:lvl>' % (i, fmt, text)

    numbering = HEAD + "<w:numbering %s>%s</w:numbering>" % (W, "".join(
        ['<w:abstractNum w:abstractNumId="%d">%s</w:abstractNum>' % (n, "".join(levels)) for n, levels in [
            (0, [level(0, "bullet", "\u2022"), level(1, "bullet", "o")]),
            (1, [level(0, "decimal", "%1."), level(1, "lowerLetter", "%2)"), level(2, "lowerRoman", "%3.")]),
            (2, [level(0, "decimal", "%1"), level(1, "decimal", "%1.%2")])]] +
        ['<w:num w:numId="%d"><w:abstractNumId w:val="%d"/></w:num>' % (n + 1, n) for n in range(3)]))
    math = ('<m:oMath><m:r><m:t>E</m:t></m:r><m:r><m:t>=</m:t></m:r><m:f><m:num><m:r><m:t>m</m:t></m:r></m:num>'
            '<m:den><m:r><m:t>2</m:t></m:r></m:den></m:f><m:sSup><m:e><m:r><m:t>v</m:t></m:r></m:e><m:sup><m:r>'
            '<m:t>2</m:t></m:r></m:sup></m:sSup></m:oMath>')
    drawing = ('<w:r><w:drawing><wp:inline><wp:extent cx="914400" cy="685800"/><wp:docPr id="1" name="p" descr="A grey slope"/>'
               '<a:graphic><a:graphicData><a:blip r:embed="rId5"/></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>')
    box = ('<w:r><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice Requires="wps">'
           '<w:drawing><wps:txbx xmlns:wps="x"><w:txbxContent>%s</w:txbxContent></wps:txbx></w:drawing></mc:Choice><mc:Fallback>'
           '<w:pict><w:txbxContent>%s</w:txbxContent></w:pict></mc:Fallback></mc:AlternateContent></w:r>' %
           (p(r("A remark in a box.")), p(r("A remark in a box."))))
    table = ("<w:tbl><w:tblPr/><w:tr><w:trPr><w:tblHeader/></w:trPr>%s%s</w:tr><w:tr>%s%s%s</w:tr><w:tr>%s%s%s</w:tr></w:tbl>" % (
        cell("Lake"), cell("Depth in metres", '<w:gridSpan w:val="2"/>'),
        cell("North", '<w:vMerge w:val="restart"/>'), cell("12"), cell("14"),
        cell("", "<w:vMerge/>"), cell("15"), cell("18")))
    body = "".join([
        p(r("Slopes of small lakes"), "Title"),
        p(field('TOC \\o "1-2"', r("1 Methods\t2")), "TOC1"),
        p(r("Methods"), "H1"),
        p(r("We measured ") + r("twelve", "<w:b/>") + r(" lakes") + r("2", '<w:vertAlign w:val="superscript"/>') +
          r(" with ") + r("half ", "<w:strike/>") + r("a", "<w:b/><w:dstrike/>") + r(" a ") + r("line", '<w:rStyle w:val="Strong"/>') + r(" and a ") +
          '<w:hyperlink r:id="rId6">%s</w:hyperlink>' % r("sonar") + r(".") +
          '<w:r><w:footnoteReference w:id="2"/></w:r>' +
          '<w:ins w:id="9">%s</w:ins><w:del w:id="10"><w:r><w:delText>Old words.</w:delText></w:r></w:del>' % r(" New words.") +
          r("Nobody sees this.", "<w:vanish/>") + '<w:r><w:commentReference w:id="0"/></w:r>'),
        p(r("Steps"), "Mine"),
        item("Choose a lake", 0, 2), item("by size", 1, 2), item("by depth", 1, 2), item("Measure", 0, 2),
        item("wind", 0, 1), item("waves", 1, 1),
        p(r("The energy is ") + math + r(" for all of them.")),
        p("<m:oMathPara>%s</m:oMathPara>" % math),
        "<w:tbl><w:tr>%s<w:tc>%s</w:tc>%s</w:tr></w:tbl>" % (cell(""), p(math), cell("(7)")),
        p('<w:r><w:lastRenderedPageBreak/></w:r>' + r("Results"), "H1"),
        p(r("Table ") + field("SEQ Table", r("1")) + r(": Depths."), "Caption"),
        table,
        p(drawing),
        p(r("Figure ") + field("SEQ Figure", r("1")) + r(": A slope."), "Caption"),
        p(box + r("Text beside a box.")),
        p(r("for lake in lakes:"), "Code"), p(r("    measure(lake)"), "Code"),
        p(r("References"), "H1"),
        p(r("[1] Brook, A. and Rill, B. (2019). Depths of northern lakes. Journal of Water, 12(3), 34-56. doi:10.1234/abc.5")),
        '<w:sectPr><w:pgSz w:w="11906" w:h="16838"/></w:sectPr>'])
    notes = HEAD + ('<w:footnotes %s><w:footnote w:id="-1" w:type="separator"><w:p/></w:footnote><w:footnote w:id="2">%s</w:footnote>'
                    "</w:footnotes>" % (W, p('<w:r><w:footnoteRef/></w:r>' + r("Lent by the harbour."))))
    document = HEAD + "<w:document %s %s %s %s %s><w:body>%s</w:body></w:document>" % (W, R, M, A, WP, body)
    return [("[Content_Types].xml", HEAD + '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'),
            ("_rels/.rels", rels(("rId1", "officeDocument", "word/document.xml"))),
            ("word/document.xml", document), ("word/styles.xml", styles), ("word/numbering.xml", numbering),
            ("word/footnotes.xml", notes),
            ("word/_rels/document.xml.rels", rels(("rId1", "styles", "styles.xml"), ("rId2", "numbering", "numbering.xml"),
                                                  ("rId3", "footnotes", "footnotes.xml"), ("rId5", "image", "media/image1.png"),
                                                  ("rId6", "hyperlink", "https://example.org/sonar"))),
            ("word/media/image1.png", png(48, 36, 5)),
            ("docProps/core.xml", core("Ignored for the printed title", "Ada Brook; Bela Rill"))]


# ---- PowerPoint ---------------------------------------------------------------------------------

def shape(kind, idx, paragraphs, box=None):
    ph = '<p:ph%s%s/>' % (' type="%s"' % kind if kind else "", ' idx="%d"' % idx if idx else "")
    frame = ('<a:xfrm><a:off x="%d" y="%d"/><a:ext cx="%d" cy="%d"/></a:xfrm>' % box) if box else ""
    return ('<p:sp><p:nvSpPr><p:cNvPr id="1" name="s"/><p:cNvSpPr/><p:nvPr>%s</p:nvPr></p:nvSpPr><p:spPr>%s</p:spPr>'
            "<p:txBody><a:bodyPr/>%s</p:txBody></p:sp>" % (ph if kind or idx else "", frame, paragraphs))


def para(text, level=0, more=""):
    return '<a:p><a:pPr lvl="%d">%s</a:pPr><a:r><a:t>%s</a:t></a:r></a:p>' % (level, more, text)


def slide(kind, shapes, more=""):
    return HEAD + "<p:%s %s %s %s%s><p:cSld><p:spTree>%s</p:spTree></p:cSld></p:%s>" % (kind, P, A, R, more, shapes, kind)


def pptx_parts():
    table = ('<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="2" name="t"/><p:nvPr/></p:nvGraphicFramePr><p:xfrm><a:off x="914400" y="1828800"/>'
             '<a:ext cx="5486400" cy="914400"/></p:xfrm><a:graphic><a:graphicData><a:tbl><a:tblPr firstRow="1"/>%s</a:tbl></a:graphicData>'
             "</a:graphic></p:graphicFrame>" % "".join(
                 "<a:tr>%s</a:tr>" % "".join("<a:tc%s><a:txBody>%s</a:txBody></a:tc>" % (more, para(text) if text else "<a:p/>")
                                             for text, more in row)
                 for row in [[("Lake", ""), ("Depth", ' gridSpan="2"'), ("", ' hMerge="1"')],
                             [("North", ""), ("12", ""), ("14", "")]]))
    picture = ('<p:pic><p:nvPicPr><p:cNvPr id="3" name="p" descr="A grey slope"/><p:nvPr/></p:nvPicPr><p:blipFill><a:blip r:embed="rId2"/></p:blipFill>'
               '<p:spPr><a:xfrm><a:off x="914400" y="3657600"/><a:ext cx="1828800" cy="1371600"/></a:xfrm></p:spPr></p:pic>')
    layout = slide("sldLayout", shape("title", 0, para("Click"), (457200, 274638, 8229600, 1143000)) +
                   shape("body", 1, para("Click"), (457200, 1600200, 8229600, 4525963)))
    one = slide("sld", shape("subTitle", 1, para("Notes from two summers")) + shape("ctrTitle", 0, para("Small lakes")))
    two = slide("sld", shape("body", 1, para("Depth") + para("by line", 1) + para("Not a bullet", 0, "<a:buNone/>") +
                             para("first", 0, '<a:buAutoNum type="arabicPeriod"/>') + para("second", 0, '<a:buAutoNum type="arabicPeriod"/>')) +
                shape("title", 0, para("What was measured")) + shape("sldNum", 12, para("2"), (8000000, 6400000, 500000, 300000)) + table + picture)
    three = slide("sld", shape("title", 0, para("Spare slide")), ' show="0"')
    notes = slide("notes", shape("body", 1, para("Mention the harbour.")))
    presentation = HEAD + ('<p:presentation %s %s><p:sldIdLst><p:sldId id="256" r:id="rId1"/><p:sldId id="257" r:id="rId2"/>'
                           '<p:sldId id="258" r:id="rId3"/></p:sldIdLst><p:sldSz cx="9144000" cy="6858000"/></p:presentation>' % (P, R))
    own = rels(("rId1", "slideLayout", "../slideLayouts/slideLayout1.xml"), ("rId2", "image", "../media/image1.png"),
               ("rId3", "notesSlide", "../notesSlides/notesSlide1.xml"))
    plain = rels(("rId1", "slideLayout", "../slideLayouts/slideLayout1.xml"))
    return [("ppt/presentation.xml", presentation),
            ("ppt/_rels/presentation.xml.rels", rels(*[("rId%d" % i, "slide", "slides/slide%d.xml" % i) for i in (1, 2, 3)])),
            ("ppt/slides/slide1.xml", one), ("ppt/slides/_rels/slide1.xml.rels", plain),
            ("ppt/slides/slide2.xml", two), ("ppt/slides/_rels/slide2.xml.rels", own),
            ("ppt/slides/slide3.xml", three), ("ppt/slides/_rels/slide3.xml.rels", plain),
            ("ppt/slideLayouts/slideLayout1.xml", layout), ("ppt/notesSlides/notesSlide1.xml", notes),
            ("ppt/media/image1.png", png(40, 30, 7)), ("docProps/core.xml", core("", "Ada Brook"))]


# ---- charts -------------------------------------------------------------------------------------

C = 'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"'


def cache(tag, values, code=None, only=None):
    """<c:cat>, <c:val> and their like, of texts or, with a format, of numbers; only: which points are kept."""
    kind = "str" if code is None else "num"
    points = "".join('<c:pt idx="%d"><c:v>%s</c:v></c:pt>' % (i, v) for i, v in enumerate(values) if only is None or i in only)
    return "<c:%s><c:%sRef><c:f>Sheet1!$A$1</c:f><c:%sCache>%s<c:ptCount val=\"%d\"/>%s</c:%sCache></c:%sRef></c:%s>" % (
        tag, kind, kind, "<c:formatCode>%s</c:formatCode>" % code if code else "", len(values), points, kind, kind, tag)


def title(text):
    return ("<c:title><c:tx><c:rich><a:bodyPr/><a:p>%s</a:p></c:rich></c:tx></c:title>" %
            "".join("<a:r><a:t>%s</a:t></a:r>" % part for part in text.split("|")))


def axis(kind, number, text=None):
    return '<c:%s><c:axId val="%d"/>%s</c:%s>' % (kind, number, title(text) if text else "", kind)


def chart(plots, head="", before=""):
    return HEAD + "<c:chartSpace %s %s>%s<c:chart>%s<c:plotArea><c:layout/>%s</c:plotArea></c:chart></c:chartSpace>" % (C, A, before, head, plots)


def ids(*numbers):
    return "".join('<c:axId val="%d"/>' % n for n in numbers)


def charts():
    lakes = cache("cat", ["North", "South", "West"])
    bars = chart(
        "<c:barChart><c:ser>%s%s%s</c:ser><c:ser>%s%s%s</c:ser>%s</c:barChart><c:lineChart><c:ser>%s%s%s</c:ser>%s</c:lineChart>" % (
            cache("tx", ["Spring"]), lakes, cache("val", ["12", "24.5", "3"], "0.0"),
            cache("tx", ["Autumn"]), lakes, cache("val", ["11", "", "2.25"], "General", (0, 2)), ids(1, 2),
            cache("tx", ["Clear days"]), lakes, cache("val", ["0.5", "0.25", "#N/A"], "0%"), ids(1, 3)) +
        axis("catAx", 1, "Lake") + axis("valAx", 2, "Depth |in metres") + axis("valAx", 3, "Share"), title("Depths of |lakes"))
    dots = chart(
        "<c:scatterChart>%s%s</c:scatterChart>" % ("".join(
            "<c:ser><c:tx><c:v>%s</c:v></c:tx>%s%s</c:ser>" % (name, cache("xVal", x, "General"), cache("yVal", y, "General"))
            for name, x, y in [("Oak", ["1.5", "2.5"], ["7", "8"]), ("Elm", ["1.5", "2.5"], ["5", "6"]), ("Fir", ["3", "4", "5"], ["9", "9.5", "10"])]),
            ids(1, 2)) + axis("valAx", 1, "Age") + axis("valAx", 2, "Height"), title("Trees"))
    levels = ('<c:cat><c:multiLvlStrRef><c:multiLvlStrCache><c:lvl>%s</c:lvl><c:lvl><c:pt idx="0"><c:v>2021</c:v></c:pt>'
              '<c:pt idx="2"><c:v>2022</c:v></c:pt></c:lvl></c:multiLvlStrCache></c:multiLvlStrRef></c:cat>' %
              "".join('<c:pt idx="%d"><c:v>%s</c:v></c:pt>' % (i, v) for i, v in enumerate(["May", "June", "May", "June"])))
    pie = chart("<c:pieChart><c:ser>%s%s%s</c:ser></c:pieChart>" % (cache("tx", ["Rain"]), levels, cache("val", ["1", "2", "3", "4"], "General")),
                "<c:title/>")
    days = chart("<c:bubbleChart><c:ser>%s%s%s%s</c:ser></c:bubbleChart>" % (
        cache("tx", ["Storms"]), cache("xVal", ["43831", "43832"], "d-mmm-yy"), cache("yVal", ["3", "4"], "General"),
        cache("bubbleSize", ["10", "20"], "General")))
    return bars, dots, pie, days


def chart_docx(parts, names):
    """A Word document with these charts (part -> content) in it, one captioned."""
    def drawing(rid):
        return ('<w:r><w:drawing><wp:inline><wp:extent cx="4572000" cy="2743200"/><wp:docPr id="1" name="c"/><a:graphic><a:graphicData>'
                '<c:chart %s r:id="%s"/></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>' % (C, rid))

    body = p(r("Before the charts.")) + "".join(p(drawing("rId%d" % (i + 2))) + (p(
        r("Figure ") + field("SEQ Figure", r("1")) + r(": What was measured."), "Caption") if i == 0 else "")
        for i in range(len(names))) + p(r("Behind the charts."))
    document = HEAD + "<w:document %s %s %s %s><w:body>%s</w:body></w:document>" % (W, R, A, WP, body)
    styles = HEAD + '<w:styles %s><w:style w:type="paragraph" w:styleId="Caption"><w:name w:val="caption"/></w:style></w:styles>' % W
    return [("_rels/.rels", rels(("rId1", "officeDocument", "word/document.xml"))), ("word/document.xml", document),
            ("word/styles.xml", styles), ("word/_rels/document.xml.rels", rels(
                ("rId1", "styles", "styles.xml"), *[("rId%d" % (i + 2), "chart", "charts/" + n) for i, n in enumerate(names)]))
            ] + [("word/charts/" + n, data) for n, data in parts]


def chart_pptx():
    bars = charts()[0]
    frame = ('<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="2" name="c"/><p:nvPr/></p:nvGraphicFramePr><p:xfrm><a:off x="457200" y="1371600"/>'
             '<a:ext cx="4572000" cy="2743200"/></p:xfrm><a:graphic><a:graphicData><c:chart %s r:id="rId%s"/></a:graphicData></a:graphic></p:graphicFrame>')
    slide = HEAD + "<p:sld %s %s %s><p:cSld><p:spTree>%s%s%s</p:spTree></p:cSld></p:sld>" % (
        P, A, R, shape("title", 0, "<a:p><a:r><a:t>A slide with a chart</a:t></a:r></a:p>"), frame % (C, 1), frame % (C, 9))
    presentation = HEAD + ('<p:presentation %s %s><p:sldIdLst><p:sldId id="256" r:id="rId1"/></p:sldIdLst><p:sldSz cx="9144000" cy="6858000"/>'
                           "</p:presentation>" % (P, R))
    return [("ppt/presentation.xml", presentation), ("ppt/_rels/presentation.xml.rels", rels(("rId1", "slide", "slides/slide1.xml"))),
            ("ppt/slides/slide1.xml", slide), ("ppt/slides/_rels/slide1.xml.rels", rels(("rId1", "chart", "../charts/chart1.xml"))),
            ("ppt/charts/chart1.xml", bars)]


# ---- metafiles ----------------------------------------------------------------------------------

def dib(width, height):
    """Header and pixels of a grey slope, 8 bits a pixel, bottom row first."""
    colours = b"".join(struct.pack("<BBBB", i, i, i, 0) for i in range(256))
    rows = b"".join(bytes((x * 5 + y * 3) % 256 for x in range(width)) + b"\0" * (-width % 4) for y in range(height))
    return struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 0, len(rows), 3780, 3780, 256, 0) + colours, rows


def record(kind, data):
    data += b"\0" * (-len(data) % 4)
    return struct.pack("<II", kind, 8 + len(data)) + data


def emf(records, bounds=(0, 0, 479, 359)):
    body = b"".join(records) + record(14, struct.pack("<III", 0, 16, 20))
    head = struct.pack("<4i4i", *bounds, 0, 0, 12700, 9525) + b" EMF" + struct.pack("<IIIHHIIIII", 0x10000, 88 + len(body), len(records) + 2,
                                                                                  1, 0, 0, 0, 0, 0, 0) + b"\0" * 8
    return record(1, head[:80]) + body


def stretch(width, height, bounds):
    header, pixels = dib(width, height)
    return record(81, struct.pack("<4i", *bounds) + struct.pack("<6i6I2i", 0, 0, 0, 0, width, height, 80, len(header), 80 + len(header),
                                                               len(pixels), 0, 0xCC0020, 480, 360) + header + pixels)


def words(text, x, y, steps=(), options=0):
    raw = text.encode("utf-16-le")
    raw += b"\0" * (-len(raw) % 4)
    return record(84, struct.pack("<4iIffiiIII4iI", 0, 0, 9, 9, 1, 1, 1, x, y, len(text), 76, options, 0, 0, 0, 0, 76 + len(raw) if steps else 0) +
                  raw + struct.pack("<%dI" % len(steps), *steps))


def font(handle, charset):
    return record(82, struct.pack("<I", handle) + struct.pack("<5i8B", -12, 0, 0, 0, 400, 0, 0, 0, charset, 0, 0, 0, 0) + b"\0" * 64)


def wmf(records):
    def rec(function, data):
        return struct.pack("<IH", 3 + len(data) // 2, function) + data
    body = b"".join(rec(f, d) for f, d in records) + rec(0, b"")
    return (struct.pack("<IHhhhhHIH", 0x9AC6CDD7, 0, 0, 0, 480, 360, 96, 0, 0) +
            struct.pack("<HHHIHIH", 1, 9, 0x300, 9 + len(body) // 2, 2, max(3 + len(d) // 2 for _, d in records), 0) + body)


def metafiles():
    whole, header_pixels = (0, 0, 479, 359), b"".join(dib(30, 20))
    image = struct.pack("<IIiiiII", 0xDBC01002, 1, 24, 18, 0, 0, 1) + png(24, 18, 11)
    image += b"\0" * (-len(image) % 4)
    plus = b"EMF+" + struct.pack("<HHII", 0x4008, 0x0500, 12 + len(image), len(image)) + image + struct.pack("<HHII", 0x401B, 0, 12, 0)
    text = b"Wind" + struct.pack("<hh", 10, 10)
    return {
        "screen.emf": emf([stretch(48, 36, whole)]),
        "drawing.emf": emf([font(1, 0), font(2, 2), record(37, struct.pack("<I", 1)), stretch(4, 4, (0, 0, 9, 9)),
                            words("Dep", 100, 50, (6, 5, 5)), words("th", 116, 50, (4, 6)), words("in metres", 140, 50),
                            words("\u0013\u0014", 0, 80, (), 0x10), record(37, struct.pack("<I", 2)), words("abc", 0, 90),
                            record(37, struct.pack("<I", 1)), words("Lake \u00d6", 0, 300)]),
        "plus.emf": emf([record(70, struct.pack("<I", len(plus)) + plus)]),
        "photo.wmf": wmf([(0x020C, struct.pack("<hh", 360, 480)),
                          (0x0F43, struct.pack("<IH8h", 0xCC0020, 0, 20, 30, 0, 0, 360, 480, 0, 0) + header_pixels)]),
        "drawing.wmf": wmf([(0x020C, struct.pack("<hh", 360, 480)), (0x0521, struct.pack("<H", 4) + text),
                            (0x0A32, struct.pack("<hhHH", 40, 10, 6, 0) + b"in m/s")]),
    }


def metafile_docx(files):
    drawing = ('<w:r><w:drawing><wp:inline><wp:extent cx="4572000" cy="2743200"/><wp:docPr id="1" name="c"/><a:graphic><a:graphicData>'
               '<a:blip r:embed="rId%d"/></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>')
    body = p(r("Before the pictures.")) + "".join(p(drawing % (i + 2)) for i in range(len(files))) + p(r("Behind the pictures."))
    document = HEAD + "<w:document %s %s %s %s><w:body>%s</w:body></w:document>" % (W, R, A, WP, body)
    return [("_rels/.rels", rels(("rId1", "officeDocument", "word/document.xml"))), ("word/document.xml", document),
            ("word/_rels/document.xml.rels", rels(*[("rId%d" % (i + 2), "image", "media/" + n) for i, n in enumerate(files)]))
            ] + [("word/media/" + n, data) for n, data in files.items()]


# ---- Excel --------------------------------------------------------------------------------------

def xlsx_parts():
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    book = HEAD + ('<workbook %s %s><sheets><sheet name="Depths" sheetId="1" r:id="rId1"/><sheet name="Drafts" sheetId="2" state="hidden" '
                   'r:id="rId2"/></sheets></workbook>' % (main, R))
    strings = ["Lake", "Depth", "Share", "Day", "North", "South", "Deepest of all", "Remarks"]
    shared = HEAD + "<sst %s>%s</sst>" % (main, "".join("<si><t>%s</t></si>" % s for s in strings[:-1]) +
                                          "<si><r><t>Re</t></r><r><t>marks</t></r><rPh><t>no</t></rPh></si>")
    styles = HEAD + ('<styleSheet %s><numFmts><numFmt numFmtId="164" formatCode="0.0&quot; m&quot;"/><numFmt numFmtId="165" '
                     'formatCode="[$-409]d\\-mmm\\-yy;@"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="10"/>'
                     '<xf numFmtId="165"/></cellXfs></styleSheet>' % main)

    def c(ref, value, kind="", style=0):
        return '<c r="%s"%s s="%d"><v>%s</v></c>' % (ref, ' t="%s"' % kind if kind else "", style, value)

    rows = [(1, [c("A1", 0, "s"), c("B1", 1, "s"), c("C1", 2, "s"), c("D1", 3, "s")]),
            (2, [c("A2", 4, "s"), c("B2", 12.25, "", 1), c("C2", 0.4567, "", 2), c("D2", 43831, "", 3), c("H2", 7, "s")]),
            (3, [c("A3", 5, "s"), '<c r="B3" s="1"><f>B2*2</f><v>24.5</v></c>', c("C3", 1, "", 2), c("D3", 61, "", 3)]),
            (4, [c("A4", 6, "s"), '<c r="D4" t="b"><v>1</v></c>']),
            (7, ['<c r="B7" t="inlineStr"><is><t>Measured by hand.</t></is></c>'])]
    sheet = HEAD + '<worksheet %s><sheetData>%s</sheetData><mergeCells><mergeCell ref="A4:C4"/></mergeCells></worksheet>' % (
        main, "".join('<row r="%d">%s</row>' % (n, "".join(cells)) for n, cells in rows))
    draft = HEAD + '<worksheet %s><sheetData><row r="1">%s</row></sheetData></worksheet>' % (main, c("A1", 42))
    return [("xl/workbook.xml", book),
            ("xl/_rels/workbook.xml.rels", rels(("rId1", "worksheet", "worksheets/sheet1.xml"), ("rId2", "worksheet", "worksheets/sheet2.xml"),
                                                ("rId3", "sharedStrings", "sharedStrings.xml"), ("rId4", "styles", "styles.xml"))),
            ("xl/sharedStrings.xml", shared), ("xl/styles.xml", styles), ("xl/worksheets/sheet1.xml", sheet),
            ("xl/worksheets/sheet2.xml", draft), ("docProps/core.xml", core("Depths of lakes", "Ada Brook"))]


# ---- OpenDocument -------------------------------------------------------------------------------

def odt_parts():
    names = " ".join('xmlns:%s="urn:oasis:names:tc:opendocument:xmlns:%s:1.0"' % (n, n if n != "fo" else "xsl-fo-compatible") for n in
                     ["office", "style", "text", "table", "fo", "meta"]) + ' xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"' \
        ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"' \
        ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
    automatic = ('<style:style style:name="T1" style:family="text"><style:text-properties fo:font-weight="bold"/></style:style>'
                 '<style:style style:name="T9" style:family="text"><style:text-properties style:text-line-through-style="solid"/></style:style>'
                 '<style:style style:name="T2" style:family="text"><style:text-properties style:text-position="super 58%"/></style:style>'
                 '<style:style style:name="T3" style:family="text"><style:text-properties text:display="none"/></style:style>'
                 '<style:style style:name="P1" style:family="paragraph" style:parent-style-name="Title"/>'
                 '<text:list-style style:name="L1"><text:list-level-style-number text:level="1" style:num-format="1" style:num-suffix="."/>'
                 '<text:list-level-style-bullet text:level="2" text:bullet-char="-"/></text:list-style>')
    styles = ('<office:styles><style:style style:name="Title" style:family="paragraph"/>'
              '<text:outline-style><text:outline-level-style text:level="1" style:num-format="1"/>'
              '<text:outline-level-style text:level="2" style:num-format="1" text:display-levels="2"/></text:outline-style></office:styles>'
              '<office:automatic-styles><style:page-layout style:name="pm1"><style:page-layout-properties fo:page-width="21cm" '
              'fo:page-height="29.7cm"/></style:page-layout></office:automatic-styles>')

    def h(level, text):
        return '<text:h text:outline-level="%d">%s</text:h>' % (level, text)

    def tp(text, style="Standard"):
        return '<text:p text:style-name="%s">%s</text:p>' % (style, text)

    formula = '<draw:frame><draw:object xlink:href="./Object 1"/></draw:frame>'
    picture = '<draw:frame><draw:image xlink:href="Pictures/slope.png"/><svg:desc>A grey slope</svg:desc></draw:frame>'
    cells = "".join("<table:table-row>%s</table:table-row>" % row for row in [
        '<table:table-cell table:number-columns-spanned="2">%s</table:table-cell><table:covered-table-cell/>' % tp("North"),
        "<table:table-cell>%s</table:table-cell><table:table-cell>%s</table:table-cell>" % (tp("12"), tp("14"))])
    head = "<table:table-header-rows><table:table-row>%s</table:table-row></table:table-header-rows>" % "".join(
        "<table:table-cell>%s</table:table-cell>" % tp(t) for t in ("Lake", "Depth"))
    body = "".join([
        tp("Letters from a lake", "P1"), h(1, "Arrival"), h(2, "The harbour"),
        tp('It was <text:span text:style-name="T9">warm?</text:span> <text:span text:style-name="T1">cold</text:span>, 12 m<text:span text:style-name="T2">2</text:span>'
           '<text:span text:style-name="T3">secret</text:span> and <text:a xlink:href="https://example.org/far">far</text:a>.'
           '<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body>%s</text:note-body></text:note>'
           "<office:annotation><dc:creator>B</dc:creator>%s</office:annotation>" % (tp("In May."), tp("Really?"))),
        '<text:list text:style-name="L1"><text:list-item>%s<text:list><text:list-item>%s</text:list-item></text:list></text:list-item>'
        "<text:list-item>%s</text:list-item></text:list>" % (tp("boats"), tp("small ones"), tp("ropes")),
        tp("The wave is " + formula + " high."), tp(formula),
        "<text:soft-page-break/>", h(1, "Departure"),
        tp('Table <text:sequence text:name="Table">1</text:sequence>: Depths.', "Table"),
        "<table:table>%s%s</table:table>" % (head, cells),
        tp('<draw:frame><draw:text-box>%s</draw:text-box></draw:frame>' %
           tp(picture + 'Figure <text:sequence text:name="Figure">1</text:sequence>: A slope.', "Figure")),
        tp("row(<text:s text:c=\"2\"/>boat)", "Preformatted_20_Text")])
    content = HEAD + ("<office:document-content %s><office:automatic-styles>%s</office:automatic-styles><office:body><office:text>%s"
                      "</office:text></office:body></office:document-content>" % (names, automatic, body))
    meta = HEAD + ("<office:document-meta %s><office:meta><dc:title>Ignored</dc:title><meta:initial-creator>Ada Brook</meta:initial-creator>"
                   "<meta:creation-date>2022-02-03T00:00:00</meta:creation-date><dc:language>en-GB</dc:language></office:meta>"
                   "</office:document-meta>" % names)
    math = ('<math xmlns="http://www.w3.org/1998/Math/MathML"><semantics><mrow><mi>h</mi><mo>=</mo><msqrt><mi>w</mi></msqrt></mrow>'
            '<annotation encoding="StarMath 5.0">h = sqrt w</annotation></semantics></math>')
    return [("mimetype", "application/vnd.oasis.opendocument.text"), ("content.xml", content),
            ("styles.xml", HEAD + "<office:document-styles %s>%s</office:document-styles>" % (names, styles)), ("meta.xml", meta),
            ("Object 1/content.xml", math), ("Pictures/slope.png", png(32, 24, 9))]


# ---- EPUB and HTML ------------------------------------------------------------------------------

def xhtml(title, body):
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" '
            'xmlns:epub="http://www.idpf.org/2007/ops" xmlns:m="http://www.w3.org/1998/Math/MathML"><head><title>%s</title></head>'
            "<body>%s</body></html>" % (title, body))


def epub_parts():
    container = ('<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="OEBPS/book.opf" '
                 'media-type="application/oebps-package+xml"/></rootfiles></container>')
    files = ["cover", "nav", "part", "one", "two"]
    manifest = "".join('<item id="%s" href="%s.xhtml" media-type="application/xhtml+xml"%s/>' % (f, f, ' properties="nav"' if f == "nav" else "")
                       for f in files) + '<item id="pic" href="img/slope.png" media-type="image/png"/>'
    opf = HEAD + ('<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
                  "<dc:title>A book of lakes</dc:title><dc:creator>Ada Brook</dc:creator><dc:creator>Bela Rill</dc:creator>"
                  "<dc:language>en</dc:language><dc:date>2020-06-01</dc:date></metadata><manifest>%s</manifest><spine>%s</spine></package>" %
                  (manifest, "".join('<itemref idref="%s"/>' % f for f in files)))
    nav = xhtml("Contents", '<nav epub:type="toc"><ol><li><a href="part.xhtml">Part I</a><ol><li><a href="one.xhtml">Shores</a></li>'
                '<li><a href="two.xhtml#start">Depths</a></li></ol></li></ol></nav>')
    one = xhtml("Shores", '<h1>Shores</h1><p>A shore is <em>long</em><a epub:type="noteref" href="#n1">1</a>.</p><h2>Sand</h2>'
                '<p>Of area <m:math><m:msup><m:mi>r</m:mi><m:mn>2</m:mn></m:msup></m:math>.</p>'
                '<figure><img src="img/slope.png" alt="A grey slope"/><figcaption>Figure 1: A slope.</figcaption></figure>'
                '<aside epub:type="footnote" id="n1"><p>Measured in May.</p></aside>')
    two = xhtml("Depths", "<p>No heading stands here, only words about the depth of lakes.</p><table><tr><th>Lake</th><th>Depth</th></tr>"
                "<tr><td>North</td><td>12</td></tr></table>")
    return [("mimetype", "application/epub+zip"), ("META-INF/container.xml", container), ("OEBPS/book.opf", opf),
            ("OEBPS/cover.xhtml", xhtml("Cover", '<img src="img/slope.png" alt="Cover"/>')), ("OEBPS/nav.xhtml", nav),
            ("OEBPS/part.xhtml", xhtml("Part", "<h1>Part I</h1><p>About water.</p>")), ("OEBPS/one.xhtml", one), ("OEBPS/two.xhtml", two),
            ("OEBPS/img/slope.png", png(24, 18, 11))]


PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>A saved page</title></head><body>
<nav><a href="/">Home</a> <a href="/all">All pages</a></nav>
<h1>A saved page</h1>
<p>Short.</p>
<h2>Pictures</h2>
<p>One lies beside the page: <img src="page_files/slope%20grey.png" alt="A grey slope"> and one does not: <img src="https://example.org/x.png" alt="far away">.
One would be elsewhere on this machine: <img src="../../data/secret.png" alt="outside">.</p>
<p>Energy is <math><mi>E</mi><mo>=</mo><mi>m</mi><msup><mi>c</mi><mn>2</mn></msup></math>.</p>
<ul><li>one</li><li>two</li></ul>
</body></html>
"""

# ---- damaged and hostile ------------------------------------------------------------------------


def bad():
    parts = dict(docx_parts())
    document = parts["word/document.xml"]

    def variant(name, **changes):
        changed = dict(parts)
        for part, data in changes.items():
            part = {"document": "word/document.xml", "styles": "word/styles.xml", "rels": "word/_rels/document.xml.rels"}[part]
            if data is None:
                del changed[part]
            else:
                changed[part] = data
        write("bad/" + name, list(changed.items()))

    laughs = "".join('<!ENTITY a%d "%s">' % (i, ("&a%d;" % (i - 1)) * 10 if i else "ha") for i in range(10))
    variant("laughs.docx", document=document.replace("<w:document", "<!DOCTYPE w:document [%s]>\n<w:document" % laughs).replace("Short", "&a9;"))
    variant("outside_entity.docx", document=document.replace(
        "<w:document", '<!DOCTYPE w:document [<!ENTITY x SYSTEM "make_office.py">]>\n<w:document').replace("Nobody sees", "&x;"))
    variant("no_document.docx", document=None)
    variant("not_xml.docx", document="these are only words")
    variant("no_styles.docx", styles=None)
    variant("cut_xml.docx", document=document[:document.index("Choose a lake")])
    cycle = parts["word/styles.xml"].replace('<w:name w:val="heading 1"/>', '<w:name w:val="heading 1"/><w:basedOn w:val="Mine"/>')
    variant("cyclic.docx", styles=cycle, rels=parts["word/_rels/document.xml.rels"].replace("styles.xml", "document.xml", 0))
    deep = "<w:tbl><w:tr><w:tc>" * 70 + p(r("Down here.")) + "</w:tc></w:tr></w:tbl>" * 70
    variant("deep.docx", document=document.replace("<w:body>", "<w:body>" + deep))
    write("bad/bomb.docx", list(parts.items()) + [("word/media/zeros.bin", b"\0" * (80 << 20))])
    with open(os.path.join(HERE, "paper.docx"), "rb") as whole:
        data = whole.read()
    with open(os.path.join(HERE, "bad", "cut.docx"), "wb") as out:
        out.write(data[:len(data) // 2])
    with open(os.path.join(HERE, "bad", "named_otherwise.pdf"), "wb") as out:
        out.write(data)
    slides = dict(pptx_parts())
    slides["ppt/slideLayouts/_rels/slideLayout1.xml.rels"] = rels(("rId1", "slideMaster", "slideLayout1.xml"))
    slides["ppt/slides/_rels/slide1.xml.rels"] = rels(("rId1", "slideLayout", "slide1.xml"), ("rId2", "notesSlide", "slide1.xml"))
    del slides["ppt/slides/slide2.xml"]
    write("bad/cyclic.pptx", list(slides.items()))
    bars = charts()[0]
    wild = (bars.replace('<c:ptCount val="3"/>', '<c:ptCount val="4294967295"/>')
            .replace('<c:pt idx="1">', '<c:pt idx="99999999999999999999">').replace('<c:pt idx="2">', '<c:pt idx="-1">'))
    many = chart("<c:barChart>%s</c:barChart>" % "".join(
        "<c:ser>%s%s</c:ser>" % (cache("tx", ["s%d" % i]), cache("val", range(i * 20, i * 20 + 20), "0", (i % 20,))) for i in range(3000)))
    hostile = [("wild.xml", wild), ("many.xml", many), ("cut.xml", bars[:len(bars) // 2]), ("empty.xml", chart("<c:barChart><c:ser/></c:barChart>")),
               ("words.xml", "only words")]
    write("bad/charts.docx", chart_docx(hostile, [n for n, _ in hostile] + ["missing.xml"]))
    sheets = dict(xlsx_parts())
    sheets["xl/worksheets/sheet1.xml"] = sheets["xl/worksheets/sheet1.xml"].replace('r="D4"', 'r="XFD1048576"').replace("A4:C4", "A1:XFD1048576")
    write("bad/wide.xlsx", list(sheets.items()))
    book = dict(epub_parts())
    book["OEBPS/book.opf"] = book["OEBPS/book.opf"].replace('href="one.xhtml"', 'href="../../../one.xhtml"').replace('href="two.xhtml"', 'href="nav.xhtml"')
    write("bad/outside.epub", list(book.items()), ("mimetype",))
    book = dict(epub_parts())
    book["META-INF/encryption.xml"] = ('<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><EncryptedData><CipherData>'
                                       '<CipherReference URI="OEBPS/one.xhtml"/></CipherData></EncryptedData></encryption>')
    write("bad/locked.epub", list(book.items()), ("mimetype",))


write("paper.docx", docx_parts())
write("slides.pptx", pptx_parts())
write("charts.docx", chart_docx([("chart%d.xml" % i, data) for i, data in enumerate(charts())], ["chart%d.xml" % i for i in range(4)]))
write("charts.pptx", chart_pptx())
write("metafiles.docx", metafile_docx(metafiles()))
write("depths.xlsx", xlsx_parts())
write("letters.odt", odt_parts(), ("mimetype",))
write("book.epub", epub_parts(), ("mimetype",))
os.makedirs(os.path.join(HERE, "page_files"), exist_ok=True)
with open(os.path.join(HERE, "page.html"), "w", encoding="utf-8") as out:
    out.write(PAGE)
with open(os.path.join(HERE, "page_files", "slope grey.png"), "wb") as out:
    out.write(png(20, 15, 13))
bad()
