"""The chart of accounts: what each kind of account is for, its unit, by what it is kept, and which sign it may have.

Amounts are signed from the side of whoever has a claim: what a person has to spend, or what the operator owes a
retailer, is positive. What the operator has or has given out (money at the bank, points issued) is negative, so that
every transfer, and so the whole ledger, sums to zero in each unit. `docs/ledger.md` prints this table for people.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

YEN: Final = 0
"""The unit of money; the unit of points is their programme's number, which is never 0."""


class Kind(StrEnum):
    """Stored in `accounts.kind`; never renamed."""

    MEMBER = "member"
    ISSUED = "issued"
    REDEEMED = "redeemed"
    BREAKAGE = "breakage"
    EXPOSURE = "exposure"
    ADVANCE = "advance"
    SUSPENSE = "suspense"
    BANK = "bank"
    DEPOSITS = "deposits"
    FEES = "fees"
    FORFEITED = "forfeited"
    RETAILER = "retailer"
    PAYOUT = "payout"


class Sign(StrEnum):
    """What a balance may be."""

    CLAIM = "claim"  # zero or more
    HAVING = "having"  # zero or less
    EITHER = "either"


class Entry(NamedTuple):
    """One line of the chart."""

    sign: Sign
    money: bool  # kept in yen; else in points of its programme
    by: str  # what tells accounts of this kind apart, besides the programme
    what: str


CHART: Final[dict[Kind, Entry]] = {
    Kind.MEMBER: Entry(
        Sign.EITHER,
        False,
        "person, shop",
        "points that a person has; negative only where the programme allows overdraft",
    ),
    Kind.ISSUED: Entry(Sign.HAVING, False, "shop", "points that were given out: what they cost falls on this shop"),
    Kind.REDEEMED: Entry(Sign.CLAIM, False, "shop", "points that were taken for goods: this shop honoured them"),
    Kind.BREAKAGE: Entry(Sign.CLAIM, False, "", "points that ended before anybody spent them"),
    Kind.EXPOSURE: Entry(Sign.HAVING, False, "shop", "points that a shop gave goods for although nobody had them"),
    Kind.ADVANCE: Entry(Sign.HAVING, False, "person, shop", "points to be taken back from what a person earns later"),
    Kind.SUSPENSE: Entry(
        Sign.HAVING, False, "person, shop", "points spent beyond a balance, until somebody says who bears it"
    ),
    Kind.BANK: Entry(Sign.HAVING, True, "company", "money at the bank, or on its way there"),
    Kind.DEPOSITS: Entry(Sign.CLAIM, True, "", "money that was paid for points which are not used yet"),
    Kind.FEES: Entry(Sign.EITHER, True, "", "the operator's: the spread between rates (G10)"),
    Kind.FORFEITED: Entry(Sign.CLAIM, True, "", "money that was paid for points which ended"),
    Kind.RETAILER: Entry(
        Sign.EITHER,
        True,
        "company or shop",
        "money owed to whoever gave goods for points; negative: they owe, for a return",
    ),
    Kind.PAYOUT: Entry(Sign.CLAIM, True, "person", "money owed to a person who cashed points out (G8)"),
}


class Key(NamedTuple):
    """Which account. The order of the fields is the order in which accounts are locked."""

    kind: str  # Kind
    programme: int
    holder: int = 0
    place: str = ""

    @property
    def unit(self) -> int:
        return YEN if self.kind in _MONEY else self.programme

    def words(self) -> str:
        """As people read it in a report of the auditor."""
        holder = f" of {self.holder:012x}" if self.holder else ""
        place = f" at {self.place}" if self.place else ""
        return f"{self.kind} {self.programme}{holder}{place}"


_MONEY: Final = frozenset(kind.value for kind, entry in CHART.items() if entry.money)
MEMBER: Final = Kind.MEMBER.value


def member(programme: int, holder: int, place: str = "") -> Key:
    return Key(MEMBER, programme, holder, place)


def wrong_sign(kind: str, balance: int) -> bool:
    sign = CHART[Kind(kind)].sign
    return (sign is Sign.CLAIM and balance < 0) or (sign is Sign.HAVING and balance > 0)
