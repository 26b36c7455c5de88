"""What a keyboard wedge types: the kernel's key events (linux/input.h) into lines of text.

Keys have numbers of their place on the keyboard; which character is there depends on the layout that the scanner was
set to (`us` or `jp`). Pure: events in, lines out. A line ends with Enter or Tab. What a person types in between is
dropped after a pause (`GAP_MS`), and so is a line of which the kernel lost events. Ctrl makes control
characters: scanners send GS1's separator as Ctrl+].
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from hal.pi.options import Layout
from hal.scanner import TEXT_BYTES_MAX

EVENT: Final = struct.Struct("llHHi")  # struct input_event of 64-bit Linux: seconds, microseconds, type, code, value
EV_SYN, EV_KEY, SYN_DROPPED, SYN_REPORT = 0, 1, 3, 0
RELEASED, PRESSED = 0, 1  # 2 is the keyboard's own repetition, which no scanner means
GAP_MS: Final = 500
ENDS: Final = frozenset({28, 96, 15})  # Enter, Enter of the number pad, Tab
SHIFTS: Final = frozenset({42, 54})
CTRLS: Final = frozenset({29, 97})

_ROWS: Final[
    dict[Layout, tuple[tuple[int, str, str], ...]]
] = {  # first key's number, its row plain, its row with Shift
    "us": (
        (2, "1234567890-=", "!@#$%^&*()_+"),
        (16, "qwertyuiop[]", "QWERTYUIOP{}"),
        (30, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
        (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
    ),
    "jp": (
        (2, "1234567890-^", "!\"#$%&'()\0=~"),
        (16, "qwertyuiop@[", "QWERTYUIOP`{"),
        (30, "asdfghjkl;:", "ASDFGHJKL+*"),
        (43, "]zxcvbnm,./", "}ZXCVBNM<>?"),
        (89, "\\", "_"),
        (124, "\\", "|"),
    ),
}
_PAD: Final = ((55, "*"), (57, " "), (71, "789-456+1230."), (98, "/"))


def _table(layout: Layout) -> dict[int, tuple[int, int]]:
    """Key number to its characters, plain and with Shift."""
    table = {first + n: (ord(key), ord(key)) for first, keys in _PAD for n, key in enumerate(keys)}
    for first, plain, shifted in _ROWS[layout]:
        table |= {first + n: (ord(a), ord(b)) for n, (a, b) in enumerate(zip(plain, shifted, strict=True))}
    return table


TABLES: Final[dict[Layout, dict[int, tuple[int, int]]]] = {"us": _table("us"), "jp": _table("jp")}


class Line(NamedTuple):
    text: bytes
    at_ms: int  # of its end, by the events' own clock


class Keys:
    """One keyboard's state. `feed` takes bytes in any pieces."""

    def __init__(self, layout: Layout) -> None:
        self._table = TABLES[layout]
        self._bytes = bytearray()
        self._line = bytearray()
        self._held: set[int] = set()
        self._key_ms = 0
        self._spoilt = False  # the line has a hole: it is dropped at its end

    def feed(self, data: bytes) -> list[Line]:
        self._bytes += data
        whole = len(self._bytes) // EVENT.size * EVENT.size
        events, self._bytes = bytes(self._bytes[:whole]), self._bytes[whole:]
        lines = []
        for seconds, micros, kind, code, value in EVENT.iter_unpack(events):
            if kind == EV_SYN and code == SYN_DROPPED:
                self._spoilt = True
                self._held.clear()
            elif kind == EV_KEY:
                line = self._key(code, value, seconds * 1000 + micros // 1000)
                lines += [line] if line is not None else []
        return lines

    def _key(self, code: int, value: int, at_ms: int) -> Line | None:
        if code in SHIFTS or code in CTRLS:
            (self._held.add if value else self._held.discard)(code)
            return None
        if value != PRESSED:
            return None
        if at_ms - self._key_ms > GAP_MS:
            self._line.clear()
            self._spoilt = False
        self._key_ms = at_ms
        if code in ENDS:
            text, spoilt = bytes(self._line), self._spoilt
            self._line.clear()
            self._spoilt = False
            return Line(text, at_ms) if text and not spoilt else None
        character = self._table.get(code, (0, 0))[bool(SHIFTS & self._held)]
        if CTRLS & self._held:
            character &= 0x1F
        if not character or len(self._line) >= TEXT_BYTES_MAX:
            self._spoilt = True  # a key that the layout does not have: the scanner is set to another one
        else:
            self._line.append(character)
        return None
