"""What was bought: facts of units become purchases with their goods (M3), each exactly once by its sale's id.

A sale that is told again (under another epoch, by a till that asked twice) changes nothing. Another sale under an id
that was used before is kept under an id made of both, for what happened is a fact. Booking a batch costs three
statements, whatever its length.

Purchases are kept for a stated time (`[central.offers] purchases_kept_days`). They name a person by the pseudonym, so
whoever is erased leads to none of them.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, select, update

from central.db import bulk
from central.db.schema import NUL, goods, purchase_lines, purchases
from wire.facts import SALE_LINES_MAX, Bought

SALE_BYTES: Final = 16
GTIN_MAX: Final = 10**14 - 1
HOLDER_MAX: Final = 2**48 - 1
NUMBER_MAX: Final = 2**53
SITE_CHARS_MAX: Final = 64
FORGOTTEN_PER_STEP: Final = 500  # purchases
_COLUMNS: Final = ("sale", "told", "holder", "site", "at_ms", "total_yen", "booked_ms")
_LINE_COLUMNS: Final = ("sale", "number", "gtin", "quantity", "yen")
_KNOWN_SELECT: Final = "p.sale, p.told"
_KNOWN_JOIN: Final = "purchases p WHERE p.sale = wanted.k0"


class Told(NamedTuple):
    """A purchase as a unit told it."""

    fact: Bought
    at_ms: int  # corrected by the centre


def unbookable(fact: Bought) -> str:
    """Why a well-formed fact makes no sense; empty: it can be booked."""
    if len(fact.sale) != SALE_BYTES:
        return f"a sale's id has {SALE_BYTES} bytes"
    if not 0 <= fact.holder <= HOLDER_MAX:
        return f"holder {fact.holder} can't be"
    if not 0 < len(fact.site) <= SITE_CHARS_MAX or NUL in fact.site:
        return "it names no site"
    if len(fact.lines) > SALE_LINES_MAX or not 0 <= fact.total_yen <= NUMBER_MAX:
        return "its total or its lines can't be"
    for line in fact.lines:
        fine = 0 <= line.gtin <= GTIN_MAX and 0 <= line.quantity <= NUMBER_MAX and abs(line.yen) <= NUMBER_MAX
        if not fine:
            return "goods in it can't be"
    return ""


def book(connection: Connection, told: list[Told], now_ms: int) -> None:
    """Books the purchases of one batch, in the batch's transaction."""
    if not told:
        return
    names = [(name,) for one in told for name in (one.fact.sale, _other_name(one.fact))]
    known = {bytes(sale): bytes(digest) for sale, digest in bulk.look_up(connection, _KNOWN_SELECT, _KNOWN_JOIN, names)}
    rows: list[tuple[Any, ...]] = []
    lines: list[tuple[Any, ...]] = []
    for one in told:
        digest, fact = _digest(one.fact), one.fact
        sale = fact.sale if known.get(fact.sale, digest) == digest else _other_name(fact)
        if sale in known:
            continue  # told before
        known[sale] = digest
        at_ms = min(max(one.at_ms, 0), now_ms)
        rows.append((sale, digest, fact.holder, fact.site, at_ms, fact.total_yen, now_ms))
        lines += [(sale, number, line.gtin, line.quantity, line.yen) for number, line in enumerate(fact.lines, 1)]
    bulk.insert_rows(connection, purchases, _COLUMNS, rows)
    bulk.insert_rows(connection, purchase_lines, _LINE_COLUMNS, lines)


def _digest(fact: Bought) -> bytes:
    """Of what was bought: a till that tells a sale again does so at another time."""
    what = (fact.sale, fact.holder, fact.site, fact.total_yen, fact.lines)
    return hashlib.blake2b(msgspec.msgpack.encode(what), digest_size=16).digest()


def _other_name(fact: Bought) -> bytes:
    return hashlib.blake2b(fact.sale + _digest(fact), digest_size=SALE_BYTES).digest()


def take_back(connection: Connection, sale: bytes, now_ms: int) -> None:
    """All of this sale was taken back: it stays in the history as such, and offers are picked from it no more."""
    here = (purchases.c.sale == sale) & purchases.c.returned_ms.is_(None)
    connection.execute(update(purchases).where(here).values(returned_ms=now_ms))


# --- reading -------------------------------------------------------------------------------------------------


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Goods of a purchase. `name`: as the list of goods has it; empty: it is not in there."""

    gtin: int
    name: str
    quantity: int
    yen: int


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """When, where, how much, and what."""

    sale: bytes
    holder: int
    site: str
    at_ms: int
    total_yen: int
    returned: bool  # all of it was taken back
    lines: list[Line]


def of_holder(connection: Connection, holder: int, limit: int, before_ms: int = NUMBER_MAX) -> list[Purchase]:
    """A person's, the newest first; nobody's are nobody's."""
    if not holder:
        return []
    mine = (purchases.c.holder == holder) & (purchases.c.holder != 0) & (purchases.c.at_ms < before_ms)
    return _read(connection, mine, limit)


def of_site(connection: Connection, site: str, limit: int, before_ms: int = NUMBER_MAX) -> list[Purchase]:
    """A shop's own, the newest first."""
    return _read(connection, (purchases.c.site == site) & (purchases.c.at_ms < before_ms), limit)


def _read(connection: Connection, where: Any, limit: int) -> list[Purchase]:
    columns = (
        purchases.c.sale, purchases.c.holder, purchases.c.site, purchases.c.at_ms, purchases.c.total_yen,
        purchases.c.returned_ms,
    )  # fmt: skip
    newest_first = (purchases.c.at_ms.desc(), purchases.c.sale)
    shown = select(*columns).where(where).order_by(*newest_first).limit(limit)
    rows = connection.execute(shown).all()
    ids = shown.with_only_columns(purchases.c.sale).subquery()
    lines: dict[bytes, list[Line]] = {}
    if rows:
        found = connection.execute(
            select(purchase_lines, goods.c.name)
            .join_from(ids, purchase_lines, purchase_lines.c.sale == ids.c.sale)
            .outerjoin(goods, goods.c.gtin == purchase_lines.c.gtin)
            .order_by(purchase_lines.c.sale, purchase_lines.c.number)
        )
        for row in found:
            line = Line(gtin=row.gtin, name=row.name or "", quantity=row.quantity, yen=row.yen)
            lines.setdefault(row.sale, []).append(line)
    return [
        Purchase(
            sale=row.sale,
            holder=row.holder,
            site=row.site,
            at_ms=row.at_ms,
            total_yen=row.total_yen,
            returned=row.returned_ms is not None,
            lines=lines.get(row.sale, []),
        )
        for row in rows
    ]


def forget_old(connection: Connection, before_ms: int, most: int = FORGOTTEN_PER_STEP) -> int:
    """Deletes purchases from before then, so many at a time; gives how many."""
    old = connection.execute(
        select(purchases.c.sale).where(purchases.c.at_ms < before_ms).order_by(purchases.c.at_ms).limit(most)
    )
    sales = list(old.scalars())
    connection.execute(delete(purchase_lines).where(purchase_lines.c.sale.in_(sales)))
    connection.execute(delete(purchases).where(purchases.c.sale.in_(sales)))
    return len(sales)
