"""What is this text? The one way from the bytes of a barcode to something the rules can speak about (K5).

`read` is total: any bytes give an answer, in a time bounded by `TEXT_BYTES_MAX`, and nothing raises.

What the symbol was (`format`, the value of a `hal.decode.Format`) decides like this:

- A code of ours counts from any symbol. Its signature is the proof, so it does not matter what carried it.
- Digits are a JAN only in a symbol that is one: EAN-13, EAN-8 or UPC-A. The same digits in a QR code, Code 128
  or ITF prove less (anybody makes such a symbol on a phone, and an order number looks the same), so they are
  no coupon, whatever their check digit. An empty `format` means that the caller doesn't know; then digits
  are judged by their number alone.
- Everything else is no coupon, and `detail` says what it seems to be.
"""

from __future__ import annotations

from typing import Final

from loyalty.barcode import jan, own
from loyalty.barcode.kinds import Jan, NotACoupon, Own
from loyalty.reason import Reason

__all__ = ["TEXT_BYTES_MAX", "Jan", "NotACoupon", "Own", "read"]

TEXT_BYTES_MAX: Final = 4096  # no barcode holds more than 2,953 bytes (QR version 40-L)

_GS1: Final = "a GS1 element string; this version honours no GS1 coupons"
_SEEMS: Final[tuple[tuple[bytes, str], ...]] = (
    # symbology identifiers of GS1 symbols, and the identifiers of goods and coupons in brackets
    (b"]C1", _GS1),
    (b"]e0", _GS1),
    (b"]d2", _GS1),
    (b"]Q3", _GS1),
    (b"(01)", _GS1),
    (b"(255)", _GS1),
    (b"(8110)", _GS1),
    (b"(8112)", _GS1),
    (b"http://", "a web address"),
    (b"https://", "a web address"),
    (b"mailto:", "a mail address"),
    (b"tel:", "a telephone number"),
    (b"wifi:", "the access data of a wireless network"),
    (b"begin:vcard", "a business card"),
    (b"mecard:", "a business card"),
    (b"begin:vevent", "a calendar entry"),
)
"""How other texts begin, in lower case from the first word on, and what they then are."""

_GS1_FORMATS: Final = frozenset({"databar", "databar_limited", "databar_expanded"})


def read(text: bytes, format: str = "") -> Own | Jan | NotACoupon:
    """What `text` is. An `Own` is well-formed and not yet believed: `loyalty.keys.check` comes next."""
    if own.looks_own(text):
        return own.parse(text)
    if len(text) in jan.LENGTHS.get(format, ()) and text.isdigit():
        return jan.parse(text)
    return NotACoupon(Reason.NOT_A_COUPON, _seems(text, format))


def _seems(text: bytes, format: str) -> str:
    if not text:
        return "an empty text"
    if len(text) > TEXT_BYTES_MAX:
        return f"{len(text)} bytes, more than any barcode holds"
    if format in _GS1_FORMATS or b"\x1d" in text:
        return _GS1
    if format and format in jan.LENGTHS:
        return f"{len(text)} characters that are no number of an {format} symbol"
    if text.isdigit():
        return f"{len(text)} digits; a JAN has 8, 12 or 13, in an EAN or UPC symbol"
    start = text[:16]
    lowered = start.lower()
    for beginning, what in _SEEMS:
        if start.startswith(beginning) or lowered.startswith(beginning):
            return what
    try:
        text.decode()
    except UnicodeDecodeError:
        return "binary data"
    return "a text of another kind"
