"""A coupon's text as the modules of its barcode, for the phone to keep and to draw without any network (K4).

Own codes (`TK1:...`) become a QR code, 8 and 13 digits an EAN. Raises ValueError for a text too long for one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
import segno
import zxingcpp

ERROR_LEVEL: Final = "m"
TEXT_CHARS_MAX: Final = 400
SYMBOLS_KEPT: Final = 512


@lru_cache(SYMBOLS_KEPT)  # phones ask again every few seconds, and a QR code takes milliseconds to make
def symbol(text: str) -> dict[str, Any]:
    """{"kind": "qr", "rows": ["0110...", ...]} or {"kind": "ean", "bars": "1010...", "text": "49..."}."""
    if len(text) > TEXT_CHARS_MAX:
        raise ValueError(f"a coupon's text has at most {TEXT_CHARS_MAX} characters")
    if text.isascii() and text.isdigit() and len(text) in (8, 13):
        return {"kind": "ean", "bars": _bars(text), "text": text}
    code = segno.make(text, error=ERROR_LEVEL, boost_error=False, micro=False)
    return {"kind": "qr", "rows": ["".join("1" if dark else "0" for dark in row) for row in code.matrix]}


def _bars(digits: str) -> str:
    formats = zxingcpp.BarcodeFormat
    made = zxingcpp.create_barcode(digits, formats.EAN13 if len(digits) == 13 else formats.EAN8)
    row = np.asarray(made.to_image(scale=1, add_quiet_zones=False))[0]
    return "".join("1" if level < 128 else "0" for level in row.tolist())
