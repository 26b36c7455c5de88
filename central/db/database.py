"""Opening the database, and its transactions.

SQLite by default, PostgreSQL by a URL; nobody outside this folder need know which. What both promise:

- a commit that returns is on disk;
- `write` is alone: what it reads can't be changed under it, by a thread or by another process;
- `unit` may run beside other units (on PostgreSQL it does) and is run again where the database asks for that. Before
  it reads what it decides by, it must take it with `central.db.locks.hold`;
- `read` sees one unchanging state.

What a driver raises is translated once, into `StorageError`. `central.db.sqlite` and `central.db.postgresql` have
what is each one's own; docs/adr/0021 says why it is done this way.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine, event, exc
from sqlalchemy.engine import make_url

from central.db import postgresql, sqlite

TRIES_MAX: Final = 6  # of one unit of work, where the database says that two got in each other's way
PAUSE_S: Final = 0.02  # before the second try; twice as long before each further one, with jitter
T = TypeVar("T")
_log = logging.getLogger(__name__)


class StorageReason(StrEnum):
    BUSY = "busy"  # others held what was wanted for longer than BUSY_TIMEOUT_MS
    FULL = "full"
    CORRUPT = "corrupt"
    CONFLICT = "conflict"  # a constraint of the schema
    RACE = "race"  # two transactions got in each other's way; the same once more may do
    GONE = "gone"  # the server can't be reached, or only reads yet; a commit under way may have been kept or not
    REPLACED = "replaced"  # this is not the database that the process began with: it must end and start anew
    OTHER = "other"


class StorageError(Exception):
    """The database could not do what was asked; nothing of the transaction was kept (but see GONE)."""

    def __init__(self, reason: StorageReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def _translate(error: exc.SQLAlchemyError) -> StorageError:
    told = postgresql.reason_of(error) or sqlite.reason_of(error)
    return StorageError(StorageReason(told), str(getattr(error, "orig", None) or error))


class Database:
    """One database; safe to share between threads. Close it with `close`. Raises StorageError for a URL of no use."""

    def __init__(self, url: str) -> None:
        self.path: Path | None = None  # of the file; None: a server has it
        try:
            self.url = make_url(url)
        except exc.ArgumentError as error:
            raise StorageError(StorageReason.OTHER, str(error)) from error
        backend = self.url.get_backend_name()
        if backend == "sqlite":
            if not self.url.database:
                raise StorageError(StorageReason.OTHER, "the centre's SQLite database must be a file")
            self.path = Path(self.url.database)
            self.engine: Engine = sqlite.engine(self.url)
            self._alone = self._beside = self.engine.execution_options(**{sqlite.WRITES: True})
            self._reader = self.engine
        elif backend == "postgresql":
            self.engine = postgresql.engine(self.url)
            self._alone = self.engine.execution_options(**{postgresql.HOLDS: postgresql.ALONE})
            self._beside = self.engine.execution_options(**{postgresql.HOLDS: postgresql.BESIDE})
            self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        else:
            raise StorageError(StorageReason.OTHER, f"the centre knows SQLite and PostgreSQL, not {backend}")

    def server(self, connection: Connection) -> str:
        """Which server this is, in which life of its own, and which database of it; empty: SQLite."""
        return postgresql.server(connection) if self.on_server else ""

    def on_connect(self, same: Callable[[str, dict[str, bytes]], bool]) -> None:
        """Asks `same` about each new connection to a server: which one it is, and what its table `meta` says.

        Where the answer is no, whoever wanted the connection gets StorageError (REPLACED).
        """

        def look(connection: postgresql.Raw, _record: object) -> None:
            found = postgresql.looked_at(connection)
            if found is not None and not same(*found):
                connection.close()
                raise StorageError(StorageReason.REPLACED, "the database was restored, or replaced, under this centre")

        event.listen(self.engine, "connect", look)

    @property
    def on_server(self) -> bool:
        """Whether other machines may work with this database."""
        return self.path is None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that no other write runs beside. It commits when the block ends, and is undone when it raises.

        Raises StorageError.
        """
        with _transaction(self._alone) as connection:
            yield connection

    def unit(self, work: Callable[[Connection], T], *, alone: bool = False) -> T:
        """Runs `work` in a transaction, beside other units unless `alone`; gives its result when that is committed.

        `work` is called again where two got in each other's way (TRIES_MAX times at most), so it must change nothing
        but the database. Raises StorageError.
        """
        engine = self._alone if alone else self._beside
        for tried in range(1, TRIES_MAX + 1):
            try:
                with _transaction(engine) as connection:
                    return work(connection)
            except StorageError as error:
                if tried == TRIES_MAX or not self._worth_another(error):
                    raise
                _log.info("once more (%d): %s", tried, error)
            time.sleep(PAUSE_S * 2 ** (tried - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
        raise AssertionError("the last try returns or raises")

    def _worth_another(self, error: StorageError) -> bool:
        # Where units run side by side, a constraint may be what caught two that did the same: the later one sees that.
        return error.reason is StorageReason.RACE or (self.on_server and error.reason is StorageReason.CONFLICT)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One unchanging view of the database. Raises StorageError."""
        with _transaction(self._reader) as connection:
            yield connection

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    except exc.SQLAlchemyError as error:
        raise _translate(error) from error
