"""The symbologies, by the names that travel with a scan (`hal.events.Scanned.format`).

UPC-E is missing on purpose: phantoms of it appear inside EAN symbols, and a wrong code costs money. A UPC-A is an
EAN-13 with a leading 0 and is called that.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Format(StrEnum):
    QR = "qr"
    DATAMATRIX = "datamatrix"
    EAN13 = "ean13"
    EAN8 = "ean8"
    CODE128 = "code128"
    DATABAR = "databar"
    DATABAR_EXPANDED = "databar_expanded"
    # The rest is told apart in single pictures only: their check digits are optional or weak, and no
    # coupon of ours comes in them.
    ITF = "itf"
    CODE39 = "code39"
    CODE93 = "code93"
    CODABAR = "codabar"
    MICRO_QR = "micro_qr"
    RMQR = "rmqr"
    AZTEC = "aztec"
    PDF417 = "pdf417"
    MAXICODE = "maxicode"


EAN: Final = frozenset({Format.EAN13, Format.EAN8})
LINEAR: Final = EAN | {Format.CODE128, Format.DATABAR, Format.DATABAR_EXPANDED}
COUPONS: Final = LINEAR | {Format.QR, Format.DATAMATRIX}  # what a unit takes
EVERY: Final = frozenset(Format)

# Reed-Solomon codes: a wrong text that passes is rarer than a forged signature is worth trying. One frame is enough.
STRONG: Final = frozenset(
    {Format.QR, Format.DATAMATRIX, Format.MICRO_QR, Format.RMQR, Format.AZTEC, Format.PDF417, Format.MAXICODE}
)


def family(kind: Format) -> str:
    """Formats of one family can be mistaken for one another: their texts compete (`hal.decode.accept`)."""
    return "ean" if kind in EAN else kind.value
