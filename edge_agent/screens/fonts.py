"""The display's bitmap fonts: JIS X 0208, half-width kana, ASCII and Latin-1 (origin and licences: docs/fonts.md).

A font file, made by scripts/make_font.py, big-endian: `TKF1`, height u8, ascent u8, bytes of a cell u16, count
n u16; n code points u16, sorted; n advances u8; n cells of advance x height bits, rows from the top, without gaps.

Files are mapped, not read: only the pages that hold the glyphs in use take memory, and nothing is read before
the first text is drawn. Nothing fails at run time: a character that the font lacks is decomposed, or shown as
the geta mark (〓), as printers of Japanese have always done.
"""

from __future__ import annotations

import mmap
import unicodedata
from bisect import bisect_left
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from struct import Struct
from typing import Final

from PIL import Image

GLYPHS_KEPT_MAX: Final = 512
CHARACTERS_KEPT_MAX: Final = 1024  # whose place in a font is remembered
GETA: Final = "〓"
_HEAD: Final = Struct(">4sBBHH")
_CODE: Final = Struct(">H")
_LIKE: Final = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "―", "\u3000": "　"})


class Face(StrEnum):
    """The fonts, named by weight and by the size of a full-width character in pixels."""

    TEXT12 = "text12"
    BOLD12 = "bold12"
    BOLD16 = "bold16"


class Font:
    """One font file. Use `font` to get it."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        head: tuple[bytes, int, int, int, int] = _HEAD.unpack_from(self._data)
        magic, self.height_px, self.ascent_px, self._cell_bytes, self._count = head
        if magic != b"TKF1":
            raise ValueError(f"{path.name} is not a font of ours")
        self._advances_at = _HEAD.size + _CODE.size * self._count
        self._cells_at = self._advances_at + self._count
        self._index = lru_cache(maxsize=CHARACTERS_KEPT_MAX)(self._find)

    def has(self, character: str) -> bool:
        return self._index(character) is not None

    def width_px(self, text: str) -> int:
        """`text` must come from `drawable`."""
        return sum(self.advances_px(text))

    def advances_px(self, text: str) -> list[int]:
        return [self._advance(character) for character in text]

    def glyph(self, character: str) -> Image.Image:
        """Mode '1', as wide as the character's advance."""
        index = self._index_or_geta(character)
        width = self._data[self._advances_at + index]
        at = self._cells_at + index * self._cell_bytes
        bits = int.from_bytes(self._data[at : at + self._cell_bytes], "big")
        row_bytes = (width + 7) // 8
        rows = []
        for row in range(self.height_px):
            shift = 8 * self._cell_bytes - (row + 1) * width
            rows.append((bits >> shift & (1 << width) - 1) << (8 * row_bytes - width))
        return Image.frombytes("1", (width, self.height_px), b"".join(row.to_bytes(row_bytes, "big") for row in rows))

    def _advance(self, character: str) -> int:
        return int(self._data[self._advances_at + self._index_or_geta(character)])

    def _index_or_geta(self, character: str) -> int:
        index = self._index(character)
        if index is None:
            index = self._index(GETA)
            assert index is not None
        return index

    def _find(self, character: str) -> int | None:
        code = ord(character)
        index = bisect_left(range(self._count), code, key=self._code)
        return index if index < self._count and self._code(index) == code else None

    def _code(self, index: int) -> int:
        (code,) = _CODE.unpack_from(self._data, _HEAD.size + _CODE.size * index)
        return int(code)


@lru_cache(maxsize=len(Face))
def font(face: Face) -> Font:
    return Font(Path(__file__).with_name(f"{face.value}.bin"))


@lru_cache(maxsize=GLYPHS_KEPT_MAX)
def glyph(face: Face, character: str) -> Image.Image:
    return font(face).glyph(character)


def drawable(text: str) -> str:
    """`text` in characters that the fonts have (all have the same)."""
    have = font(Face.TEXT12)
    out = []
    for character in unicodedata.normalize("NFC", text).translate(_LIKE):
        if character == "\n" or have.has(character):
            out.append(character)
            continue
        plain = unicodedata.normalize("NFKC", character)
        out.append(plain if all(have.has(part) for part in plain) else GETA)
    return "".join(out)
