"""The seam to SQLite. Everything that the store does to a disk goes through `Connection`.

WAL with synchronous=FULL: measured under real power cuts to lose nothing that was committed
(docs/powercut.md). Checkpoints are driven from outside, so that they never fall into a shopper's scan. SQLite's errors
become `StoreError`s here, once:

    StoreError
    +-- StoreUnwritable (OSError)   disk full, failing or read-only; the transaction was rolled back
    +-- StoreCorrupt                the file is damaged: it must be set aside and salvaged
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

BUSY_TIMEOUT_MS: Final = 2_000
WAL_PAGES_MAX: Final = 2_000  # beyond this a checkpoint is due, at the next quiet moment
PAGE_CACHE_KIB: Final = 16_384  # holds the upper levels of the indices of millions of serials
_CORRUPT: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class StoreError(Exception):
    """The store failed; the message says how."""


class StoreUnwritable(StoreError, OSError):
    """Nothing of the transaction is kept; only a flush that failed may bring it back at the next start, whole."""


class StoreCorrupt(StoreError):
    """SQLite or our own checks found damage."""


def translate(error: sqlite3.Error) -> StoreError:
    """SQLite's error as ours."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _CORRUPT:
        return StoreCorrupt(str(error))
    if isinstance(error, sqlite3.OperationalError | sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.ProgrammingError | sqlite3.IntegrityError
    ):
        return StoreUnwritable(str(error))
    return StoreError(str(error))


class Connection:
    """One writer on one file. Not for two threads at a time."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        mode = "ro" if read_only else "rwc"
        try:
            self._sql = sqlite3.connect(
                f"file:{_quoted(path)}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False,
                cached_statements=256,
            )  # fmt: skip
        except sqlite3.Error as error:
            raise translate(error) from error
        self._flushed = read_only
        try:
            self._prepare(read_only=read_only)
        except StoreError:
            self.close()
            raise

    def _prepare(self, *, read_only: bool) -> None:
        self.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        self.execute(f"PRAGMA cache_size=-{PAGE_CACHE_KIB}")
        if not read_only:
            self.execute("PRAGMA journal_mode=WAL")
            self.execute("PRAGMA synchronous=FULL")
            self.execute("PRAGMA wal_autocheckpoint=0")
            self.execute("PRAGMA journal_size_limit=8388608")
            with suppress(StoreUnwritable):  # tried again with the first transaction, where somebody can say so
                self._flush_what_is_found()

    def _flush_what_is_found(self) -> None:
        """What this connection sees is on the disk for good before anybody acts on it.

        A process that was killed between the write of its last commit and the flush leaves that commit in the log, and
        SQLite reads it as good; a power cut may still take it away. A checkpoint flushes the log before all else.
        """
        try:
            self._sql.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_FULL:  # flushed, and no room to move it
                raise translate(error) from error
        self._flushed = True

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._sql.execute(statement, values)
        except sqlite3.Error as error:
            raise translate(error) from error

    def executemany(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        try:
            self._sql.executemany(statement, rows)
        except sqlite3.Error as error:
            raise translate(error) from error

    def row(self, statement: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        """The first row, or None."""
        try:
            row: tuple[Any, ...] | None = self._sql.execute(statement, values).fetchone()
        except sqlite3.Error as error:
            raise translate(error) from error
        return row

    def rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._sql.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise translate(error) from error

    def script(self, statements: str) -> None:
        try:
            self._sql.executescript(statements)
        except sqlite3.Error as error:
            raise translate(error) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits at the end; rolls back on any exception, a failing commit included."""
        if not self._flushed:
            self._flush_what_is_found()
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        # SQLite rolls back by itself after some errors; then there is nothing left to do.
        if self._sql.in_transaction:
            try:
                self._sql.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise translate(error) from error

    def wal_pages(self) -> int:
        """How many pages the write-ahead log holds, by the size of its file; costs one stat."""
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size // 4120
        except FileNotFoundError:
            return 0

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file and empty it."""
        self.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self._sql.close()


def _quoted(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
