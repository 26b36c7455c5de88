"""One frame -> what stands in it: cheap looks first, dear ones only while something is held up.

    1  QR, full size                                        about 3 ms on an empty 1280x720 frame
    2  linear and DataBar, upright and lying, full size     about 5
    3  DataMatrix at half size                              about 1
    4  only while something is held up and nothing was read: what looks like bars, cut out and straightened, by both
       engines and by its profile; where nothing looks like bars, in every second frame one angle of the blind
       sweep; then everything at every size

A tier that reads something new ends the look, unless it was read across too few rows to count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hal.decode import bands, deskew
from hal.decode.accept import tall_enough
from hal.decode.engines import (
    PLAIN,
    UPRIGHT_OR_NOT,
    WHOLE,
    ZBAR_READS,
    Grey,
    Sighting,
    carries_text,
    height_px,
    zbar,
    zbar_missing,
    zxing,
)
from hal.decode.formats import COUPONS, LINEAR, Format

QR_ONLY: Final = frozenset({Format.QR})
DATAMATRIX_ONLY: Final = frozenset({Format.DATAMATRIX})
QUICK_QR: Final = PLAIN
QUICK_LINEAR: Final = UPRIGHT_OR_NOT


def look(
    grey: Grey, held_up: bool, turn: int, known: Callable[[Sighting], bool], linear: frozenset[Format] = LINEAR
) -> list[Sighting]:
    """The symbols in one frame. `turn` counts the frames looked at: it picks what tier 4 tries. `linear`: the linear
    formats that are switched on.

    `known` tells whether a sighting is already reported and still held up; such a one ends no look, or a code
    that lies in view for good would hide all others.
    """
    found = zxing(grey, QR_ONLY, QUICK_QR)
    if _new(found, known):
        return found
    found += zxing(grey, linear, QUICK_LINEAR)
    if _new(found, known):
        return found
    small = deskew.half(grey)
    found += [_doubled(sighting) for sighting in zxing(small, DATAMATRIX_ONLY, PLAIN)]
    if not held_up or tall_enough(found):
        return found
    return found + _harder(grey, small, turn, linear)


def straightened(piece: deskew.Piece, both: bool = True, linear: frozenset[Format] = LINEAR) -> list[Sighting]:
    """The linear codes in a straightened piece, with their corners in the picture that it was cut from.

    By `both` engines, or by zxing-cpp alone. Beside EAN, what comes from zbar is a vote and no payload
    (`Sighting.engine`).
    """
    found = zxing(piece.grey, linear, UPRIGHT_OR_NOT)
    if both and not found and not zbar_missing():
        found = zbar(piece.grey, ZBAR_READS)
    return [_placed(sighting, piece) for sighting in found]


def _harder(grey: Grey, small: Grey, turn: int, linear: frozenset[Format]) -> list[Sighting]:
    piece = deskew.bars(grey, small)
    found = straightened(piece, linear=linear) if piece is not None else []
    if any(carries_text(sighting) for sighting in tall_enough(found)):
        return found
    if piece is not None and (clearer := bands.read(piece.grey, turn)):
        return found + [_placed(sighting, piece) for sighting in clearer]
    if found and piece is not None:  # zbar sees a code there: a second try for zxing-cpp, whose text it takes
        double = deskew.enlarged(piece)
        found += [_placed(sighting, double) for sighting in zxing(double.grey, linear, UPRIGHT_OR_NOT)]
    if turn % 2 and piece is None:  # zbar is too dear here: a turned frame is larger than a frame
        turned = deskew.turned(grey, deskew.TURNS_DEG[turn // 2 % len(deskew.TURNS_DEG)])
        if found := straightened(turned, both=False, linear=linear):
            return found
    return found + zxing(grey, COUPONS | linear, WHOLE)


def _new(found: list[Sighting], known: Callable[[Sighting], bool]) -> bool:
    return any(not known(sighting) for sighting in tall_enough(found))


def _doubled(sighting: Sighting) -> Sighting:
    corners = tuple((2 * x, 2 * y) for x, y in sighting.corners)
    return sighting._replace(corners=corners, height_px=2 * sighting.height_px)


def _placed(sighting: Sighting, piece: deskew.Piece) -> Sighting:
    corners = piece.to_picture(sighting.corners)
    return sighting._replace(corners=corners, height_px=height_px(corners))
