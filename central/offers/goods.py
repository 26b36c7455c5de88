"""What goods are called and of which kind they are: a list by GTIN that the operator enters from a file.

The file is CSV in UTF-8 with the columns gtin, name, category; a line whose GTIN is known replaces what was said of it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, delete, func, select

from central.db import bulk
from central.db.schema import goods
from loyalty import check_digit
from loyalty.cells import printable

GOODS_MAX: Final = 1_000_000
NAME_CHARS_MAX: Final = 60
CATEGORY_CHARS_MAX: Final = 40
CATEGORIES_MAX: Final = 1_000
AT_ONCE: Final = 500
GTIN_DIGITS: Final = (8, 12, 13, 14)


class GoodsError(Exception):
    """A list of goods can't be read; the message says where and why."""


class Goods(msgspec.Struct, frozen=True, kw_only=True):
    """One article."""

    gtin: int
    name: str
    category: str = ""


def read(lines: Iterable[str]) -> Iterator[Goods]:
    """The goods of a CSV file. Raises GoodsError."""
    rows = csv.DictReader(lines, strict=True)
    try:
        if not {"gtin", "name"} <= set(rows.fieldnames or ()):
            raise GoodsError("line 1: the columns are gtin, name, category")
        for row in rows:
            try:
                yield _one(row)
            except ValueError as error:
                raise GoodsError(f"line {rows.line_num}: {error}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise GoodsError(f"line {rows.line_num}: {error}") from error


def _one(row: dict[str, str | None]) -> Goods:
    name, category = printable(row.get("name") or ""), printable(row.get("category") or "")
    if not 0 < len(name) <= NAME_CHARS_MAX or len(category) > CATEGORY_CHARS_MAX:
        raise ValueError(f"a name has 1 to {NAME_CHARS_MAX} characters, a category at most {CATEGORY_CHARS_MAX}")
    return Goods(gtin=gtin(row.get("gtin") or ""), name=name, category=category)


def gtin(text: str) -> int:
    """The number of goods whose code has these digits. Raises ValueError."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) in GTIN_DIGITS and check_digit.fits(digits)):
        raise ValueError(f"{digits[:20]!r} is no GTIN: 8, 12, 13 or 14 digits, of which the last fits the others")
    return int(digits)


def put(connection: Connection, goods_of_shops: Sequence[Goods]) -> None:
    """Enters goods, or says anew what they are. Raises GoodsError where there is no room for so many."""
    said = {one.gtin: one for one in goods_of_shops}
    numbers = list(said)
    for start in range(0, len(numbers), AT_ONCE):
        part = numbers[start : start + AT_ONCE]
        connection.execute(delete(goods).where(goods.c.gtin.in_(part)))
        rows = [(number, said[number].name, said[number].category) for number in part]
        bulk.insert_rows(connection, goods, ("gtin", "name", "category"), rows)
    if count(connection) > GOODS_MAX:
        raise GoodsError(f"there is room for {GOODS_MAX:,} articles")


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(goods)).scalar_one()


def categories(connection: Connection) -> list[str]:
    """All kinds of goods there are, by name."""
    rows = select(goods.c.category).where(goods.c.category != "").distinct().order_by(goods.c.category)
    return list(connection.execute(rows.limit(CATEGORIES_MAX)).scalars())
