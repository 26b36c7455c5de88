"""Finds what looks like a tilted linear code and turns it upright: rotation is the hole of linear decoders.

More than about 12 degrees off the axes zxing-cpp reads hardly any linear code. Bars give themselves away: in a
patch of them all edges run one way. The directions of the edges are averaged over small patches (a structure
tensor), the patches that agree are cut out and turned by the angle that they tell, which costs one rotation of
a small piece. (Sharpening the piece was measured too: that alone reads no more in a burst. Its rows have to be
averaged first: `hal.decode.bands`.)
`TURNS_DEG` is the blind sweep for where that finds nothing: with the engine's own quarter turns three angles
leave no tilt further than 12 degrees from one of them.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hal.decode.engines import Corners, Grey

PATCH_PX: Final = 16  # of the half-size picture
EDGE_MIN: Final = 60.0  # mean squared gradient below which a patch is flat
AGREE_MIN: Final = 0.65  # 1: all edges of a patch run exactly one way
PATCHES_MIN: Final = 4
SAME_WAY_DEG: Final = 8.0
MARGIN_PX: Final = 5 * PATCH_PX  # from a patch's middle: half of it, the quiet zone, and what it misses at the ends
TURNS_DEG: Final = (22.5, -22.5, 45.0)


class Piece(NamedTuple):
    """A part of a picture, turned upright."""

    grey: Grey
    turn_deg: float  # by which it was turned, clockwise
    back: NDArray[np.float64]  # 2x3: a point of the piece to a point of the picture

    def to_picture(self, corners: Corners) -> Corners:
        points = np.hstack([np.array(corners), np.ones((4, 1))]) @ self.back.T
        return tuple((float(x), float(y)) for x, y in points)


def enlarged(piece: Piece) -> Piece:
    """The piece at twice its size."""
    image = Image.fromarray(piece.grey)
    double = image.resize((2 * image.width, 2 * image.height), Image.Resampling.BILINEAR)
    return Piece(np.asarray(double), piece.turn_deg, piece.back * [0.5, 0.5, 1.0])


def half(grey: Grey) -> Grey:
    """The picture at half size, each pixel the mean of four."""
    return np.asarray(Image.fromarray(grey).reduce(2))


def bars(grey: Grey, small: Grey | None = None) -> Piece | None:
    """The part of `grey` that looks most like bars, upright; None where nothing does.

    `small` is `half(grey)`, if the caller has it already.
    """
    found = _bars_at(half(grey) if small is None else small)
    if found is None:
        return None
    middles, tilt_deg = found
    left, top = np.maximum(0, middles.min(axis=0) - MARGIN_PX)
    right, bottom = np.minimum((grey.shape[1], grey.shape[0]), middles.max(axis=0) + MARGIN_PX)
    return _trimmed(turned(grey[top:bottom, left:right], -tilt_deg, offset=(int(left), int(top))), middles)


def _trimmed(piece: Piece, middles: NDArray[np.int_]) -> Piece:
    """Without the corners that turning the piece has added: only what lies about the patches with bars."""
    inside = (middles - piece.back[:, 2]) @ piece.back[:, :2]  # a rotation: its transpose is its inverse
    left, top = (int(edge) for edge in np.maximum(0, inside.min(axis=0) - MARGIN_PX))
    right, bottom = (int(edge) for edge in inside.max(axis=0) + MARGIN_PX)
    back = piece.back.copy()
    back[:, 2] += piece.back[:, :2] @ (left, top)
    return Piece(np.ascontiguousarray(piece.grey[top:bottom, left:right]), piece.turn_deg, back)


def turned(grey: Grey, turn_deg: float, offset: tuple[int, int] = (0, 0)) -> Piece:
    """`grey` turned clockwise by `turn_deg`, whole; `offset` is where it lies in the picture it was cut from."""
    height, width = grey.shape
    turn = math.radians(turn_deg)
    cos, sin = math.cos(turn), math.sin(turn)
    wide, high = abs(width * cos) + abs(height * sin), abs(width * sin) + abs(height * cos)
    size = (max(1, math.ceil(wide)), max(1, math.ceil(high)))
    a, b, d, e = cos, sin, -sin, cos
    c = width / 2 - (a * size[0] + b * size[1]) / 2
    f = height / 2 - (d * size[0] + e * size[1]) / 2
    image = Image.fromarray(np.ascontiguousarray(grey))
    straight = image.transform(
        size, Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BILINEAR, fillcolor=128
    )
    back = np.array([[a, b, c + offset[0]], [d, e, f + offset[1]]])
    return Piece(np.asarray(straight), turn_deg, back)


def _bars_at(small: Grey) -> tuple[NDArray[np.int_], float] | None:
    """Middles (x, y) in the picture of the patches with bars, and their lean clockwise from upright, -45..45."""
    rows, columns = (small.shape[0] - 2) // PATCH_PX, (small.shape[1] - 2) // PATCH_PX
    if rows < 2 or columns < 2:
        return None
    light = small[: rows * PATCH_PX + 2, : columns * PATCH_PX + 2].astype(np.int16)
    # Scharr's operator: plain differences are 10 degrees off where a bar is 1.5 pixels wide.
    middle = 3 * (light[:-2] + light[2:]) + 10 * light[1:-1]
    across = (middle[:, 2:] - middle[:, :-2]).astype(np.float32) * np.float32(1 / 16)
    middle = 3 * (light[:, :-2] + light[:, 2:]) + 10 * light[:, 1:-1]
    down = (middle[2:] - middle[:-2]).astype(np.float32) * np.float32(1 / 16)
    # Squared as complex numbers, opposite edges of a bar add up instead of cancelling out.
    real, imaginary, energy = (
        _patch_means(part, rows, columns) for part in (across**2 - down**2, 2 * across * down, across**2 + down**2)
    )
    agree = np.hypot(real, imaginary) / np.maximum(energy, 1e-6)
    good = (energy > EDGE_MIN) & (agree > AGREE_MIN)
    if np.count_nonzero(good) < PATCHES_MIN:
        return None
    way_deg = np.degrees(np.arctan2(imaginary, real)) / 2  # direction across the bars, -90..90
    weight = np.where(good, np.sqrt(energy) * agree, 0)
    votes = np.histogram(way_deg, bins=36, range=(-90, 90), weights=weight)[0]
    smooth = votes + np.roll(votes, 1) + np.roll(votes, -1)
    peak_deg = -90 + 5 * (int(np.argmax(smooth)) + 0.5)
    off_deg = (way_deg - peak_deg + 90) % 180 - 90
    chosen = good & (np.abs(off_deg) < SAME_WAY_DEG)
    if np.count_nonzero(chosen) < PATCHES_MIN:
        return None
    tilt_deg = peak_deg + float(np.average(off_deg[chosen], weights=weight[chosen]))
    tilt_deg = (tilt_deg + 45) % 90 - 45  # the engine looks along both axes by itself
    at_rows, at_columns = np.nonzero(_largest(chosen))
    return np.column_stack([at_columns, at_rows]) * 2 * PATCH_PX + PATCH_PX, tilt_deg


def _patch_means(values: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    means: NDArray[np.float32] = values.reshape(rows, PATCH_PX, columns, PATCH_PX).mean(axis=(1, 3))
    return means


def _largest(chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest group of neighbouring patches (a gap of one patch does not part them)."""
    left = {(int(row), int(column)) for row, column in zip(*np.nonzero(chosen), strict=True)}
    best: set[tuple[int, int]] = set()
    while left:
        group, todo = set(), [left.pop()]
        while todo:
            row, column = todo.pop()
            group.add((row, column))
            near = {(row + i, column + j) for i in range(-2, 3) for j in range(-2, 3)} & left
            left -= near
            todo.extend(near)
        if len(group) > len(best):
            best = group
    out = np.zeros_like(chosen)
    for row, column in best:
        out[row, column] = True
    return out
