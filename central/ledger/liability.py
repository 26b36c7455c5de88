"""What is owed in points, by programme and by shop, for the operator: read from the accounts alone, all of them.

Points of a programme that all shops share are owed by nobody's shop; what each shop gave and took of them is known.
"""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, case, func, select

from central.db.schema import accounts
from central.ledger.chart import Kind

ROWS_MAX: Final = 300


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """The points of one programme at one shop; `site` empty: what belongs to no shop."""

    programme: int
    site: str
    given: int  # by this shop
    taken: int  # for goods, by this shop
    open: int  # what people have of it
    exposed: int  # goods given for points that nobody had; still to be borne or claimed, too
    ended: int


def by_shop(connection: Connection, limit: int = ROWS_MAX) -> list[Owed]:
    """By programme and shop; at most ROWS_MAX."""

    def total(*kinds: Kind) -> ColumnElement[int]:
        return func.coalesce(
            func.sum(case((accounts.c.kind.in_([kind.value for kind in kinds]), accounts.c.balance), else_=0)), 0
        )

    points = [
        Kind.MEMBER, Kind.ISSUED, Kind.REDEEMED, Kind.BREAKAGE, Kind.EXPOSURE, Kind.ADVANCE, Kind.SUSPENSE,
    ]  # fmt: skip
    rows = connection.execute(
        select(
            accounts.c.programme,
            accounts.c.place,
            (-total(Kind.ISSUED)).label("given"),
            total(Kind.REDEEMED).label("taken"),
            total(Kind.MEMBER).label("open"),
            (-total(Kind.EXPOSURE, Kind.ADVANCE, Kind.SUSPENSE)).label("exposed"),
            total(Kind.BREAKAGE).label("ended"),
        )
        .where(accounts.c.kind.in_([kind.value for kind in points]))
        .group_by(accounts.c.programme, accounts.c.place)
        .order_by(accounts.c.programme, accounts.c.place)
        .limit(min(limit, ROWS_MAX))
    )
    return [
        Owed(
            programme=row.programme,
            site=row.place,
            given=int(row.given),
            taken=int(row.taken),
            open=int(row.open),
            exposed=int(row.exposed),
            ended=int(row.ended),
        )
        for row in rows
    ]
