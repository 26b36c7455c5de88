"""Who and what the centre knows, as an operator lists it: people, sites with their units, providers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlalchemy import Connection, func, select, tuple_

from central.conflicts import ConflictState
from central.db.schema import campaigns, conflicts, dead_letters, devices, persons, redemptions, sites

SITES_MAX: Final = 1_000
PROVIDERS_MAX: Final = 1_000


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    people: int
    campaigns: int
    downloads: int
    redemptions: int
    waiting: int  # conflicts that wait for a person, or for money
    waiting_yen: int
    letters: int  # that nobody has settled


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A person, for an operator."""

    id: int
    name: str
    holder: int
    created_ms: int
    erased_ms: int | None


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    state: str
    awaits: bool
    enrolled_ms: int


class Site(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    title: str
    units: list[Unit]


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    campaigns: int
    given_out: int
    redeemed: int


def counts(connection: Connection) -> Counts:
    def number_of(query: object) -> int:
        return int(connection.execute(query).scalar_one())  # type: ignore[call-overload]

    waits = conflicts.c.state == ConflictState.WAITS.value
    waiting, waiting_yen = connection.execute(
        select(func.count(), func.coalesce(func.sum(conflicts.c.amount_yen), 0)).where(waits)
    ).one()
    return Counts(
        people=number_of(select(func.count()).where(persons.c.erased_ms.is_(None))),
        campaigns=number_of(select(func.count()).select_from(campaigns)),
        downloads=number_of(select(func.coalesce(func.sum(campaigns.c.given_out), 0))),
        redemptions=number_of(select(func.coalesce(func.sum(campaigns.c.redeemed), 0))),
        waiting=waiting,
        waiting_yen=int(waiting_yen),
        letters=number_of(select(func.count()).where(dead_letters.c.resolved_ms.is_(None))),
    )


_ENTRY: Final = select(persons.c.id, persons.c.name, persons.c.holder, persons.c.created_ms, persons.c.erased_ms)


def people(connection: Connection, beginning: str, limit: int) -> list[Entry]:
    """People whose name begins so, by name; those that were erased have none."""
    query = _ENTRY.where(persons.c.name.startswith(beginning, autoescape=True), persons.c.erased_ms.is_(None))
    return [Entry(**row._asdict()) for row in connection.execute(query.order_by(persons.c.name).limit(limit))]


def person(connection: Connection, number: int) -> Entry | None:
    row = connection.execute(_ENTRY.where(persons.c.id == number)).one_or_none()
    return None if row is None else Entry(**row._asdict())


def sites_with_units(connection: Connection) -> list[Site]:
    rows = connection.execute(
        select(sites.c.name.label("site"), sites.c.title, devices.c.name, devices.c.state, devices.c.awaits,
               devices.c.enrolled_ms)
        .select_from(sites.outerjoin(devices))
        .order_by(sites.c.id, devices.c.name)
        .limit(SITES_MAX)
    )  # fmt: skip
    found: dict[str, Site] = {}
    for row in rows:
        site = found.setdefault(row.site, Site(name=row.site, title=row.title, units=[]))
        if row.name is not None:
            site.units.append(Unit(name=row.name, state=row.state, awaits=row.awaits, enrolled_ms=row.enrolled_ms))
    return list(found.values())


def providers(connection: Connection) -> list[Provider]:
    rows = connection.execute(
        select(
            campaigns.c.provider,
            func.count().label("campaigns"),
            func.sum(campaigns.c.given_out).label("given_out"),
            func.sum(campaigns.c.redeemed).label("redeemed"),
        )
        .group_by(campaigns.c.provider)
        .order_by(campaigns.c.provider)
        .limit(PROVIDERS_MAX)
    )
    return [
        Provider(name=row.provider, campaigns=row.campaigns, given_out=int(row.given_out), redeemed=int(row.redeemed))
        for row in rows
    ]


def places_of(connection: Connection, facts: Iterable[tuple[int, int]]) -> dict[tuple[int, int], tuple[str, int]]:
    """(site, when) of redemptions, by (epoch, number) of their facts; those that are not there are left out."""
    wanted = [fact for fact in facts if fact[0]]
    if not wanted:
        return {}
    rows = connection.execute(
        select(redemptions.c.epoch_id, redemptions.c.seq, redemptions.c.site, redemptions.c.at_ms).where(
            tuple_(redemptions.c.epoch_id, redemptions.c.seq).in_(wanted)
        )
    )
    return {(row.epoch_id, row.seq): (row.site, row.at_ms) for row in rows}
