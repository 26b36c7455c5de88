"""One run: offers for every customer in turn (M9), each person at most once for each period.

    COUNT   who bought what, and what together: people in steps          -> goods_people, goods_pairs
    RANK    what goes with what: goods in steps                          -> goods_alike
    PICK    the offers of each person, and their mail: people in steps   -> offer_picks, mails
    SWEEP   what is needed no more                                       -> DONE

A step is one transaction with the cursor that it moves, so a run that is killed goes on where it stood: nothing is
lost, nobody gets two. It reads what was bought, and offered, up to the instant at which it began. Two at once on one
run take turns, step by step. A step's cost does not grow with the purchases there are, only with the people in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec
from sqlalchemy import Connection, Select, delete, insert, select, update

from central.db import bulk, locks
from central.db.database import Database
from central.db.schema import (
    bargains,
    coupons,
    mail_addresses,
    mails,
    offer_declines,
    offer_picks,
    offer_runs,
    sites,
)
from central.offers import alike, taste
from central.offers.bargains import About, Bargain, Kind
from central.offers.outbox import Kind as MailKind
from central.offers.outbox import post
from central.offers.picker import Person, Shelf, pick

# Small, for on SQLite nobody else writes while a step does.
COUNTED_PER_STEP: Final = 5  # people, each with some thousand pairs at most
RANKED_PER_STEP: Final = 50  # goods
PICKED_PER_STEP: Final = 10  # people
SWEPT_PER_STEP: Final = 50  # goods
SHELF_MAX: Final = 20_000  # bargains that hold at one time, the soonest to end first
PERIOD_CHARS_MAX: Final = 40
RUNS_KEPT: Final = 500  # a weekly run for some nine years
_LOCK: Final = "offers"


class Stage(StrEnum):
    """Where a run stands. Stored; never renamed."""

    COUNT = "count"
    RANK = "rank"
    PICK = "pick"
    SWEEP = "sweep"
    DONE = "done"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it stands."""

    id: int
    period: str
    as_of_ms: int
    stage: Stage
    cursor: int
    people: int
    picked: int
    finished_ms: int | None


class RunError(ValueError):
    """A run can't begin; the message says why."""


def begin(database: Database, period: str, now_ms: int) -> Run:
    """The run of this period: a new one, the one that was cut off, or the one that is done. Raises RunError."""
    if not 0 < len(period) <= PERIOD_CHARS_MAX or not period.isprintable():
        raise RunError(f"a period is named by 1 to {PERIOD_CHARS_MAX} characters, such as 2026-W48")
    with database.write() as connection:
        known = of_period(connection, period)
        if known is not None:
            return known
        other = connection.execute(select(offer_runs.c.period).where(offer_runs.c.stage != Stage.DONE.value)).scalar()
        if other is not None:
            raise RunError(f"the run of {other} is not done: finish it first (--period {other})")
        connection.execute(
            insert(offer_runs).values(
                period=period, as_of_ms=now_ms, stage=Stage.COUNT.value, cursor=0, people=0, picked=0, changed_ms=now_ms
            )
        )
        _forget_oldest(connection)
        begun = of_period(connection, period)
    assert begun is not None
    return begun


def of_period(connection: Connection, period: str) -> Run | None:
    return next(iter(_read(connection, select(offer_runs.c.id).where(offer_runs.c.period == period))), None)


def newest_done(connection: Connection) -> Run | None:
    done = select(offer_runs.c.id).where(offer_runs.c.stage == Stage.DONE.value)
    return next(iter(_read(connection, done.order_by(offer_runs.c.id.desc()).limit(1))), None)


def listed(connection: Connection, limit: int) -> list[Run]:
    """The newest first."""
    return _read(connection, select(offer_runs.c.id).order_by(offer_runs.c.id.desc()).limit(limit))


def _read(connection: Connection, which: Select[tuple[int]]) -> list[Run]:
    columns = [offer_runs.c[name] for name in Run.__struct_fields__]
    rows = connection.execute(select(*columns).where(offer_runs.c.id.in_(which)).order_by(offer_runs.c.id.desc()))
    return [Run(**{**row._asdict(), "stage": Stage(row.stage)}) for row in rows]


def step(database: Database, secret: bytes, period: str, now_ms: int) -> Run:
    """One step of this run; a run that is done stays so. Raises StorageError: nothing of the step was kept."""
    return database.unit(lambda connection: _step(connection, secret, period, now_ms))


def _step(connection: Connection, secret: bytes, period: str, now_ms: int) -> Run:
    locks.hold(connection, [locks.pot(_LOCK, 0, 0)])
    run = of_period(connection, period)
    assert run is not None, "a run begins before its steps"
    if run.stage is Stage.DONE:
        return run
    after = _STEPS[run.stage](connection, secret, run, now_ms)
    changed = {name: getattr(after, name) for name in ("cursor", "people", "picked")}
    connection.execute(
        update(offer_runs)
        .where(offer_runs.c.id == run.id)
        .values(stage=after.stage.value, changed_ms=now_ms, finished_ms=after.finished_ms, **changed)
    )
    return after


def _count(connection: Connection, _secret: bytes, run: Run, _now_ms: int) -> Run:
    people = taste.next_people(connection, run.cursor, COUNTED_PER_STEP)
    if not people:
        return msgspec.structs.replace(run, stage=Stage.RANK, cursor=0)
    alike.count(connection, run.id, people, run.as_of_ms)
    return msgspec.structs.replace(run, cursor=people[-1])


