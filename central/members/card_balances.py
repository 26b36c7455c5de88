"""What is written on a new card of somebody's points, as the ledger has them (M5): a hint that can only lower.

One number stands on a card for each programme, so of a programme whose points each shop keeps for itself it is those
of the shop where the card is written. Last used first, as many as any chip holds; the kiosk cuts them to its chip.
What a person owes is zero on a card. Facts that no lane has reported yet are not in it: then it is too low for a while.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, or_, select

from central.db.schema import accounts, lots, postings
from central.ledger.chart import MEMBER
from loyalty.card import BALANCES_MAX, POINTS_MAX, PROGRAMME_MAX

SHARED: Final = ""
"""The place of points that count at every shop."""


class Wanted(NamedTuple):
    """Whose card, and at which site it is written."""

    holder: int
    site: str


def usable(connection: Connection, wanted: Collection[Wanted], now_ms: int) -> dict[Wanted, list[tuple[int, int]]]:
    """(programme, usable points) of each, last used first, in one query however many are asked for."""
    found: dict[Wanted, dict[int, int]] = {one: {} for one in wanted}
    if not found:
        return {}
    mine = or_(*((accounts.c.holder == one.holder) & accounts.c.place.in_((SHARED, one.site)) for one in sorted(found)))
    counts = (lots.c.account == accounts.c.id) & (lots.c.rest > 0) & (lots.c.expires_ms > now_ms)
    rest = select(func.coalesce(func.sum(lots.c.rest), 0)).where(counts).scalar_subquery()
    last = select(func.max(postings.c.transfer)).where(postings.c.account == accounts.c.id).scalar_subquery()
    rows = connection.execute(
        select(accounts.c.holder, accounts.c.programme, accounts.c.place, rest.label("usable"), last.label("last"))
        .where(accounts.c.kind == MEMBER, accounts.c.programme.between(1, PROGRAMME_MAX), mine)
        .order_by(func.coalesce(last, 0).desc(), accounts.c.programme)
    )
    for row in rows:
        for one, balances in found.items():
            if one.holder == row.holder and row.place in (SHARED, one.site):
                balances.setdefault(row.programme, max(0, min(int(row.usable), POINTS_MAX)))
    return {one: list(balances.items())[:BALANCES_MAX] for one, balances in found.items()}
