"""Transfers that wait: what they take is held from the beginning; another transfer posts or voids them, once.

The points that a pending transfer takes leave their lots at once, so nobody else can spend them. Posting makes the
legs count; voiding puts the points back into their lots. A transfer of points to another person becomes lots of that
person, with the ends that they had, when it is posted; points that are bought last from the day they are paid.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, select

from central.db.schema import transfers
from central.ledger import history, money, programmes
from central.ledger.chart import MEMBER, Key
from central.ledger.lots import Move
from central.ledger.sheet import Sheet
from central.ledger.transfer import Booked, Draft, Outcome, Refusal, Refused, content_of
from loyalty.points import NEVER_MS, ends_ms

POST: Final = "post"
VOID: Final = "void"


def post(connection: Connection, name: bytes, of: bytes, now_ms: int) -> Outcome:
    """The pending transfer `of` counts from now on."""
    return _settle(connection, POST, name, of, now_ms)


def void(connection: Connection, name: bytes, of: bytes, now_ms: int) -> Outcome:
    """The pending transfer `of` is not made; what it held is free again."""
    return _settle(connection, VOID, name, of, now_ms)


def _settle(connection: Connection, kind: str, name: bytes, of: bytes, now_ms: int) -> Outcome:
    before = history.find(connection, of)
    if before is None or before.state != "pending":
        return Refused(Refusal.UNKNOWN, f"{of.hex()} is no pending transfer")
    legs = history.legs(connection, before.id)
    sheet = Sheet(connection, now_ms)
    sheet.read([name], legs)  # locks what it concerns: two that settle it see each other
    draft = sheet.open(name, kind, before.programme, now_ms, content_of(kind, of))
    if not isinstance(draft, Draft):
        return draft
    settled = connection.execute(select(transfers.c.kind).where(transfers.c.settles == before.id)).scalar()
    if settled is not None:
        return Refused(Refusal.SETTLED, f"{of.hex()} was settled before: {settled}")
    draft.about = draft.settles = before.id
    moves = history.taken(sheet, before.id)
    if kind == VOID:
        _put_back(sheet, draft, legs, moves)
    for key, amount in legs.items():
        if amount < 0:
            sheet.hold(sheet.account(key), amount)
    if kind == POST:
        _make_it_count(sheet, draft, legs, moves)
    return Booked(sheet.write()[name])


def _put_back(sheet: Sheet, draft: Draft, legs: dict[Key, int], moves: list[Move]) -> None:
    for key, amount in legs.items():
        if key.kind != MEMBER or amount >= 0:
            continue
        taken_yen = sum(move.yen for move in moves)
        yen = sheet.come_back(draft, key, moves, -amount, ended_until_ms=0, fresh_ms=NEVER_MS)
        if taken_yen > yen:  # they paid back a debt: what was paid for them is the operator's
            sheet.leg(draft, money.deposits(draft.programme), yen - taken_yen)
            sheet.leg(draft, money.fees(draft.programme), taken_yen - yen)


def _make_it_count(sheet: Sheet, draft: Draft, legs: dict[Key, int], moves: list[Move]) -> None:
    for key, amount in legs.items():
        if key.kind != MEMBER or amount < 0:
            sheet.leg(draft, key, amount)
            continue
        if moves:
            sheet.hand_over(draft, key, moves)
            continue
        programme = programmes.get(sheet.connection, draft.programme)
        until_ms = NEVER_MS if programme is None else ends_ms(programme, sheet.now_ms)
        yen = legs.get(money.deposits(draft.programme), 0)
        sheet.give(draft, key, amount, yen, sheet.now_ms, until_ms)
