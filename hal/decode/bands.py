"""Reads a straightened linear code by its profile: the mean over bands of rows, sharpened, cut into dark and light.

Defocus, shake and noise take narrow bars from the engine long before they are gone from the picture. All rows of
a band show the same bars, so their mean has a fraction of the noise; that leaves room to undo the blur (a Wiener
filter for a few widths, as nobody tells how blurred a frame is) and to threshold between the nearest light and
dark. The engine gets rows of black and white and does what it always does: find the pattern, check the digits.

Each row that the engine sees is the mean of rows that no other row shares, and the engine takes nothing that it
has not read in two rows: a symbol read here was read twice, over at least two bands. It is still one look at one
frame (`hal.decode.accept`). The work is bounded by `CELLS_MAX` for one frame. Nothing can fail for a picture.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hal.decode.engines import BITONAL, Grey, Sighting, height_px, zxing
from hal.decode.formats import LINEAR

BAND_PX: Final = 12  # rows averaged: straightened bars lean by less than a pixel over that
FINER: Final = 4  # columns for each column of the picture: edges lie between pixels
BLURS_PX: Final = (1.7, 1.2, 2.2, 0.8, 2.8)  # standard deviations of the blur that is undone, the likeliest first
NOISE_SHARE: Final = 0.01  # of the signal, in the filter
REACH_PX: Final = 45  # to each side: as far as a threshold looks for light and dark
ROWS_MIN: Final = 2
WIDTH_MIN_PX: Final = 48  # no symbol has fewer modules than an EAN-8's 67, and hardly any is read below 1 px each
CELLS_MAX: Final = 600_000  # of the black and white pictures made for one frame, about 40 ms

Profiles = NDArray[np.float32]


def read(grey: Grey, turn: int = 0) -> list[Sighting]:
    """The linear codes in `grey`, whose bars stand upright or lie flat.

    `turn` picks with which blur to begin where the budget does not allow all of them.
    """
    flat = _lies_flat(grey)
    upright = grey.T if flat else grey
    if upright.shape[0] < ROWS_MIN * BAND_PX or upright.shape[1] < WIDTH_MIN_PX:
        return []
    profiles = _profiles(upright)
    looks = min(len(BLURS_PX), max(1, CELLS_MAX // (profiles.size * FINER)))
    first = 0 if looks == len(BLURS_PX) else turn * looks
    for number in range(first, first + looks):
        bars = _black_and_white(_sharpened(profiles, BLURS_PX[number % len(BLURS_PX)]))
        if found := zxing(bars, LINEAR, BITONAL):
            return [_placed(sighting, flat) for sighting in found]
    return []


def _lies_flat(grey: Grey) -> bool:
    light = grey[::2, ::2].astype(np.int16)
    steps_down, steps_across = (float(np.abs(np.diff(light, axis=axis)).sum()) for axis in (0, 1))
    return steps_down > steps_across


def _profiles(grey: Grey) -> Profiles:
    """One row of means for each band of `grey`; what is left over at the bottom is not looked at."""
    rows = grey.shape[0] // BAND_PX
    means: Profiles = grey[: rows * BAND_PX].reshape(rows, BAND_PX, -1).mean(axis=1, dtype=np.float32)
    return means


def _sharpened(profiles: Profiles, blur_px: float) -> Profiles:
    """Wiener's filter for a Gaussian blur; it leaves the mean as it is."""
    width = profiles.shape[1]
    passed = np.exp(-2 * (np.pi * blur_px * np.fft.rfftfreq(width)) ** 2)
    undo = (1 + NOISE_SHARE) * passed / (passed**2 + NOISE_SHARE)
    return np.fft.irfft(np.fft.rfft(profiles, axis=1) * undo, n=width, axis=1).astype(np.float32)


def _black_and_white(profiles: Profiles) -> Grey:
    """Dark where a profile lies below the middle between the lightest and the darkest in reach."""
    above = profiles - (_highest(profiles) - _highest(-profiles)) / 2
    size = (FINER * above.shape[1], above.shape[0])
    finer = np.asarray(Image.fromarray(above).resize(size, Image.Resampling.BICUBIC))
    return np.where(finer < 0, 0, 255).astype(np.uint8)


def _highest(profiles: Profiles) -> Profiles:
    """The highest value within `REACH_PX` to each side, by doubling the reach."""
    width = profiles.shape[1]
    best = np.pad(profiles, ((0, 0), (REACH_PX, REACH_PX)), mode="edge")
    span, whole = 1, 2 * REACH_PX + 1
    while span < whole:
        step = min(span, whole - span)
        best = np.maximum(best[:, :-step], best[:, step:])
        span += step
    return best[:, :width]


def _placed(sighting: Sighting, flat: bool) -> Sighting:
    """With its corners in the piece, and no taller than the bands' middles lie apart."""
    corners = tuple((x / FINER, (y + 0.5) * BAND_PX) for x, y in sighting.corners)
    if flat:
        corners = tuple((y, x) for x, y in corners)
    return sighting._replace(corners=corners, height_px=height_px(corners))
