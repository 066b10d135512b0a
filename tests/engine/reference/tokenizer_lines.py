"""Test lines for tokenizers: the same pseudo-random lines as ../tokenizer_lines.c makes.

Line n depends on n and on the words and fragments in tests/data/engine/tokenizer_words.txt alone. Change
one generator and the other must follow; the test compares a checksum of all lines first."""
import os

WORDS_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../data/engine/tokenizer_words.txt")
N_LINES = 12000
MASK = (1 << 64) - 1

# First and last code point of scripts and symbol blocks.
RANGES = [
    (0x61, 0x7A), (0x41, 0x5A), (0x30, 0x39), (0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0xA0, 0xFF),
    (0x100, 0x24F), (0x250, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x590, 0x5FF), (0x600, 0x6FF),
    (0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x209F),
    (0x20A0, 0x20FF), (0x2100, 0x218F), (0x2190, 0x22FF), (0x2300, 0x23FF), (0x2460, 0x24FF),
    (0x2500, 0x27BF), (0x3000, 0x303F), (0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
    (0xA640, 0xA7FF), (0xAC00, 0xD7A3), (0xE000, 0xF8FF), (0xF900, 0xFAFF), (0xFB00, 0xFDFF),
    (0xFE00, 0xFE0F), (0xFF00, 0xFFEF), (0x10000, 0x10FFF), (0x11000, 0x12FFF), (0x16E00, 0x16FFF),
    (0x1D100, 0x1D1FF), (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF), (0x2A700, 0x2CEAF),
    (0x2F800, 0x2FA1F), (0xE0000, 0xE01EF), (0x0, 0x1F), (0x7F, 0x9F), (0x300, 0x36F), (0x1DC0, 0x1DFF),
]
SPACES = [0x20, 0x20, 0x20, 0x09, 0x0A, 0x0D, 0x0B, 0x0C, 0x85, 0xA0, 0x1680, 0x2003, 0x2028, 0x202F, 0x3000, 0x200B]


class Random:
    """splitmix64"""

    def __init__(self, seed):
        self.state = seed & MASK

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return ((z ^ (z >> 31)) >> 32) % n


def encode(cp):
    """UTF-8 of cp; a surrogate gives the three bytes that are ill formed."""
    return chr(cp).encode("utf-8", "surrogatepass")


def load_words():
    with open(WORDS_FILE, "rb") as f:
        words, fragments = f.read().split(b"\n\n", 1)
    unescape = lambda s: s.replace(b"\\n", b"\n").replace(b"\\r", b"\r").replace(b"\\t", b"\t")
    return words.split(b"\n"), [unescape(s) for s in fragments.split(b"\n")[:-1]]


def in_range(r, table):
    first, last = table[r.below(len(table))]
    return first, last


def part(r, words, fragments):
    kind = r.below(32)
    if kind < 14:
        return words[r.below(len(words))]
    if kind < 18:
        return fragments[r.below(len(fragments))]
    if kind < 21:  # a few characters of one block
        first, last = in_range(r, RANGES)
        return b"".join(encode(first + r.below(last - first + 1)) for _ in range(1 + r.below(6)))
    if kind < 23:  # characters of many blocks
        out = b""
        for _ in range(1 + r.below(6)):
            first, last = in_range(r, RANGES)
            out += encode(first + r.below(last - first + 1))
        return out
    if kind == 23:  # any code point, surrogates too
        return b"".join(encode(r.below(0x110000)) for _ in range(1 + r.below(4)))
    if kind == 24:  # any bytes
        return bytes(r.below(256) for _ in range(1 + r.below(8)))
    if kind == 25:  # a word cut inside
        word = words[r.below(len(words))]
        return word[: r.below(len(word) + 1)]
    if kind < 28:  # blanks
        return b"".join(encode(SPACES[r.below(len(SPACES))]) for _ in range(1 + r.below(5)))
    if kind == 28:  # digits
        return bytes(0x30 + r.below(10) for _ in range(1 + r.below(9)))
    if kind == 29:  # a letter with marks
        out = bytes([0x61 + r.below(26)])
        return out + b"".join(encode(0x300 + r.below(0x70)) for _ in range(1 + r.below(4)))
    if kind == 30:  # one thing many times
        unit = words[r.below(len(words))] if r.below(2) else encode(0x21 + r.below(0x5E))
        return unit * (1 + r.below(60 if r.below(8) == 0 else 6))
    word = b"".join(bytes([0x61 + r.below(26)]) for _ in range(1 + r.below(14)))  # letters
    return word[:1].upper() + word[1:] if r.below(2) else word


def line(n, words, fragments):
    r = Random(n * 0x2545F4914F6CDD1D + 1)
    out = b""
    for _ in range(1 + r.below(12)):
        out += part(r, words, fragments)
        if r.below(4) != 0:
            out += b" "
    return out


def lines():
    words, fragments = load_words()
    return [line(n, words, fragments) for n in range(N_LINES)]


def fnv1a(data, start=0x811C9DC5):
    h = start
    for b in data:
        h = ((h ^ b) * 0x01000193) & 0xFFFFFFFF
    return h


def group_hashes(ids_of_lines, per_group):
    """One 32-bit FNV-1a per group of lines, over the ids (int32, little-endian) each followed by -1."""
    out = []
    for i in range(0, len(ids_of_lines), per_group):
        data = b"".join(
            b"".join(x.to_bytes(4, "little", signed=True) for x in ids + [-1])
            for ids in ids_of_lines[i : i + per_group]
        )
        out.append(fnv1a(data))
    return out


if __name__ == "__main__":
    all_lines = lines()
    total = 0x811C9DC5
    for text in all_lines:
        total = fnv1a(text + b"\n", total)
    print("%d lines, %d bytes, checksum %08x" % (len(all_lines), sum(map(len, all_lines)), total))
