"""A purchase that is taken back: the points that were spent on it come back, those that it earned are taken back.

Two transfers, in one transaction of the caller's: `restore` first, so that what came back can be taken.

- `restore` puts the points into the very lots that they were taken of, the last ones first; what a shop, a person or
  the operator bore of them comes back before that. Lots that have ended meanwhile go on for `Programme.refund_days`, in
  a new lot; where that is 0, they are written off in their turn.
- `take_back` takes first what is left of the lots that were earned, then what of them has ended (from breakage),
  then whatever the person has. What is missing then is borne by the programme's rule: the balance becomes negative, it
  is taken of later earnings, or it is exposure of the shop (also where a person is to say).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from central.db.schema import lot_moves, lots, transfers
from central.ledger import history, money, programmes, tills
from central.ledger.chart import MEMBER, Key, Kind, member
from central.ledger.lots import Lot
from central.ledger.sheet import Sheet
from central.ledger.transfer import Booked, Draft, Outcome, Refusal, Refused, content_of
from loyalty.points import Overspending, Programme, ends_ms, refunded_until_ms

REFUND: Final = "refund"
TAKE_BACK: Final = "take_back"
EXPIRE: Final = "expire"
_BEARERS: Final = (Kind.EXPOSURE.value, Kind.ADVANCE.value, Kind.SUSPENSE.value, Kind.ISSUED.value)


class Refund(NamedTuple):
    """Take back `points` of a transfer; 0: all that is left of it."""

    name: bytes
    of: bytes  # the name of what is taken back
    points: int = 0


class _Found(NamedTuple):
    before: history.Written
    programme: Programme
    legs: dict[Key, int]
    site: str


def restore(connection: Connection, refund: Refund, now_ms: int) -> Outcome:
    """The points of a spending come back."""
    found = _find(connection, refund, Kind.REDEEMED)
    if isinstance(found, Refused):
        return found
    before, programme, legs, site = found
    sheet, mine = Sheet(connection, now_ms), _whose(legs, programme, site)
    sheet.read([refund.name], [mine, *legs], spending=[mine])
    left = history.legs(connection, before.id, with_what_followed=True)  # read when it is locked
    draft = sheet.open(refund.name, REFUND, programme.id, now_ms, content_of(REFUND, refund))
    if not isinstance(draft, Draft):
        return draft
    taken = tills.redeemed(programme.id, site)
    most = left.get(taken, 0)
    points = refund.points or most
    if not 0 < points <= most:
        return Refused(Refusal.TOO_MUCH, f"{most} points are left to take back")
    draft.about = before.id
    to_person = points - _relieve(sheet, draft, left, points)
    yen = sheet.come_back(
        draft,
        mine,
        history.taken(sheet, before.id),
        to_person,
        ended_until_ms=refunded_until_ms(programme, now_ms),
        fresh_ms=ends_ms(programme, now_ms),
    )
    sheet.leg(draft, mine, to_person)
    sheet.leg(draft, taken, -points)
    retailer = tills.retailer(programme.id, site)
    owed = left.get(retailer, 0)
    money.used(sheet, draft, retailer, -yen, -(owed if points == most else owed * points // most))
    return Booked(sheet.write()[refund.name])


def _relieve(sheet: Sheet, draft: Draft, left: dict[Key, int], points: int) -> int:
    """What others than the person bore of the points comes back to them first; gives how many those are."""
    relieved = 0
    for key in sorted(left):
        bore = -left[key]
        if key.kind in (Kind.ADVANCE.value, Kind.SUSPENSE.value):
            bore = min(bore, -sheet.account(key).balance)  # part of it was earned back meanwhile
        part = min(points - relieved, bore) if key.kind in _BEARERS else 0
        if part > 0:
            sheet.leg(draft, key, part)
            relieved += part
    return relieved


def take_back(connection: Connection, refund: Refund, now_ms: int) -> Outcome:
    """The points that a purchase earned are taken back."""
    found = _find(connection, refund, Kind.ISSUED)
    if isinstance(found, Refused):
        return found
    before, programme, legs, site = found
    mine, given = _whose(legs, programme, site), tills.issued(programme.id, site)
    sheet = Sheet(connection, now_ms)
    sheet.read([refund.name], [mine, *legs], spending=[mine])
    left = history.legs(connection, before.id, with_what_followed=True)  # read when it is locked
    draft = sheet.open(refund.name, TAKE_BACK, programme.id, now_ms, content_of(TAKE_BACK, refund))
    if not isinstance(draft, Draft):
        return draft
    most = -left.get(given, 0)
    points = refund.points or most
    if not 0 < points <= most:
        return Refused(Refusal.TOO_MUCH, f"{most} points are left to take back")
    draft.about = before.id
    sheet.leg(draft, given, points)
    earned = [lot for lot in sheet.account(mine).lots or () if lot.transfer == before.id]
    there = sum(lot.rest for lot in earned)
    breakage = Key(Kind.BREAKAGE.value, programme.id)
    gone = _ended(connection, before.id) + left.get(breakage, 0)  # less what was taken back of it before
    from_breakage = min(max(0, points - there), max(0, gone))
    sheet.leg(draft, breakage, -from_breakage)
    _take(sheet, draft, programme, mine, points - from_breakage, earned, site)
    return Booked(sheet.write()[refund.name])


def _take(
    sheet: Sheet, draft: Draft, programme: Programme, mine: Key, points: int, earned: list[Lot], site: str
) -> None:
    took = sheet.take(draft, mine, points, sheet.now_ms, first=earned, ended_too=True)
    if took.yen:  # points that were paid for make good for earned ones: what was paid for them is the operator's
        sheet.leg(draft, money.deposits(programme.id), -took.yen)
        sheet.leg(draft, money.fees(programme.id), took.yen)
    if took.missing:
        rule = programme.overspending
        if rule is Overspending.OPERATOR:
            rule = Overspending.NEGATIVE if programme.overdraft else Overspending.SHOP
        sheet.leg(draft, tills.bearer(rule, programme.id, mine.holder, mine.place, site), -took.missing)


def _find(connection: Connection, refund: Refund, kind: Kind) -> _Found | Refused:
    before = history.find(connection, refund.of)
    if before is None or before.state != "posted":
        return Refused(Refusal.UNKNOWN, f"{refund.of.hex()} is not booked")
    programme = programmes.get(connection, before.programme)
    if programme is None:
        return Refused(Refusal.NO_PROGRAMME, f"there is no programme {before.programme}")
    legs = history.legs(connection, before.id)
    site = next((key.place for key in legs if key.kind == kind.value), None)
    if site is None:
        return Refused(Refusal.UNKNOWN, f"{refund.of.hex()} moved no points of that kind")
    return _Found(before, programme, legs, site)


def _whose(legs: dict[Key, int], programme: Programme, site: str) -> Key:
    """The person's account; nothing may have moved on it, where others bore the whole."""
    persons = [key for key in legs if key.holder]
    mine = next((key for key in persons if key.kind == MEMBER), None)
    return mine or member(programme.id, persons[0].holder if persons else 0, programme.place(site))


def _ended(connection: Connection, transfer: int) -> int:
    """How many points that a transfer brought have ended and were written off."""
    of_it = select(func.coalesce(func.sum(-lot_moves.c.points), 0)).select_from(
        lot_moves.join(transfers, transfers.c.id == lot_moves.c.transfer).join(
            lots, (lots.c.transfer == lot_moves.c.lot) & (lots.c.number == lot_moves.c.number)
        )
    )
    return int(connection.execute(of_it.where(lot_moves.c.lot == transfer, transfers.c.kind == EXPIRE)).scalar_one())
