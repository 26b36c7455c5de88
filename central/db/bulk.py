"""The hot path of ingest: many rows at once, and plain SQL without the expression compiler's cost for each batch.

Statements are written with `?` for their values, which become the marks of the driver at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, CursorResult, Table

LOOKUP_KEYS: Final = 250  # keys of one look-up at most
LOOKUP_SIZES: Final = (1, 4, 16, 64, LOOKUP_KEYS)  # the last key is repeated to fill up: few statements, all prepared


@cache
def _driver_sql(sql: str, paramstyle: str) -> str:
    return sql if paramstyle == "qmark" else sql.replace("?", "%s")


def run(connection: Connection, sql: str, values: tuple[Any, ...] = ()) -> CursorResult[Any]:
    """Executes one statement of ours."""
    return connection.exec_driver_sql(_driver_sql(sql, connection.dialect.paramstyle), values)


def run_many(connection: Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Executes one statement of ours for each of `rows`."""
    if rows:
        connection.exec_driver_sql(_driver_sql(sql, connection.dialect.paramstyle), list(rows))


def among(count: int) -> str:
    """The right side of an IN with so many values."""
    return "(" + ", ".join("?" * count) + ")"


@cache
def _marks(paramstyle: str, count: int) -> str:
    mark = "?" if paramstyle == "qmark" else "%s"
    return "(" + ", ".join([mark] * count) + ")"


@cache
def _insert(table: Table, columns: tuple[str, ...], paramstyle: str) -> str:
    named = ", ".join(columns)
    return f"INSERT INTO {table.name} ({named}) VALUES {_marks(paramstyle, len(columns))}"  # noqa: S608


def insert_rows(connection: Connection, table: Table, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Inserts `rows`, each in the order of `columns`, as the driver takes them: values are not converted."""
    if rows:
        connection.exec_driver_sql(_insert(table, columns, connection.dialect.paramstyle), rows)


@cache
def _lookup(select: str, join: str, width: int, size: int, paramstyle: str) -> str:
    names = ", ".join(f"k{number}" for number in range(width))
    values = ", ".join([_marks(paramstyle, width)] * size)
    return f"WITH wanted({names}) AS (VALUES {values}) SELECT DISTINCT {select} FROM wanted CROSS JOIN {join}"  # noqa: S608


def look_up(connection: Connection, select: str, join: str, keys: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
    """The rows for `keys`: `join` is SQL that joins tables to the keys `wanted(k0, k1 ...)`, by WHERE.

    CROSS JOIN keeps SQLite from turning the join around: one search of the index for each key.
    """
    for start in range(0, len(keys), LOOKUP_KEYS):
        part = list(keys[start : start + LOOKUP_KEYS])
        size = next(size for size in LOOKUP_SIZES if len(part) <= size)
        part += [part[-1]] * (size - len(part))
        statement = _lookup(select, join, len(part[0]), size, connection.dialect.paramstyle)
        yield from connection.exec_driver_sql(statement, tuple(_flat(part))).all()  # one by one costs twice as much


def _flat(keys: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
    for key in keys:
        yield from key
