#!/usr/bin/env python3
"""Writes micrograph.png, the raster figure of ceria.tex: grey noise with bright grains. The same bytes every time."""
import struct
import zlib

WIDTH, HEIGHT = 220, 140
state = 20


def noise():
    """A small linear congruential generator, so that no library's version matters."""
    global state
    state = (state * 1103515245 + 12345) % 2**31
    return state >> 16


grains = [(noise() % WIDTH, noise() % HEIGHT, 2 + noise() % 5) for _ in range(60)]
rows = bytearray()
for y in range(HEIGHT):
    rows.append(0)  # no filter
    for x in range(WIDTH):
        grey = 70 + (x * 30) // WIDTH + noise() % 8
        for gx, gy, radius in grains:
            if (x - gx) ** 2 + (y - gy) ** 2 <= radius**2:
                grey = 210 + noise() % 16
        rows.append(grey)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


with open("micrograph.png", "wb") as out:
    out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 0, 0, 0, 0))
              + chunk(b"IDAT", zlib.compress(bytes(rows), 9)) + chunk(b"IEND", b""))
