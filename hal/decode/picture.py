"""Single pictures, thoroughly: for `tokuten scan` and for whoever has one chance and time to spare.

Both engines, both axes, all sizes, light on dark, straightened pieces and the blind sweep. There is no second
frame to agree with, so callers must take unsigned linear codes as unconfirmed. The rules of a single frame
hold (`hal.decode.accept.plausible`): two different EANs in one picture are both left out, unless `every` is set.
"""

from __future__ import annotations

from hal.decode import deskew
from hal.decode.accept import key, plausible, tall_enough
from hal.decode.engines import WHOLE, Grey, Sighting, carries_text, zbar, zbar_missing, zxing
from hal.decode.formats import COUPONS, EAN, EVERY, LINEAR
from hal.decode.tiers import straightened


def decode_image(grey: Grey, every: bool = False) -> list[Sighting]:
    """Every symbol found in `grey` (uint8, height x width), each once, from the top down.

    Reads what a unit takes; with `every` all formats that there are names for, and two different EANs too.
    Raises ValueError for an array that is no picture.
    """
    found = zxing(grey, EVERY if every else COUPONS, WHOLE)
    if not zbar_missing() and not any(seen.format in EAN for seen in found):
        found += zbar(grey)
    if not any(seen.format in LINEAR for seen in found) and (piece := deskew.bars(grey)) is not None:
        found += _texts(straightened(piece))
    for turn_deg in deskew.TURNS_DEG:
        if found:
            break
        found = _texts(straightened(deskew.turned(grey, turn_deg)))
    once = {key(seen): seen for seen in reversed(found)}
    kept = (tall_enough if every else plausible)(list(once.values()))
    return sorted(kept, key=lambda seen: (min(y for _, y in seen.corners), min(x for x, _ in seen.corners)))


def _texts(found: list[Sighting]) -> list[Sighting]:
    return [seen for seen in found if carries_text(seen)]
