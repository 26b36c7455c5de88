"""The difference gate: has anything changed in front of the camera since the last frame that was decoded?

Most frames of a day show an empty counter. A thumbnail of area means (each pixel of it the mean of a block, so
that sensor noise averages out) is compared with that of the last frame decoded: about 0.3 ms instead of a
decoder pass of 30 ms. Slow changes add up until they open the gate; a change of the light as a whole does not.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

WIDTH_CELLS: Final = 160
HEIGHT_CELLS: Final = 90
STEP_LEVELS: Final = 14.0  # a cell that moved this far has changed; noise of sigma 13 moves a mean of 64 pixels by 2.3
GAIN_MAX: Final = 2.0
CELLS_MIN: Final = 8  # so many changed cells open the gate: a phone at arm's length covers hundreds

Thumbnail = NDArray[np.float32]


def thumbnail(grey: NDArray[np.uint8]) -> Thumbnail:
    """Means over equal blocks, at most 160 x 90 of them; rows and columns that are left over are not looked at."""
    height, width = grey.shape
    down, across = max(1, height // HEIGHT_CELLS), max(1, width // WIDTH_CELLS)
    rows, columns = height // down, width // across
    whole = grey[: rows * down, : columns * across]
    sums = np.add.reduce(
        whole.reshape(rows, down, columns * across), axis=1, dtype=np.uint32 if down > 257 else np.uint16
    )
    weights = np.full(across, 1 / (down * across), np.float32)
    means: Thumbnail = (sums.astype(np.float32).reshape(-1, across) @ weights).reshape(rows, columns)
    return means


def _gain(before: Thumbnail, now: Thumbnail) -> float:
    """By how much the light as a whole has changed: flicker, the camera's own exposure."""
    gain = float(np.median(now[::4, ::4])) / max(1.0, float(np.median(before[::4, ::4])))
    return min(max(gain, 1 / GAIN_MAX), GAIN_MAX)


class Gate:
    """Compares each frame with the last one that was let through."""

    def __init__(self) -> None:
        self._reference: Thumbnail | None = None

    def changed(self, grey: NDArray[np.uint8]) -> bool:
        """True when this frame should be decoded; it is then what later frames are compared with."""
        small = thumbnail(grey)
        if self._reference is not None and self._reference.shape == small.shape:
            difference = small - self._reference * _gain(self._reference, small)
            if np.count_nonzero(np.abs(difference) > STEP_LEVELS) < CELLS_MIN:
                return False
        self._reference = small
        return True

    def renew(self, grey: NDArray[np.uint8]) -> None:
        """Compare with this frame from now on (it was decoded for another reason)."""
        self._reference = thumbnail(grey)
