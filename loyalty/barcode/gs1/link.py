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
from typing import Final

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


_A_KEY: Final = re.compile(rb"/(?:%s)/" % b"|".join(key.encode() for key in QUALIFIERS))


def looks_like_one(text: bytes) -> bool:
    """Whether `text` may be one: a web address with a key between slashes."""
    return _SCHEME.match(text) is not None and _A_KEY.search(text) is not None


def split(text: bytes) -> list[Element] | None:
    """The elements of an address that `looks_like_one`, those of the path first; None: it is none after all."""
    domain_at = text.index(b"//") + 2
    path_at = text.find(b"/", domain_at)
    if path_at < 0:
        return None
    hash_at = text.find(b"#", path_at)
    end = len(text) if hash_at < 0 else hash_at
    query_at = text.find(b"?", path_at, end)
    pieces = text[path_at + 1 : end if query_at < 0 else query_at].split(b"/")
    if not pieces[-1]:  # a slash at the end
        pieces.pop()
    start = _key_place(pieces)
    if start is None:
        return None
    if wrong := text.translate(None, _ALLOWED):
        raise Gs1Error(Fault.ADDRESS, "", text.index(wrong[:1]), "a character that can't stand in a web address")
    _check_domain(text, domain_at, path_at)
    found = _of_path(pieces, start, path_at + 1)
    if query_at >= 0:
        _add_query(text[query_at + 1 : end], query_at + 1, found)
    return found


def _check_domain(text: bytes, start: int, end: int) -> None:
    domain = text[start:end]
    if not domain:
        raise Gs1Error(Fault.ADDRESS, "", start, "there is no domain")
    if len(domain.translate(None, _NOT_IN_DOMAIN)) < len(domain):
        wrong = next(index for index, byte in enumerate(domain) if byte in _NOT_IN_DOMAIN)
        raise Gs1Error(Fault.ADDRESS, "", start + wrong, "a character that can't stand in a domain")


def _key_place(pieces: list[bytes]) -> int | None:
    """Which piece is the rightmost key, going back over AI and value, AI and value from the end."""
    for place in range(len(pieces) - 2, -1, -2):
        ai = AIS.get(pieces[place])
        if ai is None:
            return None
        if ai.ai in QUALIFIERS:
            return place if ai.ai == "255" or _has_shape(ai, pieces[place + 1]) else None
    return None


def _has_shape(ai: Ai, value: bytes) -> bool:
    least = ai.parts[0].least
    return len(value) >= least and (least <= 1 or value[:least].isdigit())


def _of_path(pieces: list[bytes], start: int, at: int) -> list[Element]:
    """The key and what stands behind it; `at` is where the first piece begins."""
    at += sum(map(len, pieces[:start])) + start
    found: list[Element] = []
    for place in range(start, min(len(pieces) - 1, start + 2 * ELEMENTS_MAX), 2):
        name, value = pieces[place], pieces[place + 1]
        found.append(_element(name, at, value, query=False))
        at += len(name) + len(value) + 2
    if len(found) > 1:
        _check_order(found)
    return found


def _add_query(query: bytes, at: int, found: list[Element]) -> None:
    """The parameters whose names are digits, behind what was `found` in the path."""
    key = found[0].ai
    for parameter in query.replace(b";", b"&").split(b"&"):
        name, equals, value = parameter.partition(b"=")
        if equals and name.isdigit():
            if len(found) >= ELEMENTS_MAX:
                raise Gs1Error(Fault.TOO_MANY, "", at, f"more than {ELEMENTS_MAX} elements")
            element = _element(name, at, value, query=True)
            ai = element.ai
            for other in found:
                if other.ai == ai:
                    raise Gs1Error(Fault.REPEATED, ai, at, "it stands twice in one address")
            if ai in QUALIFIERS or any(ai in order for order in QUALIFIERS[key]):
                raise Gs1Error(Fault.PLACE, ai, at, "it belongs into the path")
            found.append(element)
        at += len(parameter) + 1


def _element(name: bytes, at: int, value: bytes, *, query: bool) -> Element:
    """`at`: where the name begins; one character stands between it and the value."""
    ai = AIS.get(name)
    if ai is None:
        raise Gs1Error(Fault.UNKNOWN_AI, "", at, "this is no Application Identifier")
    at += len(name) + 1
    if b"%" in value or (query and b"+" in value):
        decoded, places = _decoded(ai.ai, value, at, query=query)
        return checked(ai, decoded, at, places)
    return checked(ai, value, at)


def _decoded(ai: str, raw: bytes, at: int, *, query: bool) -> tuple[bytes, tuple[int, ...]]:
    """The value with its escapes undone, and where each character stands."""
    out, places = bytearray(), []
    index = 0
    while index < len(raw):
        places.append(at + index)
        byte = raw[index]
        if byte == 0x25:
            digits = raw[index + 1 : index + 3]
            if len(digits) < 2 or digits.translate(None, _HEX):
                raise Gs1Error(Fault.ADDRESS, ai, at + index, "'%' without two hexadecimal digits")
            out.append(int(digits, 16))
            index += 3
        else:
            out.append(0x20 if query and byte == 0x2B else byte)
            index += 1
    return bytes(out), tuple(places)


def _check_order(found: list[Element]) -> None:
    """Whether qualifiers stand behind their key in one of the orders that it allows."""
    key, *others = found
    orders = QUALIFIERS[key.ai]
    ais = [other.ai for other in others]
    if any(_follows(ais, order) for order in orders):
        return
    wrong = next(n for n in range(len(ais)) if not any(_follows(ais[: n + 1], order) for order in orders))
    raise Gs1Error(Fault.PLACE, ais[wrong], others[wrong].at, f"it can't stand here behind ({key.ai})")


def _follows(ais: list[str], order: tuple[str, ...]) -> bool:
    rest = iter(order)
    return all(any(ai == allowed for allowed in rest) for ai in ais)
