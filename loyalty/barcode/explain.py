"""What a code says, in words for people who print, sell or debug coupons (`tokuten scan`). English; never for logs.

A few lines: what it is, then its fields, or what is wrong and where.
"""

from __future__ import annotations

from typing import Final

from loyalty.barcode.gs1.ais import AIS
from loyalty.barcode.kinds import Item, Jan, Member, Own, Priced, Reading, Trade
from loyalty.barcode.moving import STEP_S
from loyalty.terms import Purchase, Rule, Save, Terms, Unit

_KEYS: Final = {
    "gcn": "a GS1 coupon number",
    "gtin": "a product's number, a coupon where a campaign names it",
    "offer": "a North American coupon",
    "store": "a coupon of the shop's own numbering",
}
_RULES: Final = {
    None: "",
    Rule.ANY: "any one of the purchases is enough",
    Rule.ALL: "all of the purchases are needed",
    Rule.FIRST_AND_ANOTHER: "the first purchase and one of the others are needed",
    Rule.ANOTHER: "the second or the third purchase is needed; the first only says who pays",
}
_SLOTS: Final = ("first", "second", "third")


def explain(reading: Reading) -> list[str]:
    """The lines."""
    if isinstance(reading, Own):
        return _own(reading)
    if isinstance(reading, Jan):
        return [f"an EAN/JAN code of {len(reading.code)} digits"]
    if isinstance(reading, Trade):
        return _trade(reading)
    if isinstance(reading, Member):
        return ["a member's number", *([f"card {reading.instance} of that member"] if reading.instance else [])]
    if isinstance(reading, Priced):
        return [f"goods of the shop's own, number {reading.item}, for {reading.price_yen:,} yen"]
    if isinstance(reading, Item):
        return [f"goods of the shop's own, number {reading.item}"]
    return [reading.detail]


def _own(reading: Own) -> list[str]:
    coupon = reading.coupon
    lines = [f"a coupon of campaign {coupon.campaign}, signed with key {coupon.key}"]
    if coupon.step:
        lines.append(f"moving: on a phone's screen at Unix time {coupon.step * STEP_S}, for {STEP_S} s")
    return lines


def _trade(reading: Trade) -> list[str]:
    kind, _, number = reading.key.partition(":")
    lines = [f"{_KEYS[kind]}: {number.replace(':', ', offer ')}  (trade key {reading.key})"]
    if reading.serial:
        lines.append(f"serial {reading.serial}")
    if reading.starts:
        lines.append(f"first day {_date(reading.starts)}")
    if reading.expires:
        lines.append(f"last day {_date(reading.expires)}")
    lines += _terms(reading.terms)
    lines += [f"({ai}) {AIS[ai.encode()].title}: {value}" for ai, value in reading.elements]
    return lines


def _terms(terms: Terms) -> list[str]:
    lines = [_saves(terms)] if terms.save is not None else []
    lines += [f"{_SLOTS[purchase.slot]} purchase: {_purchase(purchase)}" for purchase in terms.purchases]
    if terms.purchases and (rule := _RULES[terms.rule]):
        lines.append(rule)
    if terms.points:
        lines.append(f"gives {terms.points:,} points")
    if terms.retailer:
        lines.append(f"honoured by retailer {terms.retailer} alone")
    if terms.store_coupon:
        lines.append("the store's own coupon")
    if terms.dont_multiply:
        lines.append("not to be multiplied")
    return lines


def _saves(terms: Terms) -> str:
    value, decimals = terms.value, terms.decimals
    shown = f"{value // 10**decimals:,}" + (f".{value % 10**decimals:0{decimals}}" if decimals else "")
    on = f" the {_SLOTS[terms.saves_on]} purchase" if terms.purchases else ""
    if terms.save is Save.PERCENT:
        return f"saves {shown} per cent on{on or ' the basket'}"
    if terms.save is Save.ITEM:
        return f"one item of{on} free" + (f", up to {shown}" if value else "")
    if terms.save is Save.ITEMS:
        return f"{shown} items of{on} free"
    if terms.save is Save.TOTAL:
        return f"saves {shown} on the whole basket"
    return f"saves {shown}" + (f" on{on}" if on else "")


def _purchase(purchase: Purchase) -> str:
    family = "anything" if purchase.family == "000" else f"family {purchase.family}"
    goods = f"of {family} of company {purchase.company}"
    value = purchase.value
    return {
        Unit.ITEMS: f"{value:,} items {goods}",
        Unit.SPENT: f"for {value:,} {goods}",
        Unit.TOTAL: f"a basket of {value:,}",
        Unit.POUNDS: f"{value // 100}.{value % 100:02} lb {goods}",
        Unit.KILOGRAMS: f"{value // 1000}.{value % 1000:03} kg {goods}",
        Unit.CLERK: f"{goods}; a person must look",
    }[purchase.unit]


def _date(digits: str) -> str:
    day = "the end" if digits[4:] == "00" else digits[4:]
    return f"'{digits[:2]}-{digits[2:4]}-{day}"
