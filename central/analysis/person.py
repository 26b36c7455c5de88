"""One person's way from looking to using (K10): for an operator, whose look is written down by the caller.

What was looked at is there only where the person agreed to its being kept. A use of a coupon with a serial is found by
its serial, one without by the pseudonym in the fact.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from central.analysis import days, views
from central.coupons import issue
from central.db import bulk

LINES_MAX: Final = 300


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One coupon and this person."""

    campaign: int
    name: str
    views: int
    downloads: int
    uses: int
    discount_yen: int
    hours: list[int]  # of the uses, each once
    sites: list[str]


class Way(msgspec.Struct, frozen=True, kw_only=True):
    agreed: bool  # to their looking being kept
    lines: list[Line]


_DOWNLOADS: Final = "SELECT campaign, count(*) FROM coupons WHERE person_id = ? GROUP BY campaign"
_USES: Final = (
    "SELECT r.id, r.campaign, r.at_ms, r.site, r.discount_yen FROM coupons c JOIN redemptions r "
    "ON r.campaign = c.campaign AND r.serial = c.serial WHERE c.person_id = ? AND c.serial <> 0 "
    "AND r.state IN ('cleared', 'late')"
)
_UNTRACKED: Final = (
    "SELECT r.id, r.campaign, r.at_ms, r.site, r.discount_yen FROM redemptions r WHERE r.holder = ? "
    "AND r.holder <> 0 AND r.serial = 0 AND r.state IN ('cleared', 'late') "
    "AND r.campaign IN (SELECT campaign FROM coupons WHERE person_id = ?)"
)


def way(connection: Connection, person_id: int, holder: int, offset_min: int) -> Way:
    """By the person's own indexes: the books of others are not read."""
    given = {int(row[0]): int(row[1]) for row in _rows(connection, _DOWNLOADS, person_id)}
    seen: dict[int, int] = {}
    for view in views.of_person(connection, person_id):
        seen[view.campaign] = seen.get(view.campaign, 0) + view.times
    uses: dict[int, list[Any]] = {}
    for row in _rows(connection, _USES, person_id) + _rows(connection, _UNTRACKED, holder, person_id):
        uses.setdefault(int(row[1]), []).append(row)
    every = sorted({*given, *seen, *uses}, key=lambda one: (-len(uses.get(one, ())), -given.get(one, 0), one))
    names = issue.names(connection, set(every))
    lines = [
        Line(
            campaign=one,
            name=names.get(one, str(one)),
            views=seen.get(one, 0),
            downloads=given.get(one, 0),
            uses=len(uses.get(one, ())),
            discount_yen=sum(row[4] for row in uses.get(one, ())),
            hours=sorted({_hour(row[2], offset_min) for row in uses.get(one, ())}),
            sites=sorted({row[3] for row in uses.get(one, ())}),
        )
        for one in every[:LINES_MAX]
    ]
    return Way(agreed=views.agreed(connection, person_id), lines=lines)


def _rows(connection: Connection, sql: str, *values: int) -> list[Any]:
    return list(bulk.run(connection, sql, values))


def _hour(at_ms: int, offset_min: int) -> int:
    return (at_ms - days.starts_ms(days.of(at_ms, offset_min), offset_min)) // days.HOUR_MS
