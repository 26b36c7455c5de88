"""The yen that go with points which were paid for (G10): the books of a programme that has a price to buy at.

What is paid for points is a deposit until they are used. When they are used, whoever gave goods for them is owed what
they are worth there, and the spread is the operator's fee. A programme whose points are only earned has no yen at all.
"""

from __future__ import annotations

from central.ledger.chart import Key, Kind
from central.ledger.sheet import Sheet
from central.ledger.transfer import Draft
from loyalty.points import Programme, Rate, worth_yen


def deposits(programme: int) -> Key:
    return Key(Kind.DEPOSITS.value, programme)


def fees(programme: int) -> Key:
    return Key(Kind.FEES.value, programme)


def keys(programme: Programme, to: Key) -> list[Key]:
    """The accounts that a use of points concerns, to be read with the person's: all are locked in one order."""
    return [] if programme.buy is None else [deposits(programme.id), fees(programme.id), to]


def owed_yen(programme: Programme | None, rate: Rate | None, points: int) -> int:
    """What is owed for points that are used, if they are of a kind that is paid for."""
    if programme is None or programme.buy is None or rate is None:
        return 0
    return worth_yen(rate, points, programme.rounding)


def used(sheet: Sheet, draft: Draft, to: Key, paid_yen: int, owed: int) -> None:
    """Points for which `paid_yen` were paid are used for something that `owed` yen are owed for, to `to`."""
    if not paid_yen and not owed:
        return  # points that are only earned
    sheet.leg(draft, deposits(draft.programme), -paid_yen)
    sheet.leg(draft, to, owed)
    sheet.leg(draft, fees(draft.programme), paid_yen - owed)
