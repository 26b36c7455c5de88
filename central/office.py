"""The open centre: its database, its key files and what they are set to. Commands, API and service share it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from central import incarnation
from central.coupons import keyring
from central.db import migrate
from central.db.database import Database
from central.keys import Keys
from central.settings import CentralSettings
from wire.topics import check_id

BACKUP_PAGES_AT_ONCE: Final = 1_000


class OfficeError(Exception):
    """The centre can't be opened, made or restored as asked; the message says what to do."""


def now_ms() -> int:
    """The centre's wall clock."""
    return time.time_ns() // 1_000_000


class Office:
    """Open it with `open_office` or `create`; close it with `close`."""

    def __init__(self, settings: CentralSettings) -> None:
        check_id("tenant", settings.tenant)
        self.settings = settings
        self.database = Database(settings.url)
        self.keys = Keys(settings.keys_folder)
        self.witness = incarnation.Witness(self.database, settings.folder / "centre.mark")

    def close(self) -> None:
        self.database.close()


def create(settings: CentralSettings, at_ms: int | None = None) -> Office:
    """Makes what is missing of a centre: folder, keys, database, incarnation, first signing key (`at_ms`: now)."""
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # hashes of passwords and texts of coupons
    office = Office(settings)
    _look_at_keys(office)
    office.keys.create_missing(settings.operator_token_path)
    if not office.keys.cards():
        office.keys.create_card()
    migrate.upgrade(office.database)
    if office.database.on_server:
        with office.database.write() as connection:
            incarnation.write_meta(connection, "keys", office.keys.fingerprint())
    with office.database.write() as connection:
        fresh = incarnation.read_meta(connection, "incarnation") is None
    if fresh:
        office.witness.start()
    elif office.database.on_server:
        office.witness.join()
    with office.database.write() as connection:
        if not keyring.listed(connection):
            keyring.rotate(connection, office.keys, now_ms() if at_ms is None else at_ms)
    return office


def open_office(settings: CentralSettings) -> Office:
    """Opens a centre that `create` made, and brings its schema up to date. Raises OfficeError, StorageError."""
    office = Office(settings)
    path = office.database.path
    if path is not None and not path.exists():
        office.close()
        raise OfficeError(f"{path} does not exist: run `tokuten central init`")
    if office.database.on_server and migrate.revision(office.database) is None:
        office.close()
        raise OfficeError("the database has no tables of a centre: run `tokuten central init`")
    _look_at_keys(office)
    migrate.upgrade(office.database)
    return office


def _look_at_keys(office: Office) -> None:
    """Centres on one server must have the same keys: units believe one centre alone. Raises OfficeError."""
    if not office.database.on_server or migrate.revision(office.database) is None:
        return
    with office.database.read() as connection:
        known = incarnation.read_meta(connection, "keys")
    if known is not None and not (office.keys.made and office.keys.fingerprint() == known):
        office.close()
        raise OfficeError(
            f"{office.keys.folder} does not have the keys of this database's centre: copy them from there"
        )


@contextmanager
def alone(settings: CentralSettings) -> Iterator[None]:
    """Holds the lock that a running centre holds. Raises OfficeError when another process has it."""
    if not settings.folder.is_dir():
        raise OfficeError(f"{settings.folder} does not exist: run `tokuten central init`")
    handle = os.open(settings.folder / "centre.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OfficeError(f"a centre is running on {settings.folder}: stop it first") from None
        yield
    finally:
        os.close(handle)


def backup(settings: CentralSettings, target: Path) -> None:
    """Copies the SQLite database to `target` while the centre runs. Raises OfficeError, OSError."""
    _copy(_sqlite_path(settings), target)


def restore(settings: CentralSettings, source: Path | None) -> bytes:
    """Puts an older copy in the database's place; gives the new incarnation, by which every unit learns of it.

    The database that was there is kept beside it, its name ending in `.before-restore`. A server's database was
    restored by the server's own tools before; without a `source` this says that it was.
    Raises OfficeError when the copy is not sound or a centre is running.
    """
    if source is None:
        return _restored(settings)
    path = _sqlite_path(settings)
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # hashes of passwords and texts of coupons
    with alone(settings):
        new = path.with_name(path.name + ".restoring")
        new.unlink(missing_ok=True)
        _copy(source, new)
        _check(new)
        if path.exists():
            # The journal of the old database must not be replayed into the new one: close it down properly first.
            with closing(sqlite3.connect(path)) as old:
                old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            path.replace(path.with_name(path.name + ".before-restore"))
        for leftover in ("-wal", "-shm"):
            path.with_name(path.name + leftover).unlink(missing_ok=True)
        new.replace(path)
        office = open_office(settings)
        try:
            return office.witness.restored()
        finally:
            office.close()


def _restored(settings: CentralSettings) -> bytes:
    office = open_office(settings)
    try:
        if not office.database.on_server:
            raise OfficeError("name the copy that is to be put in place")
        with alone(settings):
            return office.witness.restored()
    finally:
        office.close()


def _sqlite_path(settings: CentralSettings) -> Path:
    database = Database(settings.url)
    database.close()
    if database.path is None:
        raise OfficeError("a database server is copied and restored by its own tools: see docs/databases.md")
    return database.path


def _copy(source: Path, target: Path) -> None:
    if not source.exists():
        raise OfficeError(f"{source} does not exist")
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new, pages=BACKUP_PAGES_AT_ONCE)
    except sqlite3.DatabaseError as error:
        raise OfficeError(f"{source} can't be copied: {error}") from error
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _check(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path)) as copy:
            verdict = copy.execute("PRAGMA integrity_check").fetchone()[0]
            known = copy.execute("SELECT value FROM meta WHERE key = 'incarnation'").fetchone()
    except sqlite3.DatabaseError as error:
        raise OfficeError(f"the copy is not a database of a centre: {error}") from error
    if verdict != "ok" or known is None:
        raise OfficeError(f"the copy is damaged or was never a centre's database: {verdict}")
