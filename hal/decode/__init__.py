"""Frames become barcodes here.

    formats   the names of the symbologies, and which of them a unit takes
    engines   zxing-cpp and zbar behind one function each
    gate      has anything changed in front of the camera?
    deskew    finds and straightens a tilted linear code
    bands     reads a straightened code by its profile, where it is too blurred for the engine
    tiers     one frame -> what stands in it, the cheap looks first
    accept    what was seen over several frames -> what counts as a scan (the rules against misreads)
    watcher   the three together: frames in, `Scanned` out
    picture   single pictures, thoroughly (`tokuten scan`)
    process   the camera and all this in a process of its own, watched (the unit's side)
    child     what runs inside that process
    keep      frames of refused scans, if the shop turned that on

The names below are loaded when they are first used: the unit's own process imports `hal.decode.process` alone
and must not pay for numpy and the engines, which live in the camera's process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hal.decode.formats import Format

if TYPE_CHECKING:
    from hal.decode.engines import Sighting
    from hal.decode.picture import decode_image
    from hal.decode.watcher import Watcher

__all__ = ["Format", "Sighting", "Watcher", "decode_image"]

_HOME = {"Sighting": "engines", "Watcher": "watcher", "decode_image": "picture"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
