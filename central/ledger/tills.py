"""Points for a purchase, and points that bought something, by the centre's word: it refuses what can't be.

What units have decided by themselves is booked by `central.ledger.lanes`, which refuses nothing. The legs of both are
made here: earned points fall on the shop that gave them, spent ones are kept as taken by the shop that honoured them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from sqlalchemy import Connection

from central.ledger import money, programmes
from central.ledger.chart import Key, Kind, member
from central.ledger.sheet import Sheet
from central.ledger.transfer import Booked, Draft, Outcome, Refusal, Refused, State, Took, content_of
from loyalty.points import POINTS_MAX, Overspending, Programme, ends_ms

EARN: Final = "earn"
SPEND: Final = "spend"
KEYS_KEPT: Final = 4_096  # keys of shops' accounts, made once
# As plain words: an enum's attribute costs more than the key that is made of it.
_ISSUED: Final = Kind.ISSUED.value
_REDEEMED: Final = Kind.REDEEMED.value
_RETAILER: Final = Kind.RETAILER.value
_ADVANCE: Final = Kind.ADVANCE.value


class Purchase(NamedTuple):
    """Points of one person at one shop, earned or spent."""

    name: bytes  # of the transfer
    programme: int
    holder: int
    site: str
    points: int
    at_ms: int


@lru_cache(maxsize=KEYS_KEPT)
def issued(programme: int, site: str) -> Key:
    return Key(_ISSUED, programme, 0, site)


@lru_cache(maxsize=KEYS_KEPT)
def redeemed(programme: int, site: str) -> Key:
    return Key(_REDEEMED, programme, 0, site)


@lru_cache(maxsize=KEYS_KEPT)
def retailer(programme: int, site: str) -> Key:
    return Key(_RETAILER, programme, 0, site)


def advance(programme: int, holder: int, place: str) -> Key:
    return Key(_ADVANCE, programme, holder, place)


def bearer(rule: Overspending, programme: int, holder: int, place: str, site: str) -> Key:
    """Where points that were spent and are not there are booked, by the programme's rule."""
    if rule is Overspending.SHOP:
        return Key(Kind.EXPOSURE.value, programme, 0, site)
    if rule is Overspending.NEGATIVE:
        return member(programme, holder, place)
    if rule is Overspending.LATER:
        return advance(programme, holder, place)
    return Key(Kind.SUSPENSE.value, programme, holder, site)


def give(sheet: Sheet, draft: Draft, programme: Programme, purchase: Purchase) -> int:
    """The legs of earned points; gives how many went to an advance. The advance must have been looked for."""
    place = programme.place(purchase.site)
    owed = advance(programme.id, purchase.holder, place)
    there = sheet.there(owed)
    back = 0 if there is None else min(purchase.points, max(0, -there.balance))
    sheet.leg(draft, issued(programme.id, purchase.site), -purchase.points)
    if back:
        sheet.leg(draft, owed, back)
    mine = member(programme.id, purchase.holder, place)
    sheet.give(draft, mine, purchase.points - back, 0, purchase.at_ms, ends_ms(programme, purchase.at_ms))
    return back


def take(sheet: Sheet, draft: Draft, programme: Programme, purchase: Purchase, *, whatever: bool) -> Took:
    """The legs of spent points. `whatever`: beyond the balance, too, by the programme's rule."""
    mine = member(programme.id, purchase.holder, programme.place(purchase.site))
    took = sheet.take(draft, mine, purchase.points, purchase.at_ms, ended_too=whatever)
    if took.missing:
        place = programme.place(purchase.site)
        bears = bearer(programme.overspending, programme.id, purchase.holder, place, purchase.site)
        sheet.leg(draft, bears, -took.missing)
    sheet.leg(draft, redeemed(programme.id, purchase.site), purchase.points)
    owed = money.owed_yen(programme, programme.sell, purchase.points)
    money.used(sheet, draft, retailer(programme.id, purchase.site), took.yen, owed)
    return took


def earn(connection: Connection, purchase: Purchase, now_ms: int) -> Outcome:
    """Points for a purchase. A repeated name is the same transfer."""
    return _book(connection, EARN, purchase, now_ms, State.POSTED)


def spend(connection: Connection, purchase: Purchase, now_ms: int, *, pending: bool = False) -> Outcome:
    """Points for goods. `pending`: they are held until it is posted or voided (`central.ledger.pending`)."""
    return _book(connection, SPEND, purchase, now_ms, State.PENDING if pending else State.POSTED)


def _book(connection: Connection, kind: str, purchase: Purchase, now_ms: int, state: State) -> Outcome:
    programme = programmes.get(connection, purchase.programme)
    if programme is None:
        return Refused(Refusal.NO_PROGRAMME, f"there is no programme {purchase.programme}")
    if not 0 < purchase.points <= POINTS_MAX or purchase.holder <= 0:
        return Refused(Refusal.AMOUNT, f"{purchase.points} points can't be")
    place = programme.place(purchase.site)
    mine, sheet = member(programme.id, purchase.holder, place), Sheet(connection, now_ms)
    owed = advance(programme.id, purchase.holder, place)
    if kind == EARN:
        others = [issued(programme.id, purchase.site)]
    else:
        theirs = money.keys(programme, retailer(programme.id, purchase.site))
        others = [redeemed(programme.id, purchase.site), *theirs]
    sheet.read([purchase.name], [mine, *others], perhaps=[owed], spending=[mine])
    draft = sheet.open(purchase.name, kind, programme.id, purchase.at_ms, content_of(kind, purchase, state), state)
    if not isinstance(draft, Draft):
        return draft
    if kind == EARN:
        give(sheet, draft, programme, purchase)
    else:
        there = sheet.usable(mine, purchase.at_ms)
        if there < purchase.points:
            return Refused(Refusal.BALANCE, f"{there} points are there")
        take(sheet, draft, programme, purchase, whatever=False)
    return Booked(sheet.write()[purchase.name])
