"""Make the display's fonts from the bitmap fonts of two Debian packages (docs/fonts.md).

    scripts/make_font.py FOLDER     FOLDER holds the *.pcf.gz files of xfonts-mplus and xfonts-shinonome

writes edge_agent/screens/*.bin: JIS X 0208, half-width kana, ASCII and Latin-1. The same input gives the same
bytes. The format is told in edge_agent/screens/fonts.py, which reads it.
"""

from __future__ import annotations

import gzip
import struct
import sys
from pathlib import Path
from typing import Final, NamedTuple

OUT: Final = Path(__file__).resolve().parent.parent / "edge_agent" / "screens"
ACCELERATORS, METRICS, BITMAPS, ENCODINGS = 2, 4, 8, 32  # table types of the PCF format
NO_GLYPH: Final = 0xFFFF

# Characters that JIS X 0208 has under two names, depending on who converted the text.
ALIASES: Final = {0xFF5E: 0x301C, 0xFF0D: 0x2212, 0x2014: 0x2015, 0x2225: 0x2016}


class Glyph(NamedTuple):
    advance: int
    left: int  # of the ink, from the origin
    top: int  # rows of the ink above the baseline
    rows: list[list[bool]]


class Recipe(NamedTuple):
    """One font to make: the full-width file, the Latin-1 file and the JIS X 0201 file (half-width kana)."""

    name: str
    wide: str
    latin: str
    kana: str
    ascent: int  # rows above the baseline
    height: int


RECIPES: Final = (
    Recipe("text12", "mplus_j12r", "mplus_f12r", "mplus_f12r-jisx0201", 11, 13),
    Recipe("bold12", "mplus_j12b", "mplus_h12b", "mplus_f12b-jisx0201", 11, 14),
    Recipe("bold16", "shnmk16b", "shnm8x16ab", "shnm8x16rb", 14, 16),
)


def read_pcf(path: Path) -> dict[int, Glyph]:
    """The glyphs of an X11 PCF font by their code."""
    data = gzip.decompress(path.read_bytes())
    if data[:4] != b"\x01fcp":
        raise SystemExit(f"{path}: not a PCF font")
    tables = {}
    for at in range(8, 8 + 16 * int.from_bytes(data[4:8], "little"), 16):
        kind, form, size, offset = struct.unpack_from("<4I", data, at)
        tables[kind] = (">" if form & 4 else "<", form, data[offset : offset + size])

    order, form, table = tables[METRICS]
    metrics: list[tuple[int, int, int, int, int]] = []  # left, right, advance, ascent, descent
    if form & 0x100:
        for index in range(struct.unpack_from(order + "H", table, 4)[0]):
            left, right, advance, ascent, descent = (byte - 0x80 for byte in table[6 + 5 * index : 11 + 5 * index])
            metrics.append((left, right, advance, ascent, descent))
    else:
        for index in range(struct.unpack_from(order + "I", table, 4)[0]):
            metrics.append(struct.unpack_from(order + "5h", table, 8 + 12 * index))

    order, form, table = tables[BITMAPS]
    count = struct.unpack_from(order + "I", table, 4)[0]
    offsets = struct.unpack_from(f"{order}{count}I", table, 8)
    pad = 1 << (form & 3)
    unit = 1 << (form >> 4 & 3)
    big_bits = bool(form & 8)
    bits = table[8 + 4 * count + 16 :]

    glyphs = []
    for (left, right, advance, ascent, descent), offset in zip(metrics, offsets, strict=True):
        width = right - left
        stride = (width + 8 * pad - 1) // (8 * pad) * pad
        rows = []
        for row in range(ascent + descent):
            line = bits[offset + row * stride : offset + (row + 1) * stride]
            if (order == ">") != big_bits:
                line = b"".join(line[at : at + unit][::-1] for at in range(0, len(line), unit))
            if big_bits:
                rows.append([bool(line[x // 8] >> (7 - x % 8) & 1) for x in range(width)])
            else:
                rows.append([bool(line[x // 8] >> (x % 8) & 1) for x in range(width)])
        overhang = max(0, -left)  # cells hold all of their ink
        glyphs.append(Glyph(advance + overhang, left + overhang, ascent, rows))

    order, _, table = tables[ENCODINGS]
    first2, last2, first1, last1, _ = struct.unpack_from(order + "5h", table, 4)
    codes = {}
    at = 14
    for byte1 in range(first1, last1 + 1):
        for byte2 in range(first2, last2 + 1):
            (index,) = struct.unpack_from(order + "H", table, at)
            at += 2
            if index != NO_GLYPH:
                codes[byte1 << 8 | byte2] = glyphs[index]
    return codes


def characters(recipe: Recipe, folder: Path) -> dict[int, Glyph]:
    """The font's glyphs by Unicode code point."""
    found: dict[int, Glyph] = {}
    for code, glyph in read_pcf(folder / f"{recipe.wide}.pcf.gz").items():
        try:
            found[ord(bytes((code >> 8 | 0x80, code & 0xFF | 0x80)).decode("euc_jp"))] = glyph
        except UnicodeDecodeError:
            continue  # outside JIS X 0208
    for alias, code in ALIASES.items():
        if code in found:
            found[alias] = found[code]
    for code, glyph in read_pcf(folder / f"{recipe.kana}.pcf.gz").items():
        if 0xA1 <= code <= 0xDF:
            found[0xFF61 + code - 0xA1] = glyph
    for code, glyph in read_pcf(folder / f"{recipe.latin}.pcf.gz").items():
        if 0x20 <= code <= 0x7E or 0xA1 <= code <= 0xFF:
            found[code] = glyph
    return found


def packed(glyph: Glyph, recipe: Recipe) -> bytes:
    """The glyph's cell, advance x height bits, rows from the top, without gaps."""
    number, bits = 0, glyph.advance * recipe.height
    for y, row in enumerate(glyph.rows):
        for x, ink in enumerate(row):
            if not ink:
                continue
            column, line = glyph.left + x, recipe.ascent - glyph.top + y
            if not (0 <= column < glyph.advance and 0 <= line < recipe.height):
                raise ValueError(f"ink at column {column}, line {line} outside of the cell")
            number |= 1 << (bits - 1 - (line * glyph.advance + column))
    size = (bits + 7) // 8
    return (number << (8 * size - bits)).to_bytes(size, "big")


def make(recipe: Recipe, folder: Path) -> bytes:
    found = characters(recipe, folder)
    outside = []
    cells = {}
    for code in sorted(found):
        try:
            cells[code] = packed(found[code], recipe)
        except ValueError as error:
            outside.append(f"U+{code:04X} {chr(code)}: {error}")
    for line in outside:
        print(f"{recipe.name}: left out {line}")
    cell_bytes = max(len(cell) for cell in cells.values())
    head = struct.pack(">4sBBHH", b"TKF1", recipe.height, recipe.ascent, cell_bytes, len(cells))
    codes = struct.pack(f">{len(cells)}H", *cells)
    advances = bytes(found[code].advance for code in cells)
    return head + codes + advances + b"".join(cell.ljust(cell_bytes, b"\0") for cell in cells.values())


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    for recipe in RECIPES:
        data = make(recipe, Path(sys.argv[1]))
        (OUT / f"{recipe.name}.bin").write_bytes(data)
        print(f"{recipe.name}.bin: {len(data)} bytes")


if __name__ == "__main__":
    main()
