"""What is SQLite's own: pragmas for each connection, and the write lock from a transaction's first statement on."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc

BUSY_TIMEOUT_MS: Final = 10_000
POOL_SIZE: Final = 5
POOL_OVERFLOW: Final = 15
WRITES: Final = "tokuten_write"


def engine(url: URL) -> Engine:
    """WAL with `synchronous=FULL`: a commit that returns is on disk."""
    made = create_engine(url, pool_size=POOL_SIZE, max_overflow=POOL_OVERFLOW)
    event.listen(made, "connect", _prepare)
    event.listen(made, "begin", _begin)
    return made


def reason_of(error: exc.SQLAlchemyError) -> str:
    """The word of a `StorageReason`, from SQLite's own words and SQLAlchemy's kinds of errors."""
    words = str(getattr(error, "orig", error))
    if isinstance(error, exc.IntegrityError):
        return "conflict"
    if "locked" in words or "busy" in words or isinstance(error, exc.TimeoutError):
        return "busy"
    if "full" in words or "disk I/O" in words:
        return "full"
    if "malformed" in words or "not a database" in words:
        return "corrupt"
    return "other"


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
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


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
