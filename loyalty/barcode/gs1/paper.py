"""AI 8110, the North American paper coupon: who pays, which offer, what it saves, what must be bought.

    company prefix, offer code, save value, first purchase         always
    1  second purchase, and how the purchases belong together      then, each at most once and in this order
    2  third purchase
    3  last day      4  first day
    5  serial number
    6  the retailer that honours it
    9  what the save value means, and flags

Source: North American Coupon Application Guideline Using GS1 DataBar Expanded Symbols, R2.0; GS1's linter
'couponcode'. Raises Gs1Error.
"""

from __future__ import annotations

from typing import Final

import msgspec

from loyalty.barcode.gs1 import dates
from loyalty.barcode.gs1.body import Body
from loyalty.barcode.gs1.elements import Element
from loyalty.barcode.gs1.faults import Fault
from loyalty.terms import Purchase, Rule, Save, Unit

_UNITS: Final = {
    "0": Unit.ITEMS,
    "1": Unit.SPENT,
    "2": Unit.TOTAL,
    "3": Unit.POUNDS,
    "4": Unit.KILOGRAMS,
    "9": Unit.CLERK,
}
_RULES: Final = {"0": Rule.ANY, "1": Rule.ALL, "2": Rule.FIRST_AND_ANOTHER, "3": Rule.ANOTHER}
_SAVES: Final = {"0": Save.AMOUNT, "1": Save.ITEM, "2": Save.ITEMS, "5": Save.PERCENT, "6": Save.TOTAL}
_ORDINALS: Final = ("first", "second", "third")


class PaperCoupon(msgspec.Struct, frozen=True, kw_only=True):
    """What the body of an 8110 says."""

    company: str  # 6 to 12 digits: who pays for it
    offer: str  # 6 digits
    save_value: int
    purchases: tuple[Purchase, ...]  # one to three
    rule: Rule | None = None  # None: the first purchase alone
    expires: str = ""  # YYMMDD, the last day; empty: none is told
    starts: str = ""  # YYMMDD, the first day
    serial: str = ""  # 6 to 15 digits
    retailer: str = ""  # 7 to 13 digits, a company prefix or a location number (GLN)
    save: Save = Save.AMOUNT
    saves_on: int = 0  # which purchase it is taken off: 0 the first
    store_coupon: bool = False  # the retailer's own, not the manufacturer's
    dont_multiply: bool = False


def decode(element: Element) -> PaperCoupon:
    """The coupon in the value of an 8110."""
    body = Body(element)
    company = body.counted("0123456", 6, "the company prefix")
    offer = body.take(6, "the offer code")
    save_value = int(body.counted("12345", 0, "the save value"))
    purchases = [_purchase(body, company, 0)]
    rule = None
    if body.next_is("1"):
        rule = _RULES[body.choice("0123", "the rule of further purchases")]
        purchases.append(_purchase(body, company, 1))
    if body.next_is("2"):
        purchases.append(_purchase(body, company, 2))
    expires = _date(body, "the last day") if body.next_is("3") else ""
    starts = _date(body, "the first day") if body.next_is("4") else ""
    if starts and expires and starts > expires:
        raise body.error(Fault.ENDS_BEFORE_START, body.at - 6, "the first day comes after the last one")
    serial = body.counted("0123456789", 6, "the serial number") if body.next_is("5") else ""
    retailer = body.counted("1234567", 6, "the retailer") if body.next_is("6") else ""
    save, saves_on, store, dont_multiply = "0", "0", "0", "0"
    if body.next_is("9"):
        save = body.choice("01256", "the meaning of the save value")
        saves_on = body.choice("012", "the purchase that it is taken off")
        store = body.take(1, "the flag of a store's coupon")
        dont_multiply = body.choice("01", "the flag against multiplying")
    body.end()
    return PaperCoupon(
        company=company,
        offer=offer,
        save_value=save_value,
        purchases=tuple(purchases),
        rule=rule,
        expires=expires,
        starts=starts,
        serial=serial,
        retailer=retailer,
        save=_SAVES[save],
        saves_on=int(saves_on),
        store_coupon=store != "0",
        dont_multiply=dont_multiply == "1",
    )


def _purchase(body: Body, funder: str, number: int) -> Purchase:
    """One purchase; behind the first one, whose goods they are, 9 standing for the one who pays."""
    which = f"the {_ORDINALS[number]} purchase"
    value = int(body.counted("12345", 0, which))
    unit = _UNITS[body.choice("012349", f"the unit of {which}")]
    family = body.take(3, f"the family code of {which}")
    company = funder
    if number and not body.next_is("9"):
        company = body.counted("0123456", 6, f"the company prefix of {which}")
    return Purchase(value=value, unit=unit, company=company, family=family, slot=number)


def _date(body: Body, what: str) -> str:
    start = body.at
    digits = body.take(6, what)
    wrong = dates.wrong_at(digits, day_00=False)
    if wrong is not None:
        raise body.error(Fault.DATE, start + wrong, f"{what}: there is no such {'month' if wrong == 2 else 'day'}")
    return digits
