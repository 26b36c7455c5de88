"""What a unit of work decides about, held until it ends (`Database.unit`).

A unit that runs beside others takes, before it reads what it decides by, each thing that it decides about: the unit
that speaks, the campaigns, the limits. Two that touch one thing wait for each other; others do not. All are taken in
one order, devices first, so that no two wait for each other for ever. On SQLite, and in a transaction that is alone
anyway, there is nothing to take.

A lock is a number of 64 bits: two things may share one and wait for each other for nothing, which harms nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from sqlalchemy import Connection

from central.db import postgresql

HELD_MAX: Final = 100  # of one unit: the server has room for some thousands in all (`max_locks_per_transaction`)
NUMBERS_MAX: Final = 10_000  # kept ready
Thing = tuple[int, str]  # its rank in the order, and its name
_DEVICE, _CAMPAIGN, _POT = 1, 2, 3
_HOLD: Final = "SELECT pg_advisory_xact_lock(k) FROM unnest(%s::int8[]) AS k"


def device(name: str) -> Thing:
    """A unit: its epochs, facts, boots, parts, questions and hints."""
    return (_DEVICE, name)


def campaign(number: int) -> Thing:
    """A campaign: its stock, its serials, who used them, its limits and questions."""
    return (_CAMPAIGN, str(number))


def pot(kind: str, number: int, holder: int) -> Thing:
    """A limit that is no campaign's."""
    return (_POT, f"{kind} {number} {holder}")


def hold(connection: Connection, things: Iterable[Thing]) -> None:
    """Waits until all of `things` are this transaction's, and holds them to its end. Once for each rank, in order."""
    if connection.get_execution_options().get(postgresql.HOLDS) != postgresql.BESIDE:
        return
    wanted = sorted(set(things))
    if len(wanted) > HELD_MAX:
        raise ValueError(f"{len(wanted)} things are too many to hold: do it alone")
    if wanted:
        connection.exec_driver_sql(_HOLD, ([_number(thing) for thing in wanted],))


@lru_cache(NUMBERS_MAX)
def _number(thing: Thing) -> int:
    rank, name = thing
    digest = blake2b(f"{rank} {name}".encode(), digest_size=8, person=b"tokuten lock").digest()
    return int.from_bytes(digest, "big", signed=True)
