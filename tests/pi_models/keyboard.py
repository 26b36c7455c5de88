"""A scanner that types: the kernel's key events for a text, as bytes of /dev/input/eventN."""

from __future__ import annotations

from hal.pi.keys import EVENT, TABLES
from hal.pi.options import Layout


def event(code: int, value: int, at_ms: int, kind: int = 1) -> bytes:
    return EVENT.pack(at_ms // 1000, at_ms % 1000 * 1000, kind, code, value)


def typed(text: bytes, layout: Layout = "us", at_ms: int = 1_000, end: int = 28) -> bytes:
    """The events of a scanner that types `text` and Enter, a key each two milliseconds."""
    places = {character: (code, shift) for code, pair in TABLES[layout].items() for shift, character in enumerate(pair)}
    out = b""
    for byte in text:
        ctrl = byte < 0x20
        code, shift = places[byte | 0x40 if ctrl else byte]
        held = 29 if ctrl else 42 if shift and TABLES[layout][code][0] != byte else 0
        out += event(held, 1, at_ms) if held else b""
        out += event(code, 1, at_ms) + event(0, 0, at_ms, kind=0) + event(code, 0, at_ms + 1)
        out += event(held, 0, at_ms + 1) if held else b""
        at_ms += 2
    return out + event(end, 1, at_ms) + event(end, 0, at_ms)
