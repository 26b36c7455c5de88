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
    # The same symbols with FNC1 in the first place: GS1's, which hold element strings and nothing else.
    GS1_128 = "gs1_128"
    GS1_QR = "gs1_qr"
    GS1_DATAMATRIX = "gs1_datamatrix"
    # A unit takes these where its shop's rules name them: their check digits are optional or weak.
    ITF = "itf"
    CODE39 = "code39"
    CODABAR = "codabar"
    # The rest is told apart in single pictures only: no coupon of ours comes in them.
    CODE93 = "code93"
    MICRO_QR = "micro_qr"
    RMQR = "rmqr"
    AZTEC = "aztec"
    PDF417 = "pdf417"
    MAXICODE = "maxicode"


EAN: Final = frozenset({Format.EAN13, Format.EAN8})
LINEAR: Final = EAN | {Format.CODE128, Format.DATABAR, Format.DATABAR_EXPANDED}
COUPONS: Final = LINEAR | {Format.QR, Format.DATAMATRIX}  # what a unit takes
OPTIONAL: Final = frozenset({Format.ITF, Format.CODE39, Format.CODABAR})  # linear, and taken where they are switched on
GS1_OF: Final = {
    Format.CODE128: Format.GS1_128,
    Format.QR: Format.GS1_QR,
    Format.DATAMATRIX: Format.GS1_DATAMATRIX,
}
"""What a symbol is called when it is one of GS1's."""
EVERY: Final = frozenset(Format) - frozenset(GS1_OF.values())  # what can be asked for

# Reed-Solomon codes: a wrong text that passes is rarer than a forged signature is worth trying. One frame is enough.
STRONG: Final = frozenset(
    {
        Format.QR,
        Format.DATAMATRIX,
        Format.GS1_QR,
        Format.GS1_DATAMATRIX,
        Format.MICRO_QR,
        Format.RMQR,
        Format.AZTEC,
        Format.PDF417,
        Format.MAXICODE,
    }
)


def family(kind: Format) -> str:
    """Formats of one family can be mistaken for one another: their texts compete (`hal.decode.accept`).

    zbar does not tell GS1's symbols from the plain ones, so the two are one family.
    """
    return "ean" if kind in EAN else _PLAIN.get(kind, kind).value


_PLAIN: Final = {gs1: plain for plain, gs1 in GS1_OF.items()}
