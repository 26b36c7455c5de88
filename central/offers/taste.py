"""What people bought, as far as offers are picked from it: the goods of their last purchases.

Of each person the last PURCHASES_MAX purchases count, and of the goods in them the GOODS_MAX bought last, so that one
person costs the same whatever they bought in all. Only who agreed to offers (`central.consent`) is looked at; a shop's
sales to nobody in particular are in none of it. Plain SQL, the same on both databases.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BindParameter, Connection, bindparam, exists, select, text

from central.consent import Purpose
from central.db.schema import consents, persons
from central.offers.picker import Taste

PURCHASES_MAX: Final = 100
GOODS_MAX: Final = 50

RECENT: Final = """
people AS (
    SELECT id, holder FROM persons WHERE id IN :people
),
recent AS (
    SELECT id, sale, site, at_ms FROM (
        SELECT people.id, p.sale, p.site, p.at_ms,
               row_number() OVER (PARTITION BY people.id ORDER BY p.at_ms DESC, p.sale) AS n
        FROM people JOIN purchases p ON p.holder = people.holder
        WHERE p.holder <> 0 AND p.at_ms < :as_of AND p.returned_ms IS NULL
    ) AS numbered WHERE n <= :purchases
)"""
TASTES: Final = f"""{RECENT},
bought AS (
    SELECT DISTINCT recent.id, recent.sale, recent.site, recent.at_ms, l.gtin
    FROM recent JOIN purchase_lines l ON l.sale = recent.sale WHERE l.gtin <> 0 AND l.quantity > 0
),
newest AS (
    SELECT id, gtin, site, at_ms, count(*) OVER (PARTITION BY id, gtin) AS times,
           row_number() OVER (PARTITION BY id, gtin ORDER BY at_ms DESC, sale) AS n
    FROM bought
),
tastes AS (
    SELECT id, gtin, site, at_ms, times FROM (
        SELECT id, gtin, site, at_ms, times,
               row_number() OVER (PARTITION BY id ORDER BY at_ms DESC, gtin) AS place
        FROM newest WHERE n = 1
    ) AS placed WHERE place <= :goods
)"""  # noqa: S608
_PEOPLE: Final[BindParameter[Any]] = bindparam("people", expanding=True)
_READ_TASTES: Final = text(
    f"WITH {TASTES} SELECT id, gtin, site, at_ms, times FROM tastes ORDER BY id, at_ms DESC, gtin"  # noqa: S608
).bindparams(_PEOPLE)
_READ_VISITS: Final = text(
    f"WITH {RECENT} SELECT id, site, count(*) AS visits FROM recent GROUP BY id, site ORDER BY id, site"  # noqa: S608
).bindparams(_PEOPLE)


def next_people(connection: Connection, after: int, most: int) -> list[int]:
    """The next people who agreed to offers, by their numbers."""
    agreed = exists().where(
        consents.c.person_id == persons.c.id,
        consents.c.purpose == Purpose.OFFERS.value,
        consents.c.withdrawn_ms.is_(None),
    )
    rows = select(persons.c.id).where(persons.c.id > after, persons.c.erased_ms.is_(None), agreed)
    return list(connection.execute(rows.order_by(persons.c.id).limit(most)).scalars())


def of(connection: Connection, people: list[int], as_of_ms: int) -> dict[int, list[Taste]]:
    """What each of these people bought, what they bought last first."""
    found: dict[int, list[Taste]] = {number: [] for number in people}
    values = {"people": people, "as_of": as_of_ms, "purchases": PURCHASES_MAX, "goods": GOODS_MAX}
    for number, gtin, site, at_ms, times in connection.execute(_READ_TASTES, values):
        found[number].append(Taste(gtin, site, at_ms, times))
    return found


def visits(connection: Connection, people: list[int], as_of_ms: int) -> dict[int, dict[str, int]]:
    """How many of their last purchases each of these people made in which shop."""
    found: dict[int, dict[str, int]] = {number: {} for number in people}
    values = {"people": people, "as_of": as_of_ms, "purchases": PURCHASES_MAX}
    for number, site, count in connection.execute(_READ_VISITS, values):
        found[number][site] = count
    return found