def _rank(connection: Connection, _secret: bytes, run: Run, _now_ms: int) -> Run:
    last = alike.rank(connection, run.id, run.cursor, RANKED_PER_STEP)
    if last is None:
        return msgspec.structs.replace(run, stage=Stage.PICK, cursor=0)
    return msgspec.structs.replace(run, cursor=last)


def _pick(connection: Connection, secret: bytes, run: Run, now_ms: int) -> Run:
    people = taste.next_people(connection, run.cursor, PICKED_PER_STEP)
    if not people:
        return msgspec.structs.replace(run, stage=Stage.SWEEP, cursor=0)
    persons = _persons(connection, run, people)
    own = {one.gtin for person in persons.values() for one in person.tastes}
    pairs = alike.of(connection, run.id, sorted(own))
    categories = _categories(connection, own | {each.gtin for many in pairs.values() for each in many})
    shelf = Shelf(_holding(connection, run.as_of_ms))
    rows = [
        (run.id, number, place, chosen.bargain, chosen.why.value, chosen.gtin, chosen.site)
        for number, person in persons.items()
        for place, chosen in enumerate(pick(person, shelf, pairs, categories), 1)
    ]
    bulk.insert_rows(
        connection, offer_picks, ("run_id", "person_id", "rank", "bargain_id", "why", "gtin", "site"), rows
    )
    picked = sorted({row[1] for row in rows})
    _post(connection, secret, run, picked, now_ms)
    return msgspec.structs.replace(
        run, cursor=people[-1], people=run.people + len(people), picked=run.picked + len(picked)
    )


def _sweep(connection: Connection, _secret: bytes, run: Run, now_ms: int) -> Run:
    if alike.sweep(connection, run.id, SWEPT_PER_STEP):
        return run
    return msgspec.structs.replace(run, stage=Stage.DONE, finished_ms=now_ms)


_STEPS: Final = {Stage.COUNT: _count, Stage.RANK: _rank, Stage.PICK: _pick, Stage.SWEEP: _sweep}


# --- what a step of picking reads, for all its people at once ------------------------------------------------


def _persons(connection: Connection, run: Run, people: list[int]) -> dict[int, Person]:
    tastes, visits = taste.of(connection, people, run.as_of_ms), taste.visits(connection, people, run.as_of_ms)
    left_out: dict[int, set[int]] = {number: set() for number in people}
    has: dict[int, set[int]] = {number: set() for number in people}
    told = select(offer_picks.c.person_id, offer_picks.c.bargain_id).where(offer_picks.c.person_id.in_(people))
    declined = select(offer_declines.c.person_id, offer_declines.c.bargain_id).where(
        offer_declines.c.person_id.in_(people)
    )
    for query in (told, declined):
        for number, bargain in connection.execute(query):
            left_out[number].add(bargain)
    held = select(coupons.c.person_id, coupons.c.campaign).where(coupons.c.person_id.in_(people)).distinct()
    for number, campaign in connection.execute(held):
        has[number].add(campaign)
    return {
        number: Person(
            tastes=tastes[number],
            visits=visits[number],
            bargains_left_out=left_out[number],
            campaigns_left_out=has[number],
        )
        for number in people
    }


def _categories(connection: Connection, numbers: set[int]) -> dict[int, str]:
    keys = [(number,) for number in sorted(numbers)]
    return dict(bulk.look_up(connection, "g.gtin, g.category", "goods g WHERE g.gtin = wanted.k0", keys))


def _holding(connection: Connection, as_of_ms: int) -> list[Bargain]:
    rows = connection.execute(
        select(bargains, sites.c.name)
        .join_from(bargains, sites, sites.c.id == bargains.c.site_id)
        .where(bargains.c.until_ms > as_of_ms, bargains.c.from_ms <= as_of_ms, bargains.c.ended_ms.is_(None))
        .order_by(bargains.c.until_ms, bargains.c.id)
        .limit(SHELF_MAX)
    )
    return [
        Bargain(
            id=row.id, site=row.name, shop="", kind=Kind(row.kind), title="", body="", about=About(row.about),
            goods=row.goods, goods_name="", campaign=row.campaign, from_ms=row.from_ms, until_ms=row.until_ms,
            ended_ms=row.ended_ms,
        )
        for row in rows
    ]  # fmt: skip


def _post(connection: Connection, secret: bytes, run: Run, people: Sequence[int], now_ms: int) -> None:
    """A mail for each of them who confirmed an address; its name follows from run and person, so there is but one."""
    confirmed = select(mail_addresses.c.person_id).where(
        mail_addresses.c.person_id.in_(people), mail_addresses.c.confirmed_ms.is_not(None)
    )
    for number in connection.execute(confirmed.order_by(mail_addresses.c.person_id)).scalars().all():
        post(connection, mail_name(secret, run.period, number), MailKind.OFFERS, number, now_ms, run_id=run.id)


def mail_name(secret: bytes, period: str, person_id: int) -> bytes:
    """16 bytes, the same for the same run and person; they tell neither."""
    return hashlib.blake2b(f"{period} {person_id}".encode(), key=secret, digest_size=16, person=b"offers mail").digest()


def _forget_oldest(connection: Connection) -> None:
    """Runs beyond RUNS_KEPT go, with what they picked."""
    newest = select(offer_runs.c.id).order_by(offer_runs.c.id.desc()).offset(RUNS_KEPT).limit(1)
    oldest = connection.execute(newest).scalar()
    if oldest is None:
        return
    connection.execute(delete(mails).where(mails.c.run_id <= oldest))
    connection.execute(delete(offer_picks).where(offer_picks.c.run_id <= oldest))
    connection.execute(delete(offer_runs).where(offer_runs.c.id <= oldest))
