"""Lives on a simulated disk: transactions, power cuts, and a witness who knows what was acknowledged.

The witness keeps the whole content after each transaction, as a plain dictionary. After a power loss the database must
hold exactly what the last acknowledged transaction left, or what the one under way would have left.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Protocol

from sqlalchemy import event

from central.db.database import Database, StorageError
from edge_agent.store.connection import Connection, StoreError
from simulator.world.disk import Disk
from simulator.world.vfs import DiskVfs

TABLES = (
    "CREATE TABLE IF NOT EXISTS facts (id INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS balances (name TEXT PRIMARY KEY, points INTEGER NOT NULL) WITHOUT ROWID",
)
Statement = tuple[str, tuple[object, ...]]
State = dict[object, object]


class Book(Protocol):
    """A database as the code above it uses it."""

    path: Path

    def write(self, statements: Iterable[Statement]) -> None: ...
    def rows(self, query: str) -> list[tuple[object, ...]]: ...
    def checkpoint(self) -> None: ...
    def close(self) -> None: ...


class StoreBook:
    """The unit's seam to SQLite, as it is."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "store.db"
        self.sql = Connection(self.path)

    def write(self, statements: Iterable[Statement]) -> None:
        with self.sql.transaction():
            for statement, values in statements:
                self.sql.execute(statement, values)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return self.sql.rows(query)

    def checkpoint(self) -> None:
        self.sql.checkpoint()

    def close(self) -> None:
        self.sql.close()


class CentreBook:
    """The centre's database, as it is, by way of SQLAlchemy; `pragmas` for those that must fail."""

    def __init__(self, folder: Path, *pragmas: str) -> None:
        self.path = folder / "centre.db"
        self.database = Database(f"sqlite:///{self.path}")
        for pragma in pragmas:
            event.listen(self.database.engine, "connect", _telling(pragma))

    def write(self, statements: Iterable[Statement]) -> None:
        with self.database.write() as connection:
            for statement, values in statements:
                connection.exec_driver_sql(statement, tuple(values))

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with self.database.read() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]

    def checkpoint(self) -> None:
        return None  # SQLite does it by itself at every thousandth page

    def close(self) -> None:
        self.database.close()


