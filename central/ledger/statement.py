"""A person's statement: what moved their points, when, and at which shop (M5, M6, P12); and one shop's part of it (M7).

A transfer that waits stands as what it is, and once it was posted or voided only as what became of it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select, text

from central.db.schema import OF_A_PERSON, accounts, postings, transfers
from central.ledger.chart import MEMBER, Kind
from central.ledger.transfer import State

LIMIT_MAX: Final = 100_000  # an export of somebody's own data; pages ask for far fewer

_shops, _legs = accounts.alias("shops"), postings.alias("legs")
_first, _then = transfers.alias("first"), transfers.alias("then")
# Points that all shops share have no shop of their own: who gave or took them says the other leg.
_site = func.coalesce(
    select(func.min(_shops.c.place))
    .select_from(_legs.join(_shops, _shops.c.id == _legs.c.account))
    .where(
        _legs.c.transfer == transfers.c.id,
        _shops.c.kind.in_((Kind.ISSUED.value, Kind.REDEEMED.value)),
        _shops.c.place != "",
    )
    .correlate(transfers)
    .scalar_subquery(),
    accounts.c.place,
)


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """Points that came or went."""

    kind: str  # of the transfer; of one that was posted: what it was before
    programme: int
    site: str  # empty: no shop's
    points: int  # negative: they went
    at_ms: int
    waits: bool  # held, and not gone yet


def of_person(connection: Connection, holder: int, limit: int) -> list[Move]:
    """Newest booked first."""
    return _moves(connection, accounts.c.holder == holder, limit)


def at_shop(connection: Connection, holder: int, site: str, limit: int) -> list[Move]:
    """What this shop had to do with. Nothing of what other shops gave or took."""
    return _moves(connection, (accounts.c.holder == holder) & (_site == site), limit)


def _moves(connection: Connection, which: ColumnElement[bool], limit: int) -> list[Move]:
    settled = select(_then.c.id).where(_then.c.settles == transfers.c.id).exists()
    rows = connection.execute(
        select(
            func.coalesce(_first.c.kind, transfers.c.kind).label("kind"),
            transfers.c.programme,
            _site.label("site"),
            postings.c.amount,
            transfers.c.at_ms,
            transfers.c.state,
        )
        .select_from(
            postings.join(accounts, accounts.c.id == postings.c.account)
            .join(transfers, transfers.c.id == postings.c.transfer)
            .outerjoin(_first, _first.c.id == transfers.c.settles)
        )
        .where(which, text(OF_A_PERSON), accounts.c.kind == MEMBER)
        .where((transfers.c.state == State.POSTED.value) | ~settled)
        .order_by(transfers.c.id.desc())
        .limit(max(0, min(limit, LIMIT_MAX)))
    )
    return [_move(row) for row in rows]


def _move(row: Any) -> Move:
    return Move(
        kind=row.kind,
        programme=row.programme,
        site=row.site,
        points=row.amount,
        at_ms=row.at_ms,
        waits=row.state == State.PENDING.value,
    )
