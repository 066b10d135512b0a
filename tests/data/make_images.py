#!/usr/bin/env python3
"""Makes tests/data/images: one small picture in each format, orientation and state of repair. Needs Pillow and numpy.

The picture is 60 x 40 pixels, white, with a red block in its upper left and a blue one in its lower right corner.
"""
import os
import struct
import sys

import numpy
from PIL import Image, ImageDraw, ImageFont

OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "images")


def picture():
    image = Image.new("RGB", (60, 40), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 19, 9), fill=(220, 20, 20))
    draw.rectangle((50, 20, 59, 39), fill=(20, 20, 220))
    return image


def words(number):
    """A page of a scan: 6 x 2.4 inches at 150 dpi."""
    image = Image.new("L", (900, 360), 255)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(36)
    for line, text in enumerate(("Sheet %d of a short report", "begins with these words,", "goes on with number %d,",
                                 "and ends with this line.")):
        draw.text((60, 40 + 70 * line), text % number if "%d" in text else text, font=font, fill=0)
    return image.convert("1", dither=Image.Dither.NONE)


def save(image, name, **options):
    image.save(os.path.join(OUT, name), **options)


def read(name):
    with open(os.path.join(OUT, name), "rb") as file:
        return bytearray(file.read())


def write(name, data):
    with open(os.path.join(OUT, name), "wb") as file:
        file.write(data)


def directories(data):
    """Offsets of a little-endian TIFF's directories and of their links to the next."""
    at, found = struct.unpack_from("<I", data, 4)[0], []
    while at:
        link = at + 2 + 12 * struct.unpack_from("<H", data, at)[0]
        found.append((at, link))
        at = struct.unpack_from("<I", data, link)[0]
    return found


def main():
    os.makedirs(OUT, exist_ok=True)
    image = picture()
    gray, bilevel = image.convert("L"), image.convert("1")
    save(image, "plain.png", dpi=(144, 144))
    save(image, "plain.bmp")
    save(image, "plain.gif")
    save(image, "plain.ppm")
    save(image, "plain.webp", lossless=True)
    save(image, "plain.jp2", irreversible=False)
    save(image, "plain.j2k", irreversible=False)
    save(image.convert("CMYK"), "cmyk.jpg", quality=95, dpi=(144, 144))
    exif = Image.Exif()
    for orientation in range(1, 9):
        exif[0x112] = orientation
        save(image, f"turned_{orientation}.jpg", quality=95, subsampling=0, dpi=(144, 144), exif=exif)
    exif[0x112] = 6
    save(image, "turned_6.webp", lossless=True, exif=exif)
    save(image, "turned_6.tif", compression="tiff_lzw", dpi=(144, 144), tiffinfo={274: 6})
    save(bilevel, "g4.tif", compression="group4", dpi=(144, 144))
    save(bilevel, "g3.tif", compression="group3", dpi=(144, 144))
    save(gray, "jpeg.tif", compression="jpeg", dpi=(144, 144))
    save(image.convert("P"), "palette.tif", compression="packbits", dpi=(144, 144))
    save(image.convert("CMYK"), "cmyk.tif", compression="tiff_adobe_deflate", dpi=(144, 144))
    deep = numpy.asarray(gray).astype("uint16") * 257
    save(Image.fromarray(deep), "deep.tif", compression="tiff_lzw", dpi=(144, 144))
    save(image, "pages.tif", save_all=True, append_images=[gray.rotate(180), bilevel.resize((30, 20))],
         compression="tiff_lzw", dpi=(144, 144))

    pages = read("pages.tif")
    (first, _), (_, second_link), (third, _) = directories(pages)
    loop = bytearray(pages)
    struct.pack_into("<I", loop, second_link, first)
    write("loop.tif", loop)
    write("cut_list.tif", pages[:third + 20])
    # a picture that ends early, behind its directory
    strip = bytes(read("plain.ppm")[-60 * 40 * 3:])
    entries = [(256, 3, 1, 60), (257, 3, 1, 40), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 8 + 2 + 9 * 12 + 4),
               (277, 3, 1, 3), (278, 3, 1, 40), (279, 4, 1, len(strip))]
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries))
    head += b"".join(struct.pack("<HHII", *entry) for entry in entries) + struct.pack("<I", 0)
    write("cut_strip.tif", head + strip[:len(strip) // 2])
    huge = bytearray(head)
    struct.pack_into("<HHII", huge, 10, 256, 4, 1, 90000)
    struct.pack_into("<HHII", huge, 22, 257, 4, 1, 90000)
    write("huge.tif", huge + strip)
    noise = numpy.random.default_rng(1).integers(0, 255, (40, 60), dtype=numpy.uint8)
    save(Image.fromarray(noise), "noise.png")
    write("cut.png", read("noise.png")[:1500])
    write("cut.jpg", read("turned_1.jpg")[:-200])
    pages = [words(number) for number in range(101, 107)]
    save(pages[0], "words.tif", save_all=True, append_images=pages[1:], compression="group4", dpi=(150, 150))


if __name__ == "__main__":
    main()