def _telling(pragma: str) -> Callable[[sqlite3.Connection, object], None]:
    def tell(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA {pragma}")

    return tell


class PlainBook:
    """Python's sqlite3 with other settings than ours."""

    def __init__(self, folder: Path, journal: str, synchronous: str) -> None:
        self.path = folder / "plain.db"
        self.sql = sqlite3.connect(self.path, isolation_level=None)
        self.sql.execute(f"PRAGMA journal_mode={journal}")
        self.sql.execute(f"PRAGMA synchronous={synchronous}")

    def write(self, statements: Iterable[Statement]) -> None:
        self.sql.execute("BEGIN IMMEDIATE")
        try:
            for statement, values in statements:
                self.sql.execute(statement, values)
            self.sql.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                if self.sql.in_transaction:
                    self.sql.execute("ROLLBACK")
            raise

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return self.sql.execute(query).fetchall()

    def checkpoint(self) -> None:
        self.sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self.sql.close()


BROKEN = (sqlite3.Error, StoreError, StorageError)


class _Reader:
    """Another process's backup, say: it holds a snapshot while others write."""

    def __init__(self, path: Path) -> None:
        self.sql = sqlite3.connect(path, isolation_level=None)
        self.wal = self.sql.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        self.sql.execute("BEGIN")
        self.sees = self._look()
        if not self.wal:  # it would keep everybody from committing
            self.sql.execute("COMMIT")

    def finish(self) -> None:
        if self.wal:
            assert self._look() == self.sees, "a snapshot changed"
        self.sql.close()

    def _look(self) -> list[tuple[object, ...]]:
        return self.sql.execute("SELECT id, body FROM facts").fetchall()


class Life:
    """One database on one disk through many power cuts. `found` counts what must not be."""

    def __init__(self, open_book: Callable[[Path], Book], disk: Disk, rng: Random) -> None:
        self.open_book, self.disk, self.rng = open_book, disk, rng
        self.state: State = {}  # as acknowledged
        self.history: list[State] = []  # earlier ones
        self.under_way: State | None = None
        self.number = 0
        self.found: Counter[str] = Counter()
        self.transactions = 0

    def live(self, cuts: int) -> Counter[str]:
        for _ in range(cuts):
            book = self._until_the_cut()
            self.disk.lose_power()
            del book
            self._inspect()
            if self.found:
                break
        return self.found

    def _until_the_cut(self) -> Book | None:
        """Open, and go on until the disk is dead. Returns the book that nobody closed."""
        at_a_quiet_moment = self.rng.random() < 0.3
        if not at_a_quiet_moment:
            self.disk.power_cut_in(self.rng.choice((self.rng.randint(1, 12), self.rng.randint(1, 150))))
        book = None
        try:
            book = self.open_book(self.disk.folder)
            self._transact(book, [(table, ()) for table in TABLES], dict(self.state))
            reader = _Reader(book.path) if self.rng.random() < 0.3 else None
            for _ in range(self.rng.randint(1, 12) if at_a_quiet_moment else 1_000):
                self._step(book)
                if reader is not None and self.rng.random() < 0.1:
                    reader.finish()
                    reader = None
                if reader is None and self.rng.random() < 0.03:
                    book.close()
                    book = self.open_book(self.disk.folder)
        except BROKEN:
            assert self.disk.dead, "the disk failed before its time"
        return book

    def _step(self, book: Book) -> None:
        state, statements = dict(self.state), list[Statement]()
        for _ in range(self.rng.randint(1, 4)):
            self.number += 1
            body = self.rng.randbytes(self.rng.choice((20, 200, 200, 9_000)))
            statements.append(("INSERT INTO facts VALUES (?, ?)", (self.number, body)))
            state[self.number] = body
            if self.rng.random() < 0.3:
                old = self.rng.randint(1, self.number)
                statements.append(("DELETE FROM facts WHERE id = ?", (old,)))
                state.pop(old, None)
            name = f"person {self.rng.randrange(5)}"
            statements.append(("INSERT OR REPLACE INTO balances VALUES (?, ?)", (name, self.number)))
            state[name] = self.number
        self._transact(book, statements, state)
        if self.rng.random() < 0.1:
            book.checkpoint()

    def _transact(self, book: Book, statements: list[Statement], after: State) -> None:
        self.under_way = after
        book.write(statements)
        self.transactions += 1
        self.history.append(self.state)
        self.state, self.under_way = after, None

    def _inspect(self) -> None:
        """What a fresh start finds."""
        try:
            book = self.open_book(self.disk.folder)
            book.write([(table, ()) for table in TABLES])
            integrity = book.rows("PRAGMA integrity_check")
            found: State = dict(book.rows("SELECT id, body FROM facts"))  # type: ignore[arg-type]
            found.update(book.rows("SELECT name, points FROM balances"))  # type: ignore[arg-type]
            book.close()
        except BROKEN as error:
            self.found[f"corrupt: {error}"] += 1
            return
        if integrity != [("ok",)]:
            self.found["corrupt"] += 1
        elif found == self.under_way:
            self.state = self.under_way
        elif found != self.state:
            self.found["lost" if found in self.history else "mixed"] += 1
        self.under_way = None


def lives(open_book: Callable[[Path], Book], folder: Path, seeds: Iterable[int], cuts: int) -> Counter[str]:
    """What went wrong in many lives, and how many power cuts there were."""
    found: Counter[str] = Counter()
    with DiskVfs(entropy=Random(0).randbytes, sleep_us=lambda _: None) as vfs:  # a lock is not worth a wait
        for seed in seeds:
            place = folder / f"life {seed}"
            place.mkdir()
            disk = vfs.mount(Disk(place, Random(seed)))
            life = Life(open_book, disk, Random(f"life {seed}"))
            found += life.live(cuts)
            found["cuts"] += disk.power_losses
            found["transactions"] += life.transactions
            assert vfs.fault is None, vfs.fault
            vfs.unmount(disk)
    return found
