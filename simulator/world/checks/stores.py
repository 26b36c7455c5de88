"""Reading the disks of units and centre as anybody could: plain SQLite and MessagePack, nothing of the production code.

Inside a world SQLite's default VFS is the simulated disk, so an ordinary connection sees what a process that opened the
file at that moment would see: all of it at one moment, as of the last commit. Whoever reads closes at once, so that no
checkpoint waits for a checker. What can't be read raises `Unreadable`: for most checkers that is not theirs to
judge, for `shown-is-on-disk` it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

_decoder: Final = msgspec.msgpack.Decoder()
Row = tuple[Any, ...]
_SPAN: Final = 1 << 64


class Unreadable(Exception):
    """The file is missing, or SQLite finds it damaged."""


class Disk:
    """One file, open for reading."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql

    def rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[Row]:
        try:
            return self._sql.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise Unreadable(str(error)) from error

    def pairs(self, statement: str, values: tuple[Any, ...] = ()) -> dict[Any, Any]:
        """Of a statement with two columns: what the second says for each of the first."""
        return dict(self.rows(statement, values))

    def row(self, statement: str, values: tuple[Any, ...] = ()) -> Row | None:
        found = self.rows(statement, values)
        return found[0] if found else None

    def value(self, statement: str, values: tuple[Any, ...] = ()) -> Any:
        """The first column of the first row; None: there is none."""
        row = self.row(statement, values)
        return row[0] if row is not None else None

    def number(self, statement: str, values: tuple[Any, ...] = ()) -> int:
        """The one number of a statement; NULL is 0."""
        row = self.row(statement, values)
        return int(row[0] or 0) if row else 0


@contextmanager
def opened(path: Path) -> Iterator[Disk]:
    """The file at `path`. Raises Unreadable."""
    try:
        quoted = str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        sql = sqlite3.connect(f"file:{quoted}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise Unreadable(f"{path}: {error}") from error
    try:
        disk = Disk(sql)
        disk.rows("BEGIN")
        yield disk
    finally:
        sql.close()


# --- a unit ---------------------------------------------------------------------------------------------------


class Span(NamedTuple):
    """One epoch of a journal: its numbers 1..last stand at the positions base + 1 .. base + last."""

    epoch: bytes
    base: int
    last: int
    acked: int
    incarnation: bytes
    open: bool


def spans(disk: Disk) -> list[Span]:
    """The retained epochs of a unit, oldest first."""
    end = disk.number("SELECT max(position) FROM journal")
    return [
        Span(epoch, base, max(0, end - base) if last is None else last, acked, incarnation, last is None)
        for epoch, base, last, acked, incarnation in disk.rows(
            "SELECT epoch, base, last, acked, incarnation FROM epochs ORDER BY id"
        )
    ]


def meta(disk: Disk, key: str) -> Any:
    """A value of the unit's or of the centre's table `meta`; None: it is not there."""
    return disk.value("SELECT value FROM meta WHERE key = ?", (key,))


def plain(body: bytes) -> Any:
    """What was encoded there, without the types that it had."""
    return _decoder.decode(body)


def unsigned(serial: int) -> int:
    """A serial as people mean it: databases know signed numbers alone."""
    return serial + _SPAN if serial < 0 else serial


# --- the chain of a journal -----------------------------------------------------------------------------------


def chain_begins(device: str, epoch: bytes) -> bytes:
    """The hash before the first fact of an epoch."""
    return sha256(b"tokuten journal 1\0" + device.encode() + b"\0" + epoch).digest()


def chain_goes_on(before: bytes, body: bytes) -> bytes:
    """The hash after a fact."""
    return sha256(before + body).digest()
