"""A phone's camera in front of the unit's display: what a QR there says, read from the pixels that are lit.

Reads at most one picture at a time, always the newest. Nothing fails: pixels without a QR say nothing.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hal.decode.engines import PLAIN, zxing
from hal.decode.formats import Format
from hal.display import HEIGHT_PX, WIDTH_PX

ZOOM: Final = 4  # pixels of the camera for one of the display
_QR: Final = frozenset({Format.QR})


def qr_text(pixels: bytes) -> str:
    """`pixels`: one bit each, lit 1, row by row. Empty: there is no QR on the display."""
    lit = np.unpackbits(np.frombuffer(pixels, np.uint8)).reshape(HEIGHT_PX, WIDTH_PX)
    grey = np.repeat(np.repeat(lit * np.uint8(255), ZOOM, axis=0), ZOOM, axis=1)
    found = zxing(np.pad(grey, 4 * ZOOM), _QR, PLAIN)
    return found[0].text.decode(errors="replace") if found else ""
