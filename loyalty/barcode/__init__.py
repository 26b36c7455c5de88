"""What is this text? The one way from the bytes of a barcode to something the rules can speak about (K5).

`read` is total: any bytes give an answer, in a time bounded by `TEXT_BYTES_MAX`, and nothing raises.

What the symbol was (`format`, the value of a `hal.decode.Format`) decides like this, in this order:

- A code of ours counts from any symbol. Its signature is the proof, so it does not matter what carried it.
- A code of the shop's own (`instore`) counts in the symbol that its rule names.
- Digits are a JAN only in a symbol that is one: EAN-13, EAN-8 or UPC-A. The same digits in a QR code, Code 128
  or ITF prove less (anybody makes such a symbol on a phone, and an order number looks the same), so they are
  no coupon, whatever their check digit. An empty `format` means that the caller doesn't know; then digits
  are judged by their number alone.
- A GS1 message counts where it claims to be one (`gs1.message.looks_gs1`): by its symbol, its identifier, its
  separators, its brackets or its address. A message that breaks a rule says which and where.
- Everything else is no coupon, and `detail` says what it seems to be.
"""

from __future__ import annotations

from typing import Final

from loyalty.barcode import instore, jan, own, trade
from loyalty.barcode.gs1 import message
from loyalty.barcode.instore import Shop
from loyalty.barcode.kinds import Item, Jan, Member, NotACoupon, Own, Priced, Reading, Trade
from loyalty.reason import Reason

__all__ = [
    "TEXT_BYTES_MAX",
    "Item",
    "Jan",
    "Member",
    "NotACoupon",
    "Own",
    "Priced",
    "Reading",
    "Shop",
    "Trade",
    "read",
]

TEXT_BYTES_MAX: Final = 4096  # no barcode holds more than 2,953 bytes (QR version 40-L)
NO_RULES: Final = Shop()

_SEEMS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"http://", "a web address"),
    (b"https://", "a web address"),
    (b"mailto:", "a mail address"),
    (b"tel:", "a telephone number"),
    (b"wifi:", "the access data of a wireless network"),
    (b"begin:vcard", "a business card"),
    (b"mecard:", "a business card"),
    (b"begin:vevent", "a calendar entry"),
)
"""How other texts begin, in lower case, and what they then are."""


def read(text: bytes, format: str = "", shop: Shop = NO_RULES) -> Reading:
    """What `text` is. An `Own` is well-formed and not yet believed: `loyalty.keys.check` comes next."""
    if own.looks_own(text):
        return own.parse(text)
    if len(text) > TEXT_BYTES_MAX:
        return NotACoupon(Reason.NOT_A_COUPON, f"{len(text)} bytes, more than any barcode holds")
    rules = shop.rules.get((format, len(text)))
    if rules is not None:
        found = instore.read(text, format, rules)
        if found is not None:
            return found
    if len(text) in jan.LENGTHS.get(format, ()) and text.isdigit():
        return jan.parse(text)
    if message.looks_gs1(text, format):
        return trade.read(text)
    return NotACoupon(Reason.NOT_A_COUPON, _seems(text, format))


def _seems(text: bytes, format: str) -> str:
    if not text:
        return "an empty text"
    if format and format in jan.LENGTHS:
        return f"{len(text)} characters that are no number of an {format} symbol"
    if text.isdigit():
        return f"{len(text)} digits; a JAN has 8, 12 or 13, in an EAN or UPC symbol"
    lowered = text[:16].lower()
    for beginning, what in _SEEMS:
        if lowered.startswith(beginning):
            return what
    try:
        text.decode()
    except UnicodeDecodeError:
        return "binary data"
    return "a text of another kind"
