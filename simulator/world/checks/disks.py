"""Reading what lies on the disks of a world: plain SQLite and plain MessagePack, without a line of the production code.

Inside a world SQLite's default VFS is the simulated disk, so an ordinary connection sees what a process that opened the
file at that moment would see. Nothing here writes: a connection is opened with `mode=ro`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

_SPAN: Final = 1 << 64
_decoder: Final = msgspec.msgpack.Decoder()


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The database at `path`, to be read as it is now: all of it at one moment."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only=1")
        connection.execute("BEGIN")
        yield connection
    finally:
        connection.close()


def plain(body: bytes) -> Any:
    """What was encoded there, without the types that it had."""
    return _decoder.decode(body)


def unsigned(serial: int) -> int:
    """Serials have 64 bits without a sign; the databases keep them with one."""
    return serial + _SPAN if serial < 0 else serial


def one(connection: sqlite3.Connection, query: str, *values: object) -> Any:
    """The first column of the first row; None: there is none."""
    row = connection.execute(query, values).fetchone()
    return row[0] if row is not None else None
