"""EAN/JAN-13, EAN/JAN-8 and UPC-A: what such a symbol's digits say.

A number with 13 digits is the same product or leaflet whether it was printed as UPC-A or as EAN-13, so UPC-A
gets its leading 0 here and nowhere else.
"""

from __future__ import annotations

from typing import Final

from loyalty import check_digit
from loyalty.barcode.kinds import Jan, NotACoupon
from loyalty.reason import Reason

LENGTHS: Final[dict[str, tuple[int, ...]]] = {
    # a decoder may report UPC-A as the EAN-13 that it is, and the other way round
    "ean13": (13, 12),
    "upca": (12, 13),
    "ean8": (8,),
    "": (13, 12, 8),  # the caller doesn't know the symbol: digits that were typed, or a test
}
"""By symbol (`hal.decode.Format`), how many digits it has. Any other symbol holds no JAN."""


def parse(text: bytes) -> Jan | NotACoupon:
    """`text`, which is 8, 12 or 13 ASCII digits."""
    digits = text.decode("ascii")
    if not check_digit.fits(digits):
        return NotACoupon(Reason.CHECK_DIGIT, f"the check digit of {len(digits)} digits does not fit")
    return Jan("0" + digits if len(digits) == 12 else digits)
