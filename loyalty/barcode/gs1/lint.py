"""The rules of one value (check digits, dates), and of values together (what must and must not stand beside what).

They are those of the Syntax Dictionary for every AI that a coupon, a product or a member's number may come with; the
other AIs are held to their length and characters (`elements`) alone. Raises Gs1Error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from loyalty import check_digit
from loyalty.barcode.gs1 import dates
from loyalty.barcode.gs1.elements import Element
from loyalty.barcode.gs1.faults import Fault, Gs1Error

Rule = Callable[[Element], None]


def _check_digit(element: Element, start: int, stop: int) -> None:
    if not check_digit.fits(element.value[start:stop]):
        raise Gs1Error(Fault.CHECK_DIGIT, element.ai, element.place(stop - 1), "the check digit does not fit")


def _first(digits: int, start: int = 0) -> Rule:
    """The last of these digits is the check digit of those before it."""
    return lambda element: _check_digit(element, start, start + digits)


def _date(day_00: bool) -> Rule:
    def rule(element: Element) -> None:
        wrong = dates.wrong_at(element.value[:6], day_00=day_00)
        if wrong is not None:
            what = "month" if wrong == 2 else "day"
            raise Gs1Error(Fault.DATE, element.ai, element.place(wrong), f"there is no such {what}")

    return rule


def _asset(element: Element) -> None:
    """8003 begins with a 0 that is no part of the number."""
    if element.value[0] != "0":
        raise Gs1Error(Fault.CHARACTER, element.ai, element.at, "it begins with 0")
    _check_digit(element, 1, 14)


RULES: Final[dict[str, Rule]] = {
    "00": _first(18),
    **dict.fromkeys(("01", "02", "03"), _first(14)),
    **dict.fromkeys(("11", "12", "13", "15", "16", "17"), _date(day_00=True)),
    **dict.fromkeys(("253", "255"), _first(13)),
    "402": _first(17),
    **dict.fromkeys((str(ai) for ai in range(410, 418)), _first(13)),
    **dict.fromkeys(("4326", "7003", "7006", "7007", "7011"), _date(day_00=False)),
    **dict.fromkeys(("4324", "4325"), _date(day_00=True)),
    "8003": _asset,
    **dict.fromkeys(("8006", "8026"), _first(14)),
    **dict.fromkeys(("8017", "8018"), _first(18)),
}

_ITEM: Final = ("01", "02", "8006", "8026")
REQUIRED: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "02": (("37",),),
    "10": (_ITEM,),
    "11": (_ITEM,),
    "12": (("8020",),),
    "13": (_ITEM,),
    "15": (_ITEM,),
    "16": (_ITEM,),
    "17": (("01", "02", "255", "8006", "8026"),),
    "20": (_ITEM,),
    "21": (("01", "03", "8006"),),
    "22": (("01",),),
    "235": (("01",),),
    "250": (("01", "8006"), ("21",)),
    "254": (("414",),),
    "390": (("255", "8020"),),
    "391": (("8020",),),
    "392": (("01",),),
    "394": (("255",),),
    "415": (("8020",),),
    "8007": (("415",),),
    "8011": (("8010",),),
    "8019": (("8017", "8018"),),
    "8020": (("415",),),
    "8111": (("255",),),
}
"""By AI, without a last digit that tells decimals: of each group, one must be there."""

EXCLUDED: Final[dict[str, tuple[str, ...]]] = {
    "01": ("02", "255", "37"),
    "21": ("235",),
    "255": ("01", "02", "415", "8006", "8020", "8026"),
    "390": ("391", "394", "8111"),
    "394": ("8111",),
    "420": ("421",),
    "8006": ("01", "37"),
    "8017": ("8018",),
    "8018": ("8017",),
    "8110": ("255", "8112"),
    "8112": ("255",),
}
"""None of these may stand beside it. The last two are ours: a code that names two coupons names none."""


def family(ai: str) -> str:
    """The AI without the digit that tells decimals."""
    return ai[:3] if len(ai) == 4 and ai[0] == "3" else ai


def value(element: Element) -> None:
    """The rule of this one value, if there is one."""
    rule = RULES.get(element.ai)
    if rule is not None:
        rule(element)


def together(elements: Sequence[Element]) -> dict[str, Element]:
    """The elements by AI (`family`), if they may stand together."""
    found: dict[str, Element] = {}
    for element in elements:
        name = family(element.ai)
        before = found.setdefault(name, element)
        if before is element:
            continue
        if before.ai != element.ai:
            raise Gs1Error(Fault.EXCLUDED, element.ai, element.at, f"({before.ai}) says the same with other decimals")
        if before.value != element.value:
            raise Gs1Error(Fault.REPEATED, element.ai, element.at, "it was there before, with another value")
    for name, element in found.items():
        for group in REQUIRED.get(name, ()):
            if found.keys().isdisjoint(group):
                wanted = " or ".join(f"({other})" for other in group)
                raise Gs1Error(Fault.MISSING, element.ai, element.at, f"it needs {wanted} beside it")
        for other in EXCLUDED.get(name, ()):
            if other in found:
                raise Gs1Error(Fault.EXCLUDED, element.ai, element.at, f"it can't stand beside ({found[other].ai})")
    return found
