"""Who opened the page of which coupon, on which day, and how often: kept of people who agreed to it, and of no others.

Bounded: one row for a person, a coupon and a day, which counts up to VIEWS_PER_DAY_MAX, for KEPT_DAYS. Withdrawing the
consent, or an erasure, takes all rows of that person away; the counts are then made anew without them.
"""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, delete, select

from central import consent
from central.analysis import days
from central.db import bulk
from central.db.schema import offer_views

VIEWS_PER_DAY_MAX: Final = 100
KEPT_DAYS: Final = 400
VIEW: Final = "view"
_TOUCH: Final = "INSERT INTO analysis_touched (what, site, campaign, at_ms) VALUES (?, '', ?, ?) ON CONFLICT DO NOTHING"
_COUNT: Final = (
    "INSERT INTO offer_views (campaign, day, person_id, times) VALUES (?, ?, ?, 1) ON CONFLICT (campaign, day, "  # noqa: S608
    f"person_id) DO UPDATE SET times = offer_views.times + 1 WHERE offer_views.times < {VIEWS_PER_DAY_MAX}"
)


class View(msgspec.Struct, frozen=True, kw_only=True):
    """How often one person opened the page of one coupon on one day."""

    campaign: int
    day: str
    times: int


def agreed(connection: Connection, person_id: int) -> bool:
    """Whether this person lets us keep what they look at."""
    return any(one.purpose is consent.Purpose.ANALYSIS for one in consent.in_force(connection, person_id))


def count(connection: Connection, person_id: int, campaign: int, now_ms: int, offset_min: int) -> bool:
    """Counts a look, in the caller's write transaction. False: this person did not agree, and nothing was kept."""
    if not agreed(connection, person_id):
        return False
    day = days.of(now_ms, offset_min)
    bulk.run(connection, _COUNT, (campaign, day, person_id))
    bulk.run(connection, _TOUCH, (VIEW, campaign, days.starts_ms(day, offset_min)))
    return True


def forget(connection: Connection, person_id: int, offset_min: int) -> None:
    """Takes away what this person looked at; the days are counted anew."""
    theirs = offer_views.c.person_id == person_id
    for campaign, day in connection.execute(select(offer_views.c.campaign, offer_views.c.day).where(theirs)).all():
        bulk.run(connection, _TOUCH, (VIEW, campaign, days.starts_ms(day, offset_min)))
    connection.execute(delete(offer_views).where(theirs))


def prune(connection: Connection, now_ms: int, offset_min: int) -> None:
    """Lets go of what is older than KEPT_DAYS; what was counted of it stays counted."""
    connection.execute(delete(offer_views).where(offer_views.c.day < days.of(now_ms, offset_min) - KEPT_DAYS))


def of_person(connection: Connection, person_id: int) -> list[View]:
    """Everything that is kept, newest day first."""
    query = select(offer_views).where(offer_views.c.person_id == person_id)
    rows = connection.execute(query.order_by(offer_views.c.day.desc(), offer_views.c.campaign))
    return [View(campaign=row.campaign, day=days.shown(row.day), times=row.times) for row in rows]
