"""What an unsigned code of the trade says about itself: what it saves, what must be bought, when, and where.

Anybody can print such a code, so none of it is believed beyond what the campaign allows (`Campaign.value_in_code` is
bounded by the campaign's own amount). Money is whole yen: North American codes speak of the smallest unit of the
money of the place, which here is the yen.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Save(StrEnum):
    """What the save value of a code means."""

    AMOUNT = "amount"  # so much off what was bought
    ITEM = "item"  # one item free, up to so much; 0: whatever it costs
    ITEMS = "items"  # so many items free
    PERCENT = "percent"  # so many per cent off what was bought
    TOTAL = "total"  # so much off the whole basket


class Unit(StrEnum):
    """What a purchase is counted in."""

    ITEMS = "items"
    SPENT = "spent"  # yen, for the goods that count
    TOTAL = "total"  # yen, for the whole basket
    POUNDS = "pounds"  # hundredths
    KILOGRAMS = "kilograms"  # thousandths
    CLERK = "clerk"  # a person must look


class Rule(StrEnum):
    """How several purchases belong together."""

    ANY = "any"
    ALL = "all"
    FIRST_AND_ANOTHER = "first_and_another"
    ANOTHER = "another"  # the second or the third


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """Something that must be bought: `value` of goods of a company's family."""

    value: int
    unit: Unit
    company: str  # GS1 company prefix, 6 to 12 digits
    family: str  # three digits; zeros at the end stand for any digit
    slot: int = 0  # 0 first, 1 second, 2 third


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """See the module. As it stands: nothing is said."""

    save: Save | None = None
    value: int = 0  # yen, items or per cent
    decimals: int = 0  # how many of its digits stand behind the point
    purchases: tuple[Purchase, ...] = ()
    rule: Rule | None = None  # None: the first purchase alone
    saves_on: int = 0  # slot of the purchase that it is taken off
    retailer: str = ""  # company prefix or GLN of who honours it; empty: everybody
    points: int = 0  # 8111
    store_coupon: bool = False
    dont_multiply: bool = False

    @property
    def value_yen(self) -> int:
        """The value as money; fractions of a yen are dropped."""
        return int(self.value // 10**self.decimals)


NO_TERMS = Terms()
