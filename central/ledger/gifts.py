"""Points that are bought, given to others, exchanged for goods and paid out (G2, G3, G5, G8), each at its own rate.

    buy        the bank is to bring what they cost; that is a deposit until they are used
    give       to another person, where the programme allows it (P16: not): the lots move with the ends that they had
    exchange   the retailer is owed what they are worth at the sell rate; the rest is the operator's fee (G10)
    cash_out   the same at the cash-out rate, owed to the person
    remit      what is owed is paid by the bank

Each may be made pending: an invoice that is not paid yet, an order that the retailer has not taken yet.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection

from central.ledger import money, programmes, tills
from central.ledger.chart import Key, Kind, member
from central.ledger.sheet import Sheet
from central.ledger.transfer import AMOUNT_MAX, Booked, Draft, Outcome, Refusal, Refused, State, content_of
from loyalty.points import POINTS_MAX, Programme, ends_ms, worth_yen

BUY: Final = "buy"
GIVE: Final = "give"
EXCHANGE: Final = "exchange"
CASH_OUT: Final = "cash_out"
REMIT: Final = "remit"


class Gift(NamedTuple):
    """Points of one person. `to`: the other person (give); `place`: where the programme keeps points by shop."""

    name: bytes
    programme: int
    holder: int
    points: int
    to: int = 0
    company: str = ""  # the bank (buy), the retailer (exchange), the one that pays (a company may be the sender: G9)
    place: str = ""


def bank(programme: int, company: str = "") -> Key:
    return Key(Kind.BANK.value, programme, 0, company)


def payout(programme: int, holder: int) -> Key:
    return Key(Kind.PAYOUT.value, programme, holder)


def buy(connection: Connection, gift: Gift, now_ms: int, *, pending: bool = False) -> Outcome:
    """Points at the buy rate; `pending` until the payment is confirmed."""
    return _book(connection, BUY, gift, now_ms, pending=pending)


def give(connection: Connection, gift: Gift, now_ms: int, *, pending: bool = False) -> Outcome:
    """From `holder` to `to`: both accounts move together or not at all."""
    return _book(connection, GIVE, gift, now_ms, pending=pending)


def exchange(connection: Connection, gift: Gift, now_ms: int, *, pending: bool = False) -> Outcome:
    """For goods of the retailer `company`, at the sell rate."""
    return _book(connection, EXCHANGE, gift, now_ms, pending=pending)


def cash_out(connection: Connection, gift: Gift, now_ms: int, *, pending: bool = False) -> Outcome:
    """For money, at the cash-out rate."""
    return _book(connection, CASH_OUT, gift, now_ms, pending=pending)


def _book(connection: Connection, kind: str, gift: Gift, now_ms: int, *, pending: bool) -> Outcome:
    programme = programmes.get(connection, gift.programme)
    if programme is None:
        return Refused(Refusal.NO_PROGRAMME, f"there is no programme {gift.programme}")
    problem = _problem(kind, gift, programme)
    if problem is not None:
        return problem
    state = State.PENDING if pending else State.POSTED
    mine, sheet = member(programme.id, gift.holder, gift.place), Sheet(connection, now_ms)
    theirs = [member(programme.id, gift.to, gift.place)] if kind == GIVE else []
    others = _others(kind, programme, gift)
    sheet.read([gift.name], [mine, *theirs, *others], spending=[mine, *theirs])
    draft = sheet.open(gift.name, kind, programme.id, now_ms, content_of(kind, gift, state), state)
    if not isinstance(draft, Draft):
        return draft
    if kind == BUY:
        _bought(sheet, draft, programme, gift, mine)
        return Booked(sheet.write()[gift.name])
    there = sheet.usable(mine, now_ms)
    if there < gift.points:
        return Refused(Refusal.BALANCE, f"{there} points are there")
    took = sheet.take(draft, mine, gift.points, now_ms)
    if kind == GIVE:
        if pending:
            sheet.leg(draft, theirs[0], gift.points)
        else:
            sheet.hand_over(draft, theirs[0], took.moves)
    elif kind == EXCHANGE:
        sheet.leg(draft, tills.redeemed(programme.id, gift.company), gift.points)
        owed = money.owed_yen(programme, programme.sell, gift.points)
        money.used(sheet, draft, tills.retailer(programme.id, gift.company), took.yen, owed)
    else:
        sheet.leg(draft, tills.redeemed(programme.id, ""), gift.points)
        owed = money.owed_yen(programme, programme.cash_out, gift.points)
        money.used(sheet, draft, payout(programme.id, gift.holder), took.yen, owed)
    return Booked(sheet.write()[gift.name])


def _others(kind: str, programme: Programme, gift: Gift) -> list[Key]:
    """The accounts beside those of persons."""
    if kind == BUY:
        return [bank(programme.id, gift.company), money.deposits(programme.id), tills.issued(programme.id, "")]
    if kind == EXCHANGE:
        theirs = tills.retailer(programme.id, gift.company)
        return [tills.redeemed(programme.id, gift.company), *money.keys(programme, theirs)]
    if kind == CASH_OUT:
        return [tills.redeemed(programme.id, ""), *money.keys(programme, payout(programme.id, gift.holder))]
    return []


def _problem(kind: str, gift: Gift, programme: Programme) -> Refused | None:
    if not 0 < gift.points <= POINTS_MAX or gift.holder <= 0 or (kind == GIVE and gift.to <= 0):
        return Refused(Refusal.AMOUNT, f"{gift.points} points can't be")
    if kind == GIVE:
        if not programme.transferable:
            return Refused(Refusal.NOT_TRANSFERABLE, f"points of {programme.name} stay with whom they were given to")
        if gift.to == gift.holder:
            return Refused(Refusal.SAME_PERSON)
        return None
    rate = {BUY: programme.buy, EXCHANGE: programme.sell, CASH_OUT: programme.cash_out}[kind]
    if rate is None or programme.buy is None:
        return Refused(Refusal.NO_RATE, f"{programme.name} has no rate for {kind.replace('_', ' ')}")
    return None


def _bought(sheet: Sheet, draft: Draft, programme: Programme, gift: Gift, mine: Key) -> None:
    assert programme.buy is not None
    cost_yen = worth_yen(programme.buy, gift.points, programme.rounding)
    sheet.leg(draft, bank(programme.id, gift.company), -cost_yen)
    sheet.leg(draft, money.deposits(programme.id), cost_yen)
    sheet.leg(draft, tills.issued(programme.id, ""), -gift.points)
    if draft.state is State.PENDING:
        sheet.leg(draft, mine, gift.points)
    else:
        sheet.give(draft, mine, gift.points, cost_yen, sheet.now_ms, ends_ms(programme, sheet.now_ms))


def remit(
    connection: Connection, name: bytes, owed: Key, yen: int, now_ms: int, *, bank_name: str = "", pending: bool = False
) -> Outcome:
    """The bank pays what is owed to a retailer or to a person, at most all of it."""
    if owed.kind not in (Kind.RETAILER.value, Kind.PAYOUT.value) or not 0 < yen <= AMOUNT_MAX:
        return Refused(Refusal.AMOUNT, f"{yen} yen can't be paid to {owed.words()}")
    state = State.PENDING if pending else State.POSTED
    sheet = Sheet(connection, now_ms)
    sheet.read([name], [owed, bank(owed.programme, bank_name)])
    draft = sheet.open(name, REMIT, owed.programme, now_ms, content_of(REMIT, owed, yen, bank_name, state), state)
    if not isinstance(draft, Draft):
        return draft
    if sheet.account(owed).available < yen:
        return Refused(Refusal.BALANCE, f"{sheet.account(owed).available} yen are owed")
    sheet.leg(draft, owed, -yen)
    sheet.leg(draft, bank(owed.programme, bank_name), yen)
    return Booked(sheet.write()[name])
