"""A shop's day in points: what it gave, what it took for goods, and what came back by refunds. Says nobody's name."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, case, func, select

from central.db.schema import accounts, postings, programmes, transfers
from central.ledger.chart import Kind
from central.ledger.refunds import REFUND, TAKE_BACK
from central.ledger.transfer import State

LOOKED_AT_MAX: Final = 5_000
"""The newest so many transfers of a shop are looked at: a day that has more is told as far as they reach."""


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of points, of one shop and day. Each number is zero or more."""

    programme: int
    given: int
    taken: int
    restored: int  # spent points that went back to people
    taken_back: int  # earned points that were taken back


def of_site(connection: Connection, site: str, from_ms: int, to_ms: int) -> list[Day]:
    """What happened from `from_ms` on and before `to_ms`."""
    # By the newest postings of this shop's accounts: transfers have no index by time, and a day is at their end.
    newest = (
        select(postings.c.transfer, postings.c.amount, accounts.c.kind.label("account"))
        .join_from(accounts, postings, postings.c.account == accounts.c.id)
        .where(  # every part of the key is named: the shop's members have accounts at this place, too
            accounts.c.place == site,
            accounts.c.programme.in_(select(programmes.c.id)),
            accounts.c.kind.in_([Kind.ISSUED.value, Kind.REDEEMED.value]),
            accounts.c.holder == 0,
        )
        .order_by(postings.c.transfer.desc())
        .limit(LOOKED_AT_MAX)
        .subquery()
    )

    def total(account: Kind, kind: str | None) -> ColumnElement[int]:
        back = transfers.c.kind.in_((REFUND, TAKE_BACK))
        which = (newest.c.account == account.value) & (~back if kind is None else transfers.c.kind == kind)
        return func.coalesce(func.sum(case((which, newest.c.amount), else_=0)), 0)

    rows = connection.execute(
        select(
            transfers.c.programme,
            total(Kind.ISSUED, None).label("given"),
            total(Kind.REDEEMED, None).label("taken"),
            total(Kind.REDEEMED, REFUND).label("restored"),
            total(Kind.ISSUED, TAKE_BACK).label("taken_back"),
        )
        .join_from(newest, transfers, transfers.c.id == newest.c.transfer)
        .where(transfers.c.at_ms >= from_ms, transfers.c.at_ms < to_ms, transfers.c.state == State.POSTED.value)
        .group_by(transfers.c.programme)
        .order_by(transfers.c.programme)
    )
    return [
        Day(
            programme=row.programme,
            given=-int(row.given),
            taken=int(row.taken),
            restored=-int(row.restored),
            taken_back=int(row.taken_back),
        )
        for row in rows
    ]
