"""Kinds of points and the shops' earn rules (M4), as data that a person enters and changes.

A change of a programme counts from then on: what was booked stays, and points keep the end that they were given.
A rule is never changed: the shop makes a new revision of it, from a time on, and the old ones stay to judge by. Both
go to the lanes by the feed: a till is told what points a purchase gives, and what points are worth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from central import feed
from central.db import bulk
from central.db.schema import accounts, earn_rules, programmes, sites
from loyalty.points import EarnRule, Programme, problems, rule_problems
from wire.messages import PutProgramme, PutRule, decode, encode

REVISIONS_MAX: Final = 1_000
"""Of one shop's rule: booking looks at them all."""

_FIND: Final = "SELECT body FROM programmes WHERE id IN "
_RULES_SELECT: Final = "r.programme, r.site, r.body"
_RULES_JOIN: Final = "earn_rules r WHERE r.programme = wanted.k0 AND r.site = wanted.k1"


class ProgrammeError(ValueError):
    """A programme or a rule can't be entered as asked; `problems` says why, one line for each field."""

    def __init__(self, found: list[str]) -> None:
        super().__init__("; ".join(found))
        self.problems = found


def put(connection: Connection, programme: Programme, now_ms: int) -> Programme:
    """Enters a programme, or the next revision of one that is there. Raises ProgrammeError."""
    found = problems(programme)
    known = get(connection, programme.id)
    if known is not None:
        programme = msgspec.structs.replace(programme, revision=known.revision + 1)
        if known.shared != programme.shared and _used(connection, programme.id):
            found.append("shared: people have points already, kept the other way")
    if found:
        raise ProgrammeError(found)
    values = {"body": encode(programme), "changed_ms": now_ms}
    feed.append(connection, [PutProgramme(programme)], None)
    if known is None:
        connection.execute(insert(programmes).values(id=programme.id, **values))
    else:
        connection.execute(update(programmes).where(programmes.c.id == programme.id).values(**values))
    return programme


def _used(connection: Connection, programme: int) -> bool:
    mine = select(accounts.c.id).where(accounts.c.programme == programme).limit(1)
    return connection.execute(mine).first() is not None


def get(connection: Connection, number: int) -> Programme | None:
    return by_number(connection, {number}).get(number)


def by_number(connection: Connection, numbers: Iterable[int]) -> dict[int, Programme]:
    """Those of `numbers` that were entered."""
    wanted = tuple(sorted(set(numbers)))
    if not wanted:
        return {}
    rows = bulk.run(connection, _FIND + bulk.among(len(wanted)), wanted)
    found: list[Programme] = [decode(bytes(row[0]), Programme) for row in rows]
    return {programme.id: programme for programme in found}


class OfProgramme(Protocol):
    """Anything that is about one kind of points."""

    @property
    def programme(self) -> int: ...


def named(*lists: Iterable[OfProgramme]) -> set[int]:
    """The numbers of the programmes that rows are about."""
    return {one.programme for some in lists for one in some}


def names(connection: Connection, *lists: Iterable[OfProgramme]) -> dict[int, str]:
    """Their names; those that nobody entered have none."""
    return {number: one.name for number, one in by_number(connection, named(*lists)).items()}


def listed(connection: Connection) -> list[Programme]:
    rows = connection.execute(select(programmes.c.body).order_by(programmes.c.id)).scalars()
    return [decode(bytes(body), Programme) for body in rows]


def next_number(connection: Connection) -> int:
    """A number for a programme that nobody has yet."""
    return 1 + (connection.execute(select(func.max(programmes.c.id))).scalar() or 0)


# --- earn rules (M4) ----------------------------------------------------------------------------------------


def set_rule(connection: Connection, rule: EarnRule, now_ms: int) -> EarnRule:
    """A shop's rule from `rule.from_ms` on, as its next revision. Raises ProgrammeError."""
    rule = check_rule(connection, rule)
    site_id = connection.execute(select(sites.c.id).where(sites.c.name == rule.site)).scalar_one()
    connection.execute(
        insert(earn_rules).values(
            programme=rule.programme, site=rule.site, revision=rule.revision, body=encode(rule), made_ms=now_ms
        )
    )
    feed.append(connection, [PutRule(rule)], [site_id])
    return rule


def check_rule(connection: Connection, rule: EarnRule) -> EarnRule:
    """The rule with the number of its revision, if it can be made now. Raises ProgrammeError."""
    found = rule_problems(rule)
    if get(connection, rule.programme) is None:
        found.append(f"programme: there is no programme {rule.programme}")
    if connection.execute(select(sites.c.id).where(sites.c.name == rule.site)).first() is None:
        found.append(f"site: there is no site {rule.site}")
    known = rules(connection, [(rule.programme, rule.site)]).get((rule.programme, rule.site), [])
    if len(known) >= REVISIONS_MAX:
        found.append(f"revision: there are {REVISIONS_MAX:,} revisions of this rule already")
    if known and rule.from_ms < known[-1].from_ms:
        found.append("from_ms: a rule that was made later begins later than the one before it")
    if found:
        raise ProgrammeError(found)
    return msgspec.structs.replace(rule, revision=len(known) + 1)


def rules(connection: Connection, wanted: Iterable[tuple[int, str]]) -> dict[tuple[int, str], list[EarnRule]]:
    """All revisions of the rules of these programmes at these sites, oldest first."""
    found: dict[tuple[int, str], list[EarnRule]] = {}
    for programme, site, body in bulk.look_up(connection, _RULES_SELECT, _RULES_JOIN, sorted(set(wanted))):
        found.setdefault((programme, site), []).append(decode(bytes(body), EarnRule))
    for revisions in found.values():
        revisions.sort(key=lambda rule: rule.revision)
    return found


def changes(connection: Connection, site: str) -> Iterator[PutProgramme | PutRule]:
    """All that a lane of `site` is told: every programme, and the shop's own rules, oldest first."""
    for programme in listed(connection):
        yield PutProgramme(programme)
    query = select(earn_rules.c.body).where(earn_rules.c.site == site)
    for body in connection.execute(query.order_by(earn_rules.c.programme, earn_rules.c.revision)).scalars():
        yield PutRule(decode(bytes(body), EarnRule))


def all_rules(connection: Connection) -> dict[tuple[int, str], list[EarnRule]]:
    """Those of all programmes and sites."""
    pairs = connection.execute(select(earn_rules.c.programme, earn_rules.c.site).distinct()).all()
    return rules(connection, [(row.programme, row.site) for row in pairs])
