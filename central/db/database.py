"""Opening the database, and its transactions.

A commit that returns is on disk: SQLite runs in WAL mode with `synchronous=FULL`. A write transaction takes the
write lock at once (BEGIN IMMEDIATE), so what it reads can't be changed under it by another process. What the
driver raises is translated here, once, into `StorageError`.

PostgreSQL is a URL away: statements are SQLAlchemy Core or plain SQL, and the few lines that are SQLite's own
stand in this folder.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.engine import make_url

BUSY_TIMEOUT_MS: Final = 10_000
POOL_SIZE: Final = 5
POOL_OVERFLOW: Final = 15
_WRITE: Final = "tokuten_write"


class StorageReason(StrEnum):
    BUSY = "busy"  # another process held the lock for longer than BUSY_TIMEOUT_MS
    FULL = "full"
    CORRUPT = "corrupt"
    CONFLICT = "conflict"  # a constraint of the schema
    OTHER = "other"


class StorageError(Exception):
    """The database could not do what was asked; nothing of the transaction was kept."""

    def __init__(self, reason: StorageReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def _translate(error: exc.SQLAlchemyError) -> StorageError:
    words = str(getattr(error, "orig", error))
    if isinstance(error, exc.IntegrityError):
        reason = StorageReason.CONFLICT
    elif "locked" in words or "busy" in words or isinstance(error, exc.TimeoutError):
        reason = StorageReason.BUSY
    elif "full" in words or "disk I/O" in words:
        reason = StorageReason.FULL
    elif "malformed" in words or "not a database" in words:
        reason = StorageReason.CORRUPT
    else:
        reason = StorageReason.OTHER
    return StorageError(reason, words)


class Database:
    """One database; safe to share between threads. Close it with `close`."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.path: Path | None = None
        if self.url.get_backend_name() == "sqlite":
            if not self.url.database:
                raise StorageError(StorageReason.OTHER, "the centre's SQLite database must be a file")
            self.path = Path(self.url.database)
        self.engine: Engine = create_engine(self.url, pool_size=POOL_SIZE, max_overflow=POOL_OVERFLOW)
        if self.path is not None:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits when the block ends, and is undone when it raises. Raises StorageError."""
        try:
            with self.engine.connect().execution_options(**{_WRITE: True}) as connection, connection.begin():
                yield connection
        except exc.SQLAlchemyError as error:
            raise _translate(error) from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One unchanging view of the database. Raises StorageError."""
        try:
            with self.engine.connect() as connection, connection.begin():
                yield connection
        except exc.SQLAlchemyError as error:
            raise _translate(error) from error

    def close(self) -> None:
        self.engine.dispose()


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "cache_size = -65536",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
