"""What the counts say, to whoever may ask: a provider about its coupons, a shop about its site, an operator about all.

Whoever is no operator sees no figure that stands for fewer than GROUP_MIN people: it is None, and left out of the
total, so that it can't be worked out from the others. Nothing, of nobody, is no group: it is shown as 0.

The cost is that of the days, coupons and shops in the range, by the index of what is asked for; no book is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from central import registry
from central.analysis import days
from central.analysis.rollup import GROUP_MIN, reached
from central.coupons import issue
from central.db import bulk

DAYS_MAX: Final = 366  # of one question
ROWS_MAX: Final = 1_000  # of one answer: those with the most uses


class By(StrEnum):
    """What the figures are told apart by."""

    DAY = "day"
    HOUR = "hour"
    COUPON = "coupon"
    SHOP = "shop"


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Whose figures are asked for. Neither named: everybody's, which is for an operator."""

    provider: str | None = None
    site: str | None = None

    @property
    def whole(self) -> bool:
        return self.provider is None and self.site is None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """`from_day` and `to_day` (both counted in) as `central.analysis.days` has them. Raises ValueError."""

    by: By
    from_day: int
    to_day: int
    scope: Scope

    def __post_init__(self) -> None:
        if not 0 <= self.to_day - self.from_day < DAYS_MAX:
            raise ValueError(f"from one day to the same or a later one, at most {DAYS_MAX} days")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """None: it stands for too few people to be shown, or it can't be told apart by this (views have no shop)."""

    key: str  # '2026-07-30', '08', a coupon's number, a site
    name: str  # as people read it
    views: int | None
    downloads: int | None
    uses: int | None
    discount_yen: int | None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. `total` is the sum of what is shown."""

    by: By
    from_day: str
    to_day: str
    columns: list[str]  # which of the figures there are
    rows: list[Row]
    total: Row
    hidden: int  # figures that were left out
    group_min: int
    at_ms: int  # up to when the books were counted; 0: never


_WHATS: Final = {"views": "view", "downloads": "download", "uses": "use"}
_KEYS: Final = {By.DAY: "day", By.HOUR: "hour", By.COUPON: "campaign", By.SHOP: "site"}
COLUMNS: Final[Mapping[By, tuple[str, ...]]] = {
    By.DAY: ("views", "downloads", "uses", "discount_yen"),
    By.HOUR: ("downloads", "uses", "discount_yen"),  # views are kept by day
    By.COUPON: ("views", "downloads", "uses", "discount_yen"),
    By.SHOP: ("uses", "discount_yen"),
}


def columns(question: Question) -> list[str]:
    """Which figures there are. A shop sees what was done in it: coupons are looked at and downloaded elsewhere."""
    there = COLUMNS[question.by]
    return [name for name in there if question.scope.site is None or name in ("uses", "discount_yen")]


def ask(connection: Connection, question: Question) -> Figures:
    """Two statements for the figures, two for the names, whatever the range."""
    where, values = _where(question)
    key = _KEYS[question.by]
    shown = columns(question)
    found: Any = bulk.run(connection, _counts(key, where), values).all()
    people: dict[Any, Any] = {}
    if not question.scope.whole:
        people = {row[0]: row[1:] for row in bulk.run(connection, _people(key, where), values)}
    names = _names(connection, question.by, [row[0] for row in found])
    rows: list[Row] = []
    hidden = 0
    for at, views, downloads, uses, yen in found:
        groups = people.get(at, (0, 0, 0))
        counts: dict[str, int | None] = {}
        for name, value, group in zip(_WHATS, (views, downloads, uses), groups, strict=True):
            small = not question.scope.whole and int(value) > 0 and int(group) < GROUP_MIN
            counts[name] = None if small or name not in shown else int(value)
            hidden += small and name in shown
        if any(value != 0 for name, value in counts.items() if name in shown):
            discount_yen = None if counts["uses"] is None else int(yen)
            rows.append(Row(key=_key(question.by, at), name=names(at), discount_yen=discount_yen, **counts))
    if question.by in (By.DAY, By.HOUR):
        rows.sort(key=lambda row: row.key)
    else:  # not by what is hidden
        rows.sort(key=lambda row: (-(row.uses or 0), -(row.downloads or 0), -(row.views or 0), row.key))
    return Figures(
        by=question.by,
        from_day=days.shown(question.from_day),
        to_day=days.shown(question.to_day),
        columns=shown,
        rows=rows,
        total=_total(rows),
        hidden=hidden,
        group_min=0 if question.scope.whole else GROUP_MIN,
        at_ms=reached(connection).at_ms,
    )


def _where(question: Question) -> tuple[str, tuple[Any, ...]]:
    where, values = "day BETWEEN ? AND ?", [question.from_day, question.to_day]
    named: list[Any] = []
    if question.scope.site is not None:
        where += " AND site = ?"
        named.append(question.scope.site)
    if question.scope.provider is not None:
        where += " AND campaign IN (SELECT id FROM campaigns WHERE provider = ?)"
        named.append(question.scope.provider)
    if question.by is By.HOUR:
        where += " AND hour >= 0"
    if question.by is By.SHOP:
        where += " AND what = 'use'"
    return where, (*values, *named)


def _counts(key: str, where: str) -> str:
    sums = ", ".join(f"sum(CASE WHEN what = '{what}' THEN count ELSE 0 END) AS {name}" for name, what in _WHATS.items())
    return (
        f"SELECT {key}, {sums}, sum(yen) AS yen FROM analysis_cells WHERE {where} "  # noqa: S608
        f"GROUP BY {key} ORDER BY uses DESC, downloads DESC, views DESC, {key} LIMIT {ROWS_MAX}"
    )


def _people(key: str, where: str) -> str:
    counts = ", ".join(f"count(DISTINCT CASE WHEN what = '{what}' THEN tag END)" for what in _WHATS.values())
    return f"SELECT {key}, {counts} FROM analysis_people WHERE {where} GROUP BY {key}"  # noqa: S608


def _key(by: By, at: Any) -> str:
    if by is By.DAY:
        return days.shown(int(at))
    return f"{int(at):02}" if by is By.HOUR else str(at)


def _names(connection: Connection, by: By, keys: list[Any]) -> Any:
    if by is By.COUPON:
        known = issue.names(connection, set(keys))
        return lambda at: known.get(at, str(at))
    if by is By.SHOP:
        titles = registry.titles(connection)
        return lambda at: titles.get(at, at)
    return lambda at: f"{_key(by, at)}:00" if by is By.HOUR else _key(by, at)


def _total(rows: list[Row]) -> Row:
    sums = {
        name: sum(getattr(row, name) or 0 for row in rows) for name in ("views", "downloads", "uses", "discount_yen")
    }
    return Row(key="", name="", **sums)
