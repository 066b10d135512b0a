#!/usr/bin/env python3
"""Makes the inputs that no editor writes: archives, other encodings, damage. Run here; the results are committed."""
import bz2
import io
import tarfile
import zipfile
from pathlib import Path

STAMP = (2020, 1, 1, 0, 0, 0)


def zipped(name, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(name, "w", method) as out:
        for path, data in members:
            info = zipfile.ZipInfo(path, STAMP)
            info.compress_type = method
            out.writestr(info, data)


def tarred(name, members):
    with tarfile.open(name, "w:gz") as out:
        for path, data in members:
            info = tarfile.TarInfo(path)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))


text = "Über Größen\n\nEin Absatz mit Umlauten: äöü.\n"
Path("latin1.txt").write_bytes(text.encode("latin-1"))
Path("utf16.txt").write_bytes(text.encode("utf-16"))
Path("nul.txt").write_bytes(("Zeros inside\n\nA byte\0of zero ends nothing, says " + "w" * 300 + ".\n").encode())
article = Path("article.xml").read_bytes()
Path("wrong_name.docx").write_bytes(article)
Path("cut_short.xml").write_bytes(article[: len(article) * 2 // 3])
paper = Path("paper.md").read_bytes()
zipped("papers.zip", [("README.md", b"# Not a paper"), ("a/paper.md", paper), ("article.xml", article)])
zipped("outside.zip", [("../../evil/paper.md", paper), ("/etc/article.xml", article)])
zipped("nested.zip", [("inner.zip", Path("papers.zip").read_bytes())])
zipped("bomb.zip", [("zeros.txt", b"\0" * (96 << 20))], zipfile.ZIP_BZIP2)
Path("bomb.txt.bz2").write_bytes(bz2.compress(b"a" * (96 << 20)))
zipped("locked.zip", [("paper.md", paper)], zipfile.ZIP_STORED)
data = bytearray(Path("locked.zip").read_bytes())
for magic, flag in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
    data[data.index(magic) + flag] |= 1
Path("locked.zip").write_bytes(data)
Path("cut_short.zip").write_bytes(Path("papers.zip").read_bytes()[:400])
tarred("source.tar.gz", [("./main.tex", Path("source/main.tex").read_bytes()),
                         ("./parts/one.tex", Path("source/parts/one.tex").read_bytes()),
                         ("./main.bbl", Path("source/main.bbl").read_bytes())])
