"""The hot path of ingest: many rows at once, and plain SQL without the expression compiler's cost for each batch.

Statements are written with `?` for their values, which become the marks of the driver at hand. Many rows go to SQLite
as they are (`executemany`), and to PostgreSQL as one array for each column, which is its fast way in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Boolean, Connection, CursorResult, Integer, LargeBinary, Table, Text

LOOKUP_KEYS: Final = 250  # keys of one look-up on SQLite at most
LOOKUP_SIZES: Final = (1, 4, 16, 64, LOOKUP_KEYS)  # the last key is repeated to fill up: few statements, all prepared
STATEMENTS_MAX: Final = 1_000  # kept ready
_ARRAYS: Final = ((BigInteger, "int8"), (Integer, "int4"), (Text, "text"), (LargeBinary, "bytea"), (Boolean, "bool"))
_KEYS: Final = {int: "int8", str: "text", bytes: "bytea"}
_cached = lru_cache(STATEMENTS_MAX)


@_cached
def _driver_sql(sql: str, paramstyle: str) -> str:
    return sql if paramstyle == "qmark" else sql.replace("%", "%%").replace("?", "%s")


def run(connection: Connection, sql: str, values: tuple[Any, ...] = ()) -> CursorResult[Any]:
    """Executes one statement of ours."""
    return connection.exec_driver_sql(_driver_sql(sql, connection.dialect.paramstyle), values)


def run_many(connection: Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Executes one statement of ours for each of `rows`."""
    if rows:
        connection.exec_driver_sql(_driver_sql(sql, connection.dialect.paramstyle), list(rows))


class Change(NamedTuple):
    """Adds to whole numbers of rows of a table."""

    table: str
    sums: tuple[str, ...]
    keys: tuple[str, ...]

    def apply(self, connection: Connection, rows: Sequence[tuple[int, ...]]) -> None:
        """Each row: what is added to `sums`, then `keys`; no keys twice. A server changes them in any order, so its
        rows must be locked already."""
        if not rows:
            return
        if connection.dialect.name != "postgresql":
            self.one_by_one(connection, rows)
            return
        arrays = tuple(list(values) for values in zip(*rows, strict=True))
        connection.exec_driver_sql(_change_all(self), arrays)

    def one_by_one(self, connection: Connection, rows: Sequence[tuple[int, ...]]) -> None:
        """The same, in the order of `rows`."""
        run_many(connection, _change_one(self), rows)


@_cached
def _change_one(change: Change) -> str:
    sums = ", ".join(f"{name} = {name} + ?" for name in change.sums)
    return f"UPDATE {change.table} SET {sums} WHERE {' AND '.join(f'{name} = ?' for name in change.keys)}"  # noqa: S608


@_cached
def _change_all(change: Change) -> str:
    sums = ", ".join(f"{name} = t.{name} + w.s{number}" for number, name in enumerate(change.sums))
    keys = " AND ".join(f"t.{name} = w.k{number}" for number, name in enumerate(change.keys))
    names = [f"s{number}" for number in range(len(change.sums))] + [f"k{number}" for number in range(len(change.keys))]
    given = f"unnest({', '.join(['%b::int8[]'] * len(names))}) AS w({', '.join(names)})"
    return f"UPDATE {change.table} AS t SET {sums} FROM {given} WHERE {keys}"  # noqa: S608


def among(count: int) -> str:
    """The right side of an IN with so many values."""
    return "(" + ", ".join("?" * count) + ")"


@_cached
def _marks(count: int) -> str:
    return "(" + ", ".join("?" * count) + ")"


@_cached
def _insert(table: Table, columns: tuple[str, ...], arrays: bool) -> str:
    named = ", ".join(columns)
    if not arrays:
        return f"INSERT INTO {table.name} ({named}) VALUES {_marks(len(columns))}"  # noqa: S608
    types = ", ".join(f"%b::{_array_of(table, column)}[]" for column in columns)
    return f"INSERT INTO {table.name} ({named}) SELECT * FROM unnest({types})"  # noqa: S608


def _array_of(table: Table, column: str) -> str:
    kind = table.c[column].type
    return next(name for known, name in _ARRAYS if isinstance(kind, known))


def insert_rows(connection: Connection, table: Table, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Inserts `rows`, each in the order of `columns`, as the driver takes them: values are not converted."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        arrays = tuple(list(values) for values in zip(*rows, strict=True))
        connection.exec_driver_sql(_insert(table, columns, True), arrays)
    else:
        connection.exec_driver_sql(_insert(table, columns, False), rows)


@_cached
def _lookup(select: str, join: str, wanted: str) -> str:
    return f"{wanted} SELECT DISTINCT {select} FROM wanted CROSS JOIN {join}"  # noqa: S608


@_cached
def _wanted(kinds: tuple[type, ...], size: int | None) -> str:
    """`size` None: arrays of any length."""
    names = ", ".join(f"k{number}" for number in range(len(kinds)))
    if size is None:
        types = ", ".join(f"%b::{_KEYS[kind]}[]" for kind in kinds)
        return f"WITH wanted({names}) AS (SELECT * FROM unnest({types}))"  # noqa: S608
    values = ", ".join([_marks(len(kinds))] * size)
    return f"WITH wanted({names}) AS (VALUES {values})"


def look_up(connection: Connection, select: str, join: str, keys: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
    """The rows for `keys`: `join` is SQL that joins tables to the keys `wanted(k0, k1 ...)`, by WHERE.

    CROSS JOIN keeps SQLite from turning the join around: one search of the index for each key.
    """
    if not keys:
        return
    kinds = tuple(type(value) for value in keys[0])
    if connection.dialect.name == "postgresql":
        arrays = tuple(list(values) for values in zip(*keys, strict=True))
        yield from connection.exec_driver_sql(_lookup(select, join, _wanted(kinds, None)), arrays)
        return
    for start in range(0, len(keys), LOOKUP_KEYS):
        part = list(keys[start : start + LOOKUP_KEYS])
        size = next(size for size in LOOKUP_SIZES if len(part) <= size)
        part += [part[-1]] * (size - len(part))
        statement = _lookup(select, join, _wanted(kinds, size))
        yield from connection.exec_driver_sql(statement, tuple(_flat(part))).all()  # one by one costs twice as much


def _flat(keys: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
    for key in keys:
        yield from key
