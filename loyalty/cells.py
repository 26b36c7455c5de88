"""How much room a text takes on a display with half-width and full-width cells, and how to make it fit.

A character that East Asian fonts draw wide, or may draw wide (Unicode Standard Annex 11: W, F and A), counts as
two cells, everything else as one. So the count is never too small for any font, and no text has more
characters than it has cells.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

ELLIPSIS: Final = "…"
FULL_WIDTH_SPACE: Final = "\u3000"
_SPACES: Final = re.compile(r"\s+")
_WIDE: Final = frozenset("WFA")


def cells(text: str) -> int:
    """The half-width cells that `text` takes at most."""
    return sum(2 if unicodedata.east_asian_width(c) in _WIDE else 1 for c in text)


def printable(text: str) -> str:
    """`text` composed (NFC) and on one line: single spaces, half or full width, none at the ends; no control, format,
    private or unassigned characters."""
    visible = "".join(c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    spaced = _SPACES.sub(lambda run: run[0] if run[0] == FULL_WIDTH_SPACE else " ", visible)
    return unicodedata.normalize("NFC", spaced.strip())


def shorten(text: str, limit: int) -> str:
    """`text` in at most `limit` cells; what was cut off shows as an ellipsis, if there is room for one."""
    if cells(text) <= limit:
        return text
    room = limit - cells(ELLIPSIS)
    if room < 0:
        return ""
    for at, character in enumerate(text):
        room -= cells(character)
        if room < 0:
            return text[:at].rstrip() + ELLIPSIS
    raise AssertionError("a text that is too wide has a character that does not fit")
