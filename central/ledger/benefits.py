"""What each shop gives (M4) and what its points buy (M11), for whoever asks (M6)."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, select

from central.db.schema import earn_rules
from central.ledger import programmes
from loyalty.points import EarnRule, Programme, in_force

RULES_MAX: Final = 200  # pairs of a programme and a shop that are told at once


class Benefit(msgspec.Struct, frozen=True, kw_only=True):
    """What one shop gives of one kind of points."""

    programme: Programme
    site: str
    rule: EarnRule | None  # in force
    coming: EarnRule | None  # the next that was made and has not begun

    @property
    def newest(self) -> EarnRule | None:
        return self.coming or self.rule


def of_shops(connection: Connection, now_ms: int, limit: int = RULES_MAX) -> list[Benefit]:
    """Of all shops that have a rule, by shop."""
    pairs = connection.execute(
        select(earn_rules.c.site, earn_rules.c.programme)
        .distinct()
        .order_by(earn_rules.c.site, earn_rules.c.programme)
        .limit(min(limit, RULES_MAX))
    ).all()
    return _benefits(connection, [(row.programme, row.site) for row in pairs], now_ms)


def of_site(connection: Connection, site: str, now_ms: int) -> list[Benefit]:
    """Of one shop, for every programme; also those for which it has no rule."""
    return _benefits(connection, [(one.id, site) for one in programmes.listed(connection)[:RULES_MAX]], now_ms)


def of_programme(connection: Connection, programme: int, now_ms: int) -> list[Benefit]:
    """Of one programme, for the shops that have a rule."""
    sites = connection.execute(
        select(earn_rules.c.site)
        .distinct()
        .where(earn_rules.c.programme == programme)
        .order_by(earn_rules.c.site)
        .limit(RULES_MAX)
    ).scalars()
    return _benefits(connection, [(programme, site) for site in sites], now_ms)


def _benefits(connection: Connection, pairs: list[tuple[int, str]], now_ms: int) -> list[Benefit]:
    known = programmes.by_number(connection, {number for number, _ in pairs})
    rules = programmes.rules(connection, pairs)
    return [
        _benefit(known[number], site, rules.get((number, site), []), now_ms)
        for number, site in pairs
        if number in known
    ]


def _benefit(programme: Programme, site: str, revisions: list[EarnRule], now_ms: int) -> Benefit:
    rule = in_force(revisions, now_ms)
    later = [one for one in revisions if one.from_ms > now_ms]
    coming = later[-1] if later else None  # the newest: those before it that begin with it never count
    return Benefit(programme=programme, site=site, rule=rule, coming=coming)
