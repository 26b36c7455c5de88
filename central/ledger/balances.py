"""What somebody has, and how it came to that: balances by programme and shop (M5), and the postings behind them."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, func, select, text

from central.db.schema import OF_A_PERSON, accounts, lots, postings, transfers
from central.ledger.chart import MEMBER
from loyalty.points import NEVER_MS

LIMIT_MAX: Final = 1_000


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """The points of one person of one programme, at one shop where the programme keeps them so."""

    programme: int
    holder: int
    place: str  # the shop; empty: shared by all
    points: int  # in all; negative: owed
    held: int  # of them, by transfers that wait
    usable: int  # what can be spent now
    next_end_ms: int | None  # when some of them end next; None: never


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One posting of a person's account."""

    transfer: bytes
    kind: str
    programme: int
    place: str
    points: int
    at_ms: int
    booked_ms: int
    waits: bool  # pending: it has not moved anything yet


def of_person(connection: Connection, holder: int, now_ms: int) -> list[Balance]:
    """By programme and shop (M5)."""
    return _balances(connection, (accounts.c.holder == holder) & text(OF_A_PERSON), now_ms, LIMIT_MAX)


def at_shop(connection: Connection, programme: int, site: str, now_ms: int, limit: int = 100) -> list[Balance]:
    """The other way: who has points at a shop (M5), by pseudonym."""
    mine = (accounts.c.programme == programme) & (accounts.c.place == site)
    return _balances(connection, mine, now_ms, limit)


def _balances(connection: Connection, which: object, now_ms: int, limit: int) -> list[Balance]:
    counts = (lots.c.account == accounts.c.id) & (lots.c.rest > 0) & (lots.c.expires_ms > now_ms)
    rows = connection.execute(
        select(
            accounts.c.programme,
            accounts.c.holder,
            accounts.c.place,
            accounts.c.balance,
            accounts.c.held,
            func.coalesce(func.sum(lots.c.rest), 0).label("usable"),
            func.min(lots.c.expires_ms).label("next_end_ms"),
        )
        .select_from(accounts.outerjoin(lots, counts))
        .where(accounts.c.kind == MEMBER, which)  # type: ignore[arg-type]
        .group_by(accounts.c.id)
        .order_by(accounts.c.programme, accounts.c.place, accounts.c.holder)
        .limit(max(0, min(limit, LIMIT_MAX)))
    )
    return [
        Balance(
            programme=row.programme,
            holder=row.holder,
            place=row.place,
            points=row.balance,
            held=row.held,
            usable=int(row.usable),
            next_end_ms=None if row.next_end_ms in (None, NEVER_MS) else int(row.next_end_ms),
        )
        for row in rows
    ]


def history(connection: Connection, holder: int, limit: int = 100) -> list[Line]:
    """The postings of a person's accounts, newest first."""
    rows = connection.execute(
        select(transfers, accounts.c.place, postings.c.amount)
        .select_from(postings.join(accounts).join(transfers))
        .where(accounts.c.holder == holder, text(OF_A_PERSON), accounts.c.kind == MEMBER)
        .order_by(transfers.c.id.desc())
        .limit(max(0, min(limit, LIMIT_MAX)))
    )
    return [
        Line(
            transfer=bytes(row.name),
            kind=row.kind,
            programme=row.programme,
            place=row.place,
            points=row.amount,
            at_ms=row.at_ms,
            booked_ms=row.booked_ms,
            waits=row.state == "pending",
        )
        for row in rows
    ]
