"""Which goods go together: item to item, by how many people bought both (Linden, Smith, York 2003, 'Amazon.com
recommendations: item-to-item collaborative filtering').

The cosine of two goods is the people who bought both over the root of the product of those who bought each, in
millionths, rounded down. A pair counts only if PEOPLE_MIN people bought both: chance makes no pair, and no pair tells
what one person bought. Of the goods that go with one, the GOODS_ALIKE_MAX with the largest cosine are kept.

The tables belong to one run, are made in steps, and are gone when it is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import isqrt
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, bindparam, delete, select, text

from central.db import bulk
from central.db.schema import goods_alike, goods_pairs, goods_people
from central.offers.picker import ONE_PPM, Alike
from central.offers.taste import GOODS_MAX, PURCHASES_MAX, TASTES

PEOPLE_MIN: Final = 3
GOODS_ALIKE_MAX: Final = 20
_PEOPLE: Final[BindParameter[Any]] = bindparam("people", expanding=True)
_COUNT_PEOPLE: Final = text(
    f"WITH {TASTES} INSERT INTO goods_people (run_id, gtin, people)"  # noqa: S608
    " SELECT :run, gtin, count(*) FROM tastes WHERE true GROUP BY gtin ORDER BY gtin"
    " ON CONFLICT (run_id, gtin) DO UPDATE SET people = goods_people.people + excluded.people"
).bindparams(_PEOPLE)
_COUNT_PAIRS: Final = text(
    f"WITH {TASTES} INSERT INTO goods_pairs (run_id, gtin, other, people)"  # noqa: S608
    " SELECT :run, one.gtin, other.gtin, count(*) FROM tastes one JOIN tastes other ON other.id = one.id"
    " WHERE other.gtin <> one.gtin GROUP BY one.gtin, other.gtin ORDER BY one.gtin, other.gtin"
    " ON CONFLICT (run_id, gtin, other) DO UPDATE SET people = goods_pairs.people + excluded.people"
).bindparams(_PEOPLE)


def cosine_ppm(both: int, one: int, other: int) -> int:
    """In integers, so that every machine gives the same."""
    return min(isqrt(both * both * ONE_PPM * ONE_PPM // (one * other)), ONE_PPM)


def count(connection: Connection, run_id: int, people: list[int], as_of_ms: int) -> None:
    """Adds what these people bought to the counts of this run."""
    values = {
        "run": run_id, "people": people, "as_of": as_of_ms, "purchases": PURCHASES_MAX, "goods": GOODS_MAX,
    }  # fmt: skip
    connection.execute(_COUNT_PEOPLE, values)
    connection.execute(_COUNT_PAIRS, values)


def rank(connection: Connection, run_id: int, after: int, most: int) -> int | None:
    """Ranks what goes with the next goods; gives the last of them, or None: all are done."""
    rows = select(goods_people.c.gtin).where(goods_people.c.run_id == run_id, goods_people.c.gtin > after)
    numbers: list[int] = list(connection.execute(rows.order_by(goods_people.c.gtin).limit(most)).scalars())
    if not numbers:
        return None
    one, other = goods_people.alias(), goods_people.alias()
    same_run = goods_pairs.c.run_id == run_id
    pairs = connection.execute(
        select(goods_pairs.c.gtin, goods_pairs.c.other, goods_pairs.c.people, one.c.people, other.c.people)
        .join_from(goods_pairs, one, (one.c.run_id == run_id) & (one.c.gtin == goods_pairs.c.gtin))
        .join(other, (other.c.run_id == run_id) & (other.c.gtin == goods_pairs.c.other))
        .where(same_run, goods_pairs.c.gtin > after, goods_pairs.c.gtin <= numbers[-1])
        .where(goods_pairs.c.people >= PEOPLE_MIN)
        .order_by(goods_pairs.c.gtin)
    )
    ranked = []
    for gtin, group in groupby(pairs, key=lambda row: int(row[0])):
        found = [Alike(other_gtin, cosine_ppm(both, each, its)) for _, other_gtin, both, each, its in group]
        best = sorted(found, key=lambda each: (-each.cosine_ppm, each.gtin))[:GOODS_ALIKE_MAX]
        ranked += [(run_id, gtin, place, each.gtin, each.cosine_ppm) for place, each in enumerate(best, 1)]
    bulk.insert_rows(connection, goods_alike, ("run_id", "gtin", "rank", "other", "cosine_ppm"), ranked)
    return numbers[-1]


_ALIKE_SELECT: Final = "a.gtin, a.rank, a.other, a.cosine_ppm"
_ALIKE_JOIN: Final = "goods_alike a WHERE a.run_id = wanted.k0 AND a.gtin = wanted.k1"


def of(connection: Connection, run_id: int, numbers: Sequence[int]) -> dict[int, list[Alike]]:
    """What goes with each of these goods, best first."""
    found: dict[int, list[Alike]] = {}
    keys = [(run_id, number) for number in numbers]
    for gtin, _, other, ppm in sorted(tuple(row) for row in bulk.look_up(connection, _ALIKE_SELECT, _ALIKE_JOIN, keys)):
        found.setdefault(gtin, []).append(Alike(other, ppm))
    return found


def sweep(connection: Connection, run_id: int, most: int) -> bool:
    """Deletes what a run that is done needs no more, some goods at a time; False: nothing was left."""
    rows = select(goods_people.c.gtin).where(goods_people.c.run_id == run_id).order_by(goods_people.c.gtin).limit(most)
    numbers = list(connection.execute(rows).scalars())
    if not numbers:
        return False
    for table in (goods_pairs, goods_alike, goods_people):
        connection.execute(delete(table).where(table.c.run_id == run_id, table.c.gtin <= numbers[-1]))
    return True
