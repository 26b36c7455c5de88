"""The two decoding engines, each behind one function; both let other threads run while they work.

zxing-cpp does the work and alone gives payload bytes (`.bytes`: the default text mode would hide a GS1
separator). zbar reads linear symbols that zxing-cpp does not, EAN and UPC above all; it changes binary payloads,
so only its digits of EAN and UPC count, and what it says of other codes is a vote for what zxing-cpp read
(`hal.decode.accept`). zbar needs a system library and may be absent: `zbar_missing` says so in words.

What can fail: nothing, for any uint8 picture with at least one pixel; other arrays are a ValueError.
"""

from __future__ import annotations

import ctypes.util
import math
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import zxingcpp
from numpy.typing import NDArray

from hal.decode.formats import EAN, GS1_OF, Format
from hal.errors import HalReason, PartMissing

if TYPE_CHECKING:
    from zxingcpp.zxingcpp import Barcode, BarcodeFormats

TEXT_BYTES_MAX: Final = 4096  # of one symbol; a QR code holds at most 2,953 bytes
SYMBOLS_MAX: Final = 64  # of one picture

Grey = NDArray[np.uint8]
Corners = tuple[tuple[float, float], ...]  # four (x, y): top left, top right, bottom right, bottom left


class Sighting(NamedTuple):
    """One symbol in one picture."""

    text: bytes  # the payload as it stands in the symbol; a UPC-A with its leading 0
    format: Format
    height_px: float  # as far as bars were read across, for linear codes
    corners: Corners  # of the symbol as it stands in the picture
    engine: str  # 'zxing' or 'zbar'


def carries_text(sighting: Sighting) -> bool:
    """May this text be taken as it is? From zbar only the digits of EAN and UPC."""
    return sighting.engine != "zbar" or sighting.format in EAN


class Effort(NamedTuple):
    """What zxing-cpp tries beyond a plain pass, in the order of what it costs."""

    rotated: bool = False  # linear codes that run from top to bottom
    reduced: bool = False  # at half size and less, for large and blurred symbols
    inverted: bool = False  # light on dark
    bitonal: bool = False  # the picture is black and white already: it is taken as it is


PLAIN: Final = Effort()
UPRIGHT_OR_NOT: Final = Effort(rotated=True)
WHOLE: Final = Effort(rotated=True, reduced=True, inverted=True)
BITONAL: Final = Effort(bitonal=True)

_Z = zxingcpp.BarcodeFormat
_ASK: Final[dict[Format, tuple[zxingcpp.BarcodeFormat, ...]]] = {
    Format.QR: (_Z.QRCodeModel2,),
    Format.DATAMATRIX: (_Z.DataMatrix,),
    Format.EAN13: (_Z.EAN13, _Z.UPCA),
    Format.EAN8: (_Z.EAN8,),
    Format.CODE128: (_Z.Code128,),
    Format.DATABAR: (_Z.DataBarOmni, _Z.DataBarStk, _Z.DataBarStkOmni, _Z.DataBarLtd),
    Format.DATABAR_EXPANDED: (_Z.DataBarExp, _Z.DataBarExpStk),
    Format.ITF: (_Z.ITF,),
    Format.CODE39: (_Z.Code39,),
    Format.CODE93: (_Z.Code93,),
    Format.CODABAR: (_Z.Codabar,),
    Format.MICRO_QR: (_Z.MicroQRCode,),
    Format.RMQR: (_Z.RMQRCode,),
    Format.AZTEC: (_Z.Aztec,),
    Format.PDF417: (_Z.PDF417,),
    Format.MAXICODE: (_Z.MaxiCode,),
}
# What it may answer with: the formats asked for, and the names of their variants.
_VARIANTS: Final[dict[Format, tuple[zxingcpp.BarcodeFormat, ...]]] = {
    Format.QR: (_Z.QRCode, _Z.QRCodeModel1),
    Format.EAN13: (_Z.ISBN,),
    Format.ITF: (_Z.ITF14,),
    Format.CODE39: (_Z.Code39Std, _Z.Code39Ext, _Z.Code32, _Z.PZN),
    Format.AZTEC: (_Z.AztecCode, _Z.AztecRune),
    Format.PDF417: (_Z.CompactPDF417, _Z.MicroPDF417),
}
_TOLD: Final[dict[int, Format]] = {
    int(theirs): ours for ours in _ASK for theirs in _ASK[ours] + _VARIANTS.get(ours, ())
}

_ZBAR_NAMES: Final[dict[Format, tuple[str, ...]]] = {
    Format.EAN13: ("EAN13", "UPCA", "UPCE"),  # UPC-E is asked for to be dropped: unasked, it comes as an EAN-13
    Format.EAN8: ("EAN8",),
    Format.CODE128: ("CODE128",),
    Format.DATABAR_EXPANDED: ("DATABAR_EXP",),
}
_ZBAR_TOLD: Final = {name: kind for kind, names in _ZBAR_NAMES.items() for name in names if name != "UPCE"}
ZBAR_READS: Final = frozenset(_ZBAR_NAMES)


@cache
def _formats(wanted: frozenset[Format]) -> BarcodeFormats:
    return zxingcpp.BarcodeFormats([theirs for ours in sorted(wanted) for theirs in _ASK[ours]])


