"""How coupons are used, for those who may know: a provider its own campaigns, a shop its own site (K6, K10 in small).

Nothing here says whose a coupon was.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, func, select

from central.db.schema import USES, Flag, campaigns, coupons, redemptions
from loyalty.campaign import DAY_MS, Campaign
from wire.messages import decode

LIMIT_MAX: Final = 500
DAYS_MAX: Final = 366


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """One redemption, without its holder."""

    campaign: int
    name: str  # of the campaign; empty: the centre does not know it
    number: int | None
    site: str
    at_ms: int
    discount_yen: int
    state: str
    flags: list[str]


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """The uses of one day."""

    starts_ms: int
    uses: int
    discount_yen: int


class Total(msgspec.Struct, frozen=True, kw_only=True):
    uses: int
    discount_yen: int


def of_campaign(connection: Connection, campaign: int, limit: int) -> list[Use]:
    """The newest of one campaign, in the order of booking."""
    return _uses(connection, _USES.where(redemptions.c.campaign == campaign).order_by(redemptions.c.id.desc()), limit)


def of_site(connection: Connection, site: str, from_ms: int, to_ms: int, limit: int) -> list[Use]:
    """Those of one site that happened from `from_ms` on and before `to_ms`, newest first."""
    query = _USES.where(redemptions.c.site == site, redemptions.c.at_ms >= from_ms, redemptions.c.at_ms < to_ms)
    return _uses(connection, query.order_by(redemptions.c.at_ms.desc()), limit)


def total_of_site(connection: Connection, site: str, from_ms: int, to_ms: int) -> Total:
    """How many of those count, and what they took off."""
    uses, discount_yen = connection.execute(
        select(func.count(), func.coalesce(func.sum(redemptions.c.discount_yen), 0)).where(
            redemptions.c.site == site,
            redemptions.c.at_ms >= from_ms,
            redemptions.c.at_ms < to_ms,
            redemptions.c.state.in_(USES),
        )
    ).one()
    return Total(uses=uses, discount_yen=int(discount_yen))


def by_day(connection: Connection, campaign: int, from_ms: int, to_ms: int) -> list[Day]:
    """The uses of each whole day from `from_ms` (a midnight) on; also days with none. At most DAYS_MAX."""
    day = (redemptions.c.at_ms - from_ms) // DAY_MS
    rows = connection.execute(
        select(day.label("day"), func.count().label("uses"), func.sum(redemptions.c.discount_yen).label("yen"))
        .where(
            redemptions.c.campaign == campaign,
            redemptions.c.state.in_(USES),
            redemptions.c.at_ms >= from_ms,
            redemptions.c.at_ms < to_ms,
        )
        .group_by("day")
    )
    found = {int(row.day): row for row in rows}
    days = min(DAYS_MAX, -(-(to_ms - from_ms) // DAY_MS))
    return [
        Day(
            starts_ms=from_ms + number * DAY_MS,
            uses=found[number].uses if number in found else 0,
            discount_yen=int(found[number].yen) if number in found else 0,
        )
        for number in range(days)
    ]


_USES: Final[Select[Any]] = select(
    redemptions.c.campaign,
    redemptions.c.site,
    redemptions.c.at_ms,
    redemptions.c.discount_yen,
    redemptions.c.state,
    redemptions.c.flags,
    campaigns.c.body,
    coupons.c.number,
).select_from(
    redemptions.outerjoin(campaigns, campaigns.c.id == redemptions.c.campaign).outerjoin(
        coupons,
        (coupons.c.campaign == redemptions.c.campaign)
        & (coupons.c.serial == redemptions.c.serial)
        & (coupons.c.serial != 0),
    )
)


def _uses(connection: Connection, query: Select[Any], limit: int) -> list[Use]:
    rows = connection.execute(query.limit(max(0, min(limit, LIMIT_MAX))))
    return [
        Use(
            campaign=row.campaign,
            name=decode(row.body, Campaign).name if row.body is not None else "",
            number=row.number,
            site=row.site,
            at_ms=row.at_ms,
            discount_yen=row.discount_yen,
            state=row.state,
            flags=Flag(row.flags).names(),
        )
        for row in rows
    ]
