"""What lies in the till's basket, and whether it holds what a coupon asks for.

Each purchase is held against the whole basket by itself: goods that count for one may count for another too. Who
issues an offer where that must not be gives its purchases families that do not overlap.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from loyalty.tax import STANDARD_BP
from loyalty.terms import Purchase, Rule, Save, Terms, Unit

LINES_MAX: Final = 1_000
_POUND_E5: Final = 45_359_237  # grams, times 100,000 (International yard and pound agreement)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Goods of one kind in the basket."""

    gtin: str  # 8, 12, 13 or 14 digits; empty: goods without a code, which count for no purchase
    yen: int  # for all of them
    quantity: int = 1
    grams: int = 0  # all of them together; 0: not weighed
    family: str = ""  # the manufacturer's family code, three digits; empty: not known
    rate_bp: int = STANDARD_BP  # of the tax that is in the price


class Basket(msgspec.Struct, frozen=True):
    """The lines of a basket, at most LINES_MAX."""

    lines: tuple[Line, ...] = ()


class Missing(NamedTuple):
    """The first purchase that the basket lacks, and how much of it, in the purchase's unit."""

    purchase: Purchase
    value: int


def counts_for(line: Line, purchase: Purchase) -> bool:
    """Whether these goods are of the company and family of `purchase`.

    A prefix of 6 digits is one of the U.P.C. system, which has a 0 before it as part of a GTIN.
    """
    number = line.gtin.zfill(14)[1:]
    if not line.gtin or not number.startswith((purchase.company, "0" + purchase.company)):
        return False
    family = purchase.family.rstrip("0")
    return not family or (len(line.family) == 3 and line.family.startswith(family))


def missing(terms: Terms, basket: Basket, spend_yen: int) -> Missing | None:
    """What the basket lacks of the purchases that `terms` ask for; None: nothing."""
    lacks = [_lacks(purchase, basket, spend_yen) for purchase in terms.purchases]
    first, others = lacks[:1], lacks[1:]
    if not others or terms.rule is None:
        wanted, enough = first, len(first)
    elif terms.rule is Rule.ALL:
        wanted, enough = lacks, len(lacks)
    elif terms.rule is Rule.ANY:
        wanted, enough = lacks, 1
    elif terms.rule is Rule.ANOTHER:
        wanted, enough = others, 1
    elif first[0] is not None:
        return first[0]
    else:
        wanted, enough = others, 1
    if sum(lack is None for lack in wanted) >= enough:
        return None
    return next(lack for lack in wanted if lack is not None)


def _lacks(purchase: Purchase, basket: Basket, spend_yen: int) -> Missing | None:
    if purchase.unit is Unit.CLERK:
        return Missing(purchase, 0)
    there = _there(purchase, basket, spend_yen)
    return None if there >= purchase.value else Missing(purchase, purchase.value - there)


def _there(purchase: Purchase, basket: Basket, spend_yen: int) -> int:
    """How much the basket holds of it, in its unit."""
    if purchase.unit is Unit.TOTAL:
        return spend_yen
    lines = [line for line in basket.lines[:LINES_MAX] if counts_for(line, purchase)]
    if purchase.unit is Unit.ITEMS:
        return sum(line.quantity for line in lines)
    if purchase.unit is Unit.SPENT:
        return sum(line.yen for line in lines)
    grams = sum(line.grams for line in lines)
    return grams if purchase.unit is Unit.KILOGRAMS else grams * 100 * 100_000 // _POUND_E5


def saved_yen(terms: Terms, basket: Basket | None, spend_yen: int) -> int:
    """What the code itself says is taken off this basket, not yet bounded by anything but the basket.

    Percentages are rounded down. Free items are the cheapest of those that count.
    """
    if terms.save in (None, Save.AMOUNT, Save.TOTAL):
        return min(terms.value_yen, spend_yen)
    goods = _goods(terms, basket)
    if terms.save is Save.PERCENT:
        whole = spend_yen if goods is None else min(sum(line.yen for line in goods), spend_yen)
        return min(int(whole * terms.value // (100 * 10**terms.decimals)), whole)
    free = _cheapest(goods or [], 1 if terms.save is Save.ITEM else terms.value)
    if terms.save is Save.ITEM and terms.value_yen:
        free = min(free, terms.value_yen)
    return min(free, spend_yen)


def _goods(terms: Terms, basket: Basket | None) -> list[Line] | None:
    """The goods that it is taken off; None: the whole basket."""
    which = next((purchase for purchase in terms.purchases if purchase.slot == terms.saves_on), None)
    if which is None or basket is None or which.unit is Unit.TOTAL:
        return None
    return [line for line in basket.lines[:LINES_MAX] if counts_for(line, which)]


def _cheapest(lines: list[Line], items: int) -> int:
    """What the `items` cheapest of these goods cost."""
    total = 0
    each = sorted((line.yen // line.quantity, line.quantity) for line in lines if line.quantity > 0 and line.yen > 0)
    for yen, quantity in each:
        taken = min(items, quantity)
        total += taken * yen
        items -= taken
    return total
