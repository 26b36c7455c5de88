"""GS1 Digital Link: a web address of any domain that holds elements, `https://shop.example/255/4912.../?17=261231`.

The path holds a key and its qualifiers, in their order; the query holds what else there is, as `AI=value` between '&'
or ';'; other parameters and the fragment mean nothing here. Values are percent-encoded. The deprecated names
instead of AIs (`/gtin/`) and compressed addresses are not read.

An address is only taken for a Digital Link if a key stands in its path with a value of its shape: `/2024/01/15` is a
date of somebody's diary. A coupon number (255) is one whatever follows it, so that a misprint is named. Raises
Gs1Error.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from loyalty.barcode.gs1.ais import AIS, Ai
from loyalty.barcode.gs1.elements import ELEMENTS_MAX, Element, checked
from loyalty.barcode.gs1.faults import Fault, Gs1Error

QUALIFIERS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "00": (),
    "01": (("22", "10", "21"), ("235",)),
    "253": (),
    "255": (),
    "401": (),
    "402": (),
    "414": (("254",), ("7040",)),
    "415": (("8020",),),
    "417": (("7040",),),
    "8003": (),
    "8004": (("7040",),),
    "8006": (("22", "10", "21"),),
    "8010": (("8011",),),
    "8013": (),
    "8017": (("8019",),),
    "8018": (("8019",),),
}
"""The keys, and which qualifiers may follow each, in which order."""

_SCHEME: Final = re.compile(rb"https?://", re.IGNORECASE)
_ALLOWED: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&'()*+,;=%"
_NOT_IN_DOMAIN: Final = b"_~?#@!$&'()*+,;=%"
_HEX: Final = b"0123456789ABCDEFabcdef"


class _Piece(NamedTuple):
    """A stretch of the address and where it begins."""

    text: bytes
    at: int


def looks_like_one(text: bytes) -> bool:
    """Whether `text` is a web address whose path holds a key."""
    return _SCHEME.match(text[:8]) is not None and _key_place(_path(text)) is not None


def split(text: bytes) -> list[Element]:
    """The elements of an address that `looks_like_one`; those of the path come first."""
    if wrong := text.translate(None, _ALLOWED):
        raise Gs1Error(Fault.ADDRESS, "", text.index(wrong[:1]), "a character that can't stand in a web address")
    _domain(text)
    path = _path(text)
    start = _key_place(path)
    assert start is not None, "looks_like_one comes first"
    found = [_element(name, value) for name, value in _pairs(path[start:])]
    _in_order(found)
    in_path = [element.ai for element in found]
    for name, value in _parameters(text):
        if len(found) >= ELEMENTS_MAX:
            raise Gs1Error(Fault.TOO_MANY, "", name.at, f"more than {ELEMENTS_MAX} elements")
        element = _element(name, value, query=True)
        if any(element.ai == other.ai for other in found):
            raise Gs1Error(Fault.REPEATED, element.ai, name.at, "it stands twice in one address")
        if element.ai in QUALIFIERS or any(element.ai in order for order in QUALIFIERS[in_path[0]]):
            raise Gs1Error(Fault.PLACE, element.ai, name.at, "it belongs into the path")
        found.append(element)
    return found


def _domain(text: bytes) -> None:
    start = text.index(b"//") + 2
    domain = text[start : text.index(b"/", start)]
    if not domain:
        raise Gs1Error(Fault.ADDRESS, "", start, "there is no domain")
    if len(domain.translate(None, _NOT_IN_DOMAIN)) < len(domain):
        wrong = next(index for index, byte in enumerate(domain) if byte in _NOT_IN_DOMAIN)
        raise Gs1Error(Fault.ADDRESS, "", start + wrong, "a character that can't stand in a domain")


def _path(text: bytes) -> list[_Piece]:
    """The pieces of the path between slashes."""
    start = text.find(b"/", text.find(b"//") + 2)
    if start < 0:
        return []
    stop = min((place for place in (text.find(b"?", start), text.find(b"#", start)) if place >= 0), default=len(text))
    pieces = []
    place = start + 1
    for piece in text[place:stop].split(b"/"):
        pieces.append(_Piece(piece, place))
        place += len(piece) + 1
    return pieces


def _key_place(path: list[_Piece]) -> int | None:
    """Which piece is the rightmost key, going back over AI and value, AI and value from the end."""
    if path and not path[-1].text:  # a slash at the end
        path = path[:-1]
    for place in range(len(path) - 2, -1, -2):
        ai = AIS.get(path[place].text)
        if ai is None:
            return None
        if ai.ai in QUALIFIERS:
            return place if ai.ai == "255" or _has_shape(ai, path[place + 1].text) else None
    return None


def _has_shape(ai: Ai, value: bytes) -> bool:
    return ai.least <= len(value) and (not ai.parts[0].least > 1 or value[: ai.parts[0].least].isdigit())


def _pairs(path: list[_Piece]) -> list[tuple[_Piece, _Piece]]:
    if path and not path[-1].text:
        path = path[:-1]
    return list(zip(path[::2], path[1::2], strict=True))[: ELEMENTS_MAX + 1]


def _parameters(text: bytes) -> list[tuple[_Piece, _Piece]]:
    """The parameters of the query whose names are digits."""
    end = text.find(b"#")
    end = len(text) if end < 0 else end
    start = text.find(b"?", 0, end)
    if start < 0:
        return []
    found = []
    place = start + 1
    for parameter in text[place:end].replace(b";", b"&").split(b"&"):
        name, equals, value = parameter.partition(b"=")
        if equals and name.isdigit():
            found.append((_Piece(name, place), _Piece(value, place + len(name) + 1)))
        place += len(parameter) + 1
    return found


def _element(name: _Piece, value: _Piece, *, query: bool = False) -> Element:
    ai = AIS.get(name.text)
    if ai is None:
        raise Gs1Error(Fault.UNKNOWN_AI, "", name.at, "this is no Application Identifier")
    decoded, places = _decoded(ai.ai, value, query)
    return checked(ai, decoded, value.at, places)


def _decoded(ai: str, piece: _Piece, query: bool) -> tuple[bytes, tuple[int, ...]]:
    """The value with its escapes undone, and where each character stands."""
    raw = piece.text
    if b"%" not in raw and not (query and b"+" in raw):
        return raw, ()
    out, places = bytearray(), []
    index = 0
    while index < len(raw):
        places.append(piece.at + index)
        byte = raw[index]
        if byte == 0x25:
            digits = raw[index + 1 : index + 3]
            if len(digits) < 2 or digits.translate(None, _HEX):
                raise Gs1Error(Fault.ADDRESS, ai, piece.at + index, "'%' without two hexadecimal digits")
            out.append(int(digits, 16))
            index += 3
        else:
            out.append(0x20 if query and byte == 0x2B else byte)
            index += 1
    return bytes(out), tuple(places)


def _in_order(found: list[Element]) -> None:
    """Whether qualifiers stand behind their key in one of the orders that it allows."""
    key, *others = found
    orders = QUALIFIERS[key.ai]
    for order in orders:
        rest = iter(order)
        if all(any(other.ai == allowed for allowed in rest) for other in others):
            return
    if not others:
        return
    for number, other in enumerate(others):  # the first one that makes it impossible
        head = [one.ai for one in others[: number + 1]]
        if not any(_follows(head, order) for order in orders):
            raise Gs1Error(Fault.PLACE, other.ai, other.at, f"it can't stand here behind ({key.ai})")


def _follows(ais: list[str], order: tuple[str, ...]) -> bool:
    rest = iter(order)
    return all(any(ai == allowed for allowed in rest) for ai in ais)
