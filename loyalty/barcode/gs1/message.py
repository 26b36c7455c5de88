"""A scanned text to its GS1 message, all rules kept. The one way in is `read`; it raises Gs1Error.

What counts as GS1: a text that begins with the symbology identifier of a GS1 symbol or with FNC1 (0x1D), or with digits
and holds separators; one from a symbol that the decoder knows as GS1's (`SYMBOLS`); a bracketed text; a Digital Link.
"""

from __future__ import annotations

from typing import Final

import msgspec

from loyalty.barcode.gs1 import elements, link, lint, paper, positive
from loyalty.barcode.gs1.elements import SEPARATOR, Element
from loyalty.barcode.gs1.paper import PaperCoupon
from loyalty.barcode.gs1.positive import PositiveCoupon

IDENTIFIERS: Final = (b"]C1", b"]e0", b"]d2", b"]Q3", b"]J1")
"""GS1-128, DataBar, GS1 DataMatrix, GS1 QR, GS1 DotCode (ISO/IEC 15424; General Specifications, 5.1.2)."""
SYMBOLS: Final = frozenset({"gs1_128", "gs1_qr", "gs1_datamatrix", "databar", "databar_limited", "databar_expanded"})
"""`hal.decode.Format` values of symbols that hold nothing but GS1 messages."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message without a fault: its elements in their order, and the bodies of coupons decoded."""

    elements: tuple[Element, ...]
    found: dict[str, Element]  # by AI, those with a digit for decimals without it: '390', '394'
    paper: PaperCoupon | None = None  # 8110
    positive: PositiveCoupon | None = None  # 8112

    def value(self, ai: str) -> str:
        """The value of an AI; empty: it is not there."""
        element = self.found.get(ai)
        return "" if element is None else element.value


def looks_gs1(text: bytes, format: str) -> bool:
    """Whether `text` claims to be a GS1 message."""
    return (
        format in SYMBOLS
        or (SEPARATOR in text and (text[0] == SEPARATOR or text[:2].isdigit()))
        or text.startswith(IDENTIFIERS)
        or (text[:1] == b"(" and elements.looks_bracketed(text))
        or (text[:4].lower() == b"http" and link.looks_like_one(text))
    )


def read(text: bytes) -> Message | None:
    """The message in a text that `looks_gs1`; None: it is an ordinary web address after all."""
    found = _split(text)
    if found is None:
        return None
    for element in found:
        lint.value(element)
    by_ai = lint.together(found)
    on_paper, in_file = by_ai.get("8110"), by_ai.get("8112")
    return Message(
        elements=tuple(found),
        found=by_ai,
        paper=None if on_paper is None else paper.decode(on_paper),
        positive=None if in_file is None else positive.decode(in_file),
    )


def _split(text: bytes) -> list[Element] | None:
    if text[:1] == b"(":
        return elements.split_bracketed(text)
    if text[:4].lower() == b"http" and link.looks_like_one(text):
        return link.split(text)
    start = 3 if text.startswith(IDENTIFIERS) else 0
    return elements.split(text, start + 1 if text[start : start + 1] == b"\x1d" else start)
