"""Counts of views, downloads and uses by day, hour, shop and coupon, kept in step with the books.

A count is never added to: whatever touches a day of a shop (or of a coupon) has that day counted anew from the books.
So a fact that comes late, a time that is corrected and a use that is taken back are right by the same way:

    new rows          are found by their numbers: what booking costs does not change
    changed rows      a trigger of the database writes down the shop and the time before and after the change
    views             are written down with each view (`views`)

Beside each count stand some of the people behind it (the GROUP_MIN smallest tags): over any set of cells they tell
exactly whether GROUP_MIN different people are in it, and no more. A use without a holder counts as a person of its own.

`bring_up_to_date` does a bounded piece of work in short transactions; the running centre calls it every half minute.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection

from central import incarnation
from central.analysis import days, views
from central.db import bulk
from central.db.database import Database
from loyalty.campaign import DAY_MS

GROUP_MIN: Final = 5  # people that a figure must stand for, to be shown to a shop or a provider
ROWS_AT_ONCE: Final = 5_000  # new rows of the books that one step looks at
DAYS_AT_ONCE: Final = 16  # days of one shop or coupon that one step counts anew
STEPS_PER_TURN: Final = 40
USE: Final = "use"
DOWNLOAD: Final = "download"
NO_HOUR: Final = -1  # views are kept by day alone
_META: Final = "analysis"
_TOUCHED_AT_ONCE: Final = 2_000


class Reach(msgspec.Struct, array_like=True):
    """How far the counts reach."""

    redemption: int = 0  # the last row of the books that was looked at
    coupon: int = 0
    offset_min: int = 0  # whose days these are
    at_ms: int = 0  # when nothing was left to do


class _Book(NamedTuple):
    """Where things that are counted stand."""

    table: str
    key: str  # what its days are counted by: 'site' or 'campaign'
    at: str  # when it happened
    tag: str  # who did it
    counts: str
    yen: str
    hour: bool
    where: str  # which rows count


_BOOKS: Final[dict[str, _Book]] = {
    USE: _Book(
        "redemptions", "site", "at_ms", "CASE WHEN holder = 0 THEN -id ELSE holder END", "count(*)",
        "sum(discount_yen)", True, "state IN ('cleared', 'late')",
    ),
    DOWNLOAD: _Book(
        "coupons", "campaign", "downloaded_ms", "CASE WHEN person_id IS NULL THEN -id ELSE person_id END", "count(*)",
        "0", True, "1 = 1",
    ),
    views.VIEW: _Book("offer_views", "campaign", "", "person_id", "sum(times)", "0", False, "1 = 1"),
}  # fmt: skip
_TOUCH: Final = "INSERT INTO analysis_touched (what, site, campaign, at_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_UNTOUCH: Final = "DELETE FROM analysis_touched WHERE what = ? AND site = ? AND campaign = ? AND at_ms = ?"
_TOUCHED: Final = (
    "SELECT what, site, campaign, at_ms FROM analysis_touched ORDER BY what, site, campaign, at_ms "  # noqa: S608
    f"LIMIT {_TOUCHED_AT_ONCE}"
)


def bring_up_to_date(database: Database, offset_min: int, now_ms: int, steps: int = STEPS_PER_TURN) -> bool:
    """Counts what has changed, in at most so many steps; False: there is more to do. Raises StorageError."""
    with database.write() as connection:
        views.prune(connection, now_ms, offset_min)
    for _ in range(steps):
        # Alone: numbers are given before they are committed, and a row may not come to light behind the mark.
        with database.write() as connection:
            more = _look_at_new_rows(connection, offset_min)
        more = database.unit(lambda connection: _count_days(connection, offset_min)) or more
        if not more:
            with database.write() as connection:
                reach = reached(connection)
                reach.at_ms = now_ms
                _keep(connection, reach)
            return True
    return False


def reached(connection: Connection) -> Reach:
    kept = incarnation.read_meta(connection, _META)
    return Reach() if kept is None else msgspec.msgpack.decode(kept, type=Reach)


def _keep(connection: Connection, reach: Reach) -> None:
    incarnation.write_meta(connection, _META, msgspec.msgpack.encode(reach))


def _look_at_new_rows(connection: Connection, offset_min: int) -> bool:
    """Writes down which days the rows belong to that were booked since; whether there are more of them."""
    reach = reached(connection)
    if reach.offset_min != offset_min:
        reach = _start_over(connection, offset_min)
    uses = _rows(connection, "SELECT id, site, at_ms FROM redemptions", reach.redemption)
    given = _rows(connection, "SELECT id, campaign, downloaded_ms FROM coupons", reach.coupon)
    fresh = {(USE, site, 0, _midnight(at_ms, offset_min)) for _, site, at_ms in uses}
    fresh |= {(DOWNLOAD, "", campaign, _midnight(at_ms, offset_min)) for _, campaign, at_ms in given}
    bulk.run_many(connection, _TOUCH, sorted(fresh))
    if uses or given:
        reach.redemption = uses[-1][0] if uses else reach.redemption
        reach.coupon = given[-1][0] if given else reach.coupon
        _keep(connection, reach)
    return ROWS_AT_ONCE in (len(uses), len(given))


def _rows(connection: Connection, select: str, after: int) -> list[Any]:
    return list(bulk.run(connection, f"{select} WHERE id > ? ORDER BY id LIMIT {ROWS_AT_ONCE}", (after,)))


def _midnight(at_ms: int, offset_min: int) -> int:
    return days.starts_ms(days.of(at_ms, offset_min), offset_min)


def _start_over(connection: Connection, offset_min: int) -> Reach:
    """Days begin elsewhere than they did: all are counted anew. Views keep the day on which they were counted."""
    for table in ("analysis_cells", "analysis_people", "analysis_touched"):
        bulk.run(connection, f"DELETE FROM {table}")  # noqa: S608
    kept: Any = bulk.run(connection, "SELECT DISTINCT campaign, day FROM offer_views").all()
    seen = [(views.VIEW, "", campaign, days.starts_ms(day, offset_min)) for campaign, day in kept]
    bulk.run_many(connection, _TOUCH, seen)
    reach = Reach(offset_min=offset_min)
    _keep(connection, reach)
    return reach


def _count_days(connection: Connection, offset_min: int) -> bool:
    """Counts at most DAYS_AT_ONCE days of a shop or a coupon anew; whether more may wait."""
    touched: Any = bulk.run(connection, _TOUCHED).all()
    whole: dict[tuple[str, str, int, int], list[tuple[Any, ...]]] = {}
    for what, site, campaign, at_ms in touched:
        whole.setdefault((what, site, campaign, days.of(at_ms, offset_min)), []).append((what, site, campaign, at_ms))
    for (what, site, campaign, day), rows in list(whole.items())[:DAYS_AT_ONCE]:
        bulk.run_many(connection, _UNTOUCH, rows)
        _count(connection, what, site or campaign, day, offset_min)
    return len(whole) > DAYS_AT_ONCE or len(touched) == _TOUCHED_AT_ONCE


def _count(connection: Connection, what: str, key: str | int, day: int, offset_min: int) -> None:
    """One day of one shop, or of one coupon, from the books."""
    book = _BOOKS[what]
    for table in ("analysis_cells", "analysis_people"):
        bulk.run(connection, f"DELETE FROM {table} WHERE what = ? AND {book.key} = ? AND day = ?", (what, key, day))  # noqa: S608
    starts_ms = days.starts_ms(day, offset_min)
    hour = f"({book.at} - {starts_ms}) / {days.HOUR_MS}" if book.hour else str(NO_HOUR)
    during = f"{book.at} >= {starts_ms} AND {book.at} < {starts_ms + DAY_MS}" if book.at else f"day = {day}"
    site = "site" if book.key == "site" else "''"
    rows = f"FROM {book.table} WHERE {book.key} = ? AND {during} AND {book.where}"
    bulk.run(
        connection,
        "INSERT INTO analysis_cells (day, what, site, campaign, hour, count, yen) "
        f"SELECT {day}, '{what}', {site}, campaign, {hour}, {book.counts}, {book.yen} {rows} GROUP BY 3, 4, 5",
        (key,),
    )
    people = f"SELECT DISTINCT {site} AS site, campaign, {hour} AS hour, {book.tag} AS tag {rows}"
    ranked = (
        "SELECT site, campaign, hour, tag, row_number() OVER (PARTITION BY site, campaign, hour ORDER BY tag) AS place "  # noqa: S608
        f"FROM ({people}) everybody"
    )
    bulk.run(
        connection,
        "INSERT INTO analysis_people (day, what, site, campaign, hour, tag) "  # noqa: S608
        f"SELECT {day}, '{what}', site, campaign, hour, tag FROM ({ranked}) ranked WHERE place <= {GROUP_MIN}",
        (key,),
    )