def zxing(grey: Grey, wanted: frozenset[Format], effort: Effort = WHOLE) -> list[Sighting]:
    """Every symbol of the `wanted` formats that zxing-cpp reads in `grey` (uint8, height x width)."""
    found = zxingcpp.read_barcodes(
        _checked(grey),
        formats=_formats(wanted),
        try_rotate=effort.rotated,
        try_downscale=effort.reduced,
        try_invert=effort.inverted,
        text_mode=zxingcpp.TextMode.Plain,
        binarizer=zxingcpp.Binarizer.BoolCast if effort.bitonal else zxingcpp.Binarizer.LocalAverage,
    )
    seen = (_from_zxing(symbol, wanted) for symbol in found[:SYMBOLS_MAX])
    return [sighting for sighting in seen if sighting is not None]


def _from_zxing(symbol: Barcode, wanted: frozenset[Format]) -> Sighting | None:
    kind = _TOLD.get(int(symbol.format))
    text = symbol.bytes
    if kind is None or not text or len(text) > TEXT_BYTES_MAX:
        return None
    if kind in EAN:
        return _digits(text, wanted, _corners(symbol.position), "zxing")
    if symbol.content_type == zxingcpp.ContentType.GS1:
        kind = GS1_OF.get(kind, kind)
    corners = _corners(symbol.position)
    return Sighting(text, kind, height_px(corners), corners, "zxing")


def _corners(at: Any) -> Corners:
    points = (at.top_left, at.top_right, at.bottom_right, at.bottom_left)
    return tuple((float(point.x), float(point.y)) for point in points)


def _digits(text: bytes, wanted: Iterable[Format], corners: Corners, engine: str) -> Sighting | None:
    """An EAN or UPC symbol under the one name that it has here; None if it isn't one that is wanted."""
    if len(text) == 12:
        text = b"0" + text
    kind = {13: Format.EAN13, 8: Format.EAN8}.get(len(text))
    if kind is None or kind not in wanted or not text.isdigit() or not _check_digit_fits(text):
        return None
    return Sighting(text, kind, height_px(corners), corners, engine)


def _check_digit_fits(text: bytes) -> bool:
    """GS1 General Specifications 7.9: weights 1 and 3 from the right."""
    weighed = sum((digit - 48) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(text)))
    return weighed % 10 == 0


def height_px(corners: Corners) -> float:
    """The mean length of a symbol's two sides."""
    top_left, top_right, bottom_right, bottom_left = corners
    return (math.dist(top_left, bottom_left) + math.dist(top_right, bottom_right)) / 2


@cache
def zbar_missing() -> str:
    """Why there is no second engine; empty when there is one."""
    if ctypes.util.find_library("zbar") is None:
        return "the system library libzbar is not installed (Debian: apt install libzbar0)"
    try:
        _pyzbar()
    except PartMissing as error:
        return str(error)
    return ""


@cache
def _pyzbar() -> Any:
    """Raises PartMissing."""
    try:
        from pyzbar import pyzbar
    except ImportError as error:  # the package, or the library that it loads when imported
        raise PartMissing(HalReason.NO_LIBRARY, f"pyzbar can't be loaded: {error}") from error
    return pyzbar


def zbar(grey: Grey, wanted: frozenset[Format] = EAN) -> list[Sighting]:
    """The symbols of the `wanted` formats that zbar reads in `grey`. Raises PartMissing where zbar is absent."""
    if not wanted <= ZBAR_READS:
        raise ValueError(f"zbar is not asked for {sorted(wanted - ZBAR_READS)}")
    pyzbar = _pyzbar()
    height, width = _checked(grey).shape
    names = [name for kind in sorted(wanted) for name in _ZBAR_NAMES[kind]]
    found = pyzbar.decode((grey.tobytes(), width, height), symbols=[pyzbar.ZBarSymbol[name] for name in names])
    seen = (_from_zbar(symbol, wanted) for symbol in found[:SYMBOLS_MAX])
    return [sighting for sighting in seen if sighting is not None]


def _from_zbar(symbol: Any, wanted: frozenset[Format]) -> Sighting | None:
    corners = _box(symbol.rect, symbol.orientation)
    kind = _ZBAR_TOLD.get(symbol.type)
    if kind is None:
        return None
    if kind in EAN:
        return _digits(symbol.data, wanted, corners, "zbar")
    if not 0 < len(symbol.data) <= TEXT_BYTES_MAX:  # it has returned an empty Code 128
        return None
    return Sighting(symbol.data, kind, height_px(corners), corners, "zbar")


def _box(rect: Any, orientation: str | None) -> Corners:
    """zbar tells the box around the lines that it read, not the symbol's own corners."""
    left, top, right, bottom = rect.left, rect.top, rect.left + rect.width, rect.top + rect.height
    if orientation in ("LEFT", "RIGHT"):  # bars lie flat: the symbol's height runs across
        return ((right, top), (right, bottom), (left, bottom), (left, top))
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def _checked(grey: Grey) -> Grey:
    if grey.dtype != np.uint8 or grey.ndim != 2 or grey.size == 0:
        raise ValueError(f"a picture is uint8 with two dimensions and a pixel, not {grey.dtype} {grey.shape}")
    return np.ascontiguousarray(grey)
