"""Texts into elements: an element string as scanned, and the bracketed text under a symbol.

As scanned, a value of variable length ends with a separator (FNC1, 0x1D) or with the text; one of predefined length
ends by itself, and a separator after it is borne (General Specifications, 7.8). In brackets, a value ends where '('
and the digits of an AI and ')' follow, so a value may hold brackets of its own; `\\(` never begins an AI.

`split` and `split_bracketed` look at each character a bounded number of times. Both raise Gs1Error.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from loyalty.barcode.gs1.ais import AIS, Ai, at
from loyalty.barcode.gs1.faults import Fault, Gs1Error

SEPARATOR: Final = 0x1D
ELEMENTS_MAX: Final = 64  # of one message, whatever its length
_BRACKETED: Final = re.compile(rb"(?<!\\)\(([0-9]{2,4})\)")


class Element(NamedTuple):
    """One AI with its value, which has the right length and the right characters."""

    ai: str
    value: str
    at: int  # where the value begins in the scanned text
    places: tuple[int, ...] = ()  # where each character stands, where that is not simply one after the other

    def place(self, index: int) -> int:
        """The offset in the scanned text of character `index` of the value; of its end, for one past the last."""
        if not self.places:
            return self.at + index
        return self.places[index] if index < len(self.places) else self.places[-1] + 1


def checked(ai: Ai, value: bytes, at: int, places: tuple[int, ...] = ()) -> Element:
    """The element, if its value has the length and the characters that its AI wants. Raises Gs1Error."""
    if len(value) < ai.least:
        raise Gs1Error(Fault.TOO_SHORT, ai.ai, at, f"{len(value)} characters; it has {_length(ai)}")
    if len(value) > ai.most:
        place = places[ai.most] if places else at + ai.most
        raise Gs1Error(Fault.TOO_LONG, ai.ai, place, f"{len(value)} characters; it has {_length(ai)}")
    if not ai.digits or not value.isdigit():
        start = 0
        for part in ai.parts:
            stretch = value[start : start + part.most]
            if rest := stretch.translate(None, part.characters):
                wrong = start + stretch.index(rest[:1])
                place = places[wrong] if places else at + wrong
                raise Gs1Error(Fault.CHARACTER, ai.ai, place, "a character that can't stand here")
            start += len(stretch)
    return Element(ai.ai, value.decode("ascii"), at, places)


def _length(ai: Ai) -> str:
    return str(ai.most) if ai.least == ai.most else f"{ai.least} to {ai.most}"


def split(text: bytes, start: int) -> list[Element]:
    """The elements of a text as scanned, from `start` on (after a symbology identifier and FNC1, if there are)."""
    found: list[Element] = []
    place, end = start, len(text)
    while place < end:
        if len(found) >= ELEMENTS_MAX:
            raise Gs1Error(Fault.TOO_MANY, "", place, f"more than {ELEMENTS_MAX} elements")
        ai = at(text, place)
        if ai is None:
            raise Gs1Error(Fault.UNKNOWN_AI, "", place, "no Application Identifier begins here")
        value_at = place + len(ai.ai)
        stop = text.find(SEPARATOR, value_at)
        if stop < 0:
            stop = end
        if ai.predefined:
            stop = min(stop, value_at + ai.most)
        found.append(checked(ai, text[value_at:stop], value_at))
        place = stop + 1 if stop < end and text[stop] == SEPARATOR else stop
    if not found:
        raise Gs1Error(Fault.EMPTY, "", start, "no elements")
    return found


def looks_bracketed(text: bytes) -> bool:
    """Whether `text` begins with an AI in brackets."""
    return _BRACKETED.match(text) is not None


def split_bracketed(text: bytes) -> list[Element]:
    """The elements of a bracketed text."""
    found: list[Element] = []
    heads = [head for head in _BRACKETED.finditer(text) if head.start() == 0 or head.group(1) in AIS]
    if not heads or heads[0].start() != 0:
        raise Gs1Error(Fault.BRACKETS, "", 0, "it does not begin with an AI in brackets")
    for number, head in enumerate(heads):
        if len(found) >= ELEMENTS_MAX:
            raise Gs1Error(Fault.TOO_MANY, "", head.start(), f"more than {ELEMENTS_MAX} elements")
        ai = AIS.get(head.group(1))
        if ai is None:
            raise Gs1Error(Fault.UNKNOWN_AI, "", head.start(1), "this is no Application Identifier")
        stop = heads[number + 1].start() if number + 1 < len(heads) else len(text)
        value, places = _unescaped(text, head.end(), stop)
        found.append(checked(ai, value, head.end(), places))
    return found


def _unescaped(text: bytes, start: int, stop: int) -> tuple[bytes, tuple[int, ...]]:
    value = text[start:stop]
    if b"\\(" not in value:
        return value, ()
    places = tuple(start + index for index in range(len(value)) if not value.startswith(b"\\(", index))
    return bytes(text[place] for place in places), places
