"""Which life of the database this is (DESIGN, 'Identity and the uplink').

Every acknowledgement, feed message and grant carries the incarnation: 16 random bytes, new after each
restore, so that units notice that the centre forgot something and send it again.

A restore is told by `tokuten central restore`, and found by itself: a mark is counted up in the database and
then in a file beside it, at start and stop and every MARK_EVERY_S while running. A database whose mark is
behind the file's is an old copy. What this can't see is a copy taken and put back within the same mark, or a
file that was put back together with the database: for that there is the command.

A database server is restored by its own tools, and may change under a centre that runs. So each new connection is asked
whether the database is still the one that this process began with: the server's system identifier and timeline (a
recovery to a point in time and a failover begin a new one), the database's own number, the incarnation, and the mark.
Where it is not, this process can do nothing right any more (`StorageReason.REPLACED`): it ends, and the next start
finds out as ever. Several centres on one server have a witness file each; the database knows its earlier incarnations,
so that the second one to come back does not begin yet another.
"""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Connection, insert, select, update

from central.db.database import Database, StorageError, StorageReason
from central.db.schema import devices, meta

MARK_EVERY_S: Final = 60
INCARNATION_BYTES: Final = 16
PAST_MAX: Final = 64  # earlier incarnations that are known
_log = logging.getLogger(__name__)


class _Mark(msgspec.Struct, forbid_unknown_fields=True):
    mark: int
    incarnation: str


def read_meta(connection: Connection, key: str) -> bytes | None:
    value = connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
    return None if value is None else bytes(value)


def write_meta(connection: Connection, key: str, value: bytes) -> None:
    if not connection.execute(update(meta).where(meta.c.key == key).values(value=value)).rowcount:
        connection.execute(insert(meta).values(key=key, value=value))


def current(connection: Connection) -> bytes:
    """The incarnation. Raises LookupError on a database that was never initialised."""
    value = read_meta(connection, "incarnation")
    if value is None:
        raise LookupError("the database has no incarnation: run `tokuten central init`")
    return value


def begin_anew(connection: Connection) -> bytes:
    """A new incarnation, because the database was restored: every unit is awaited before anything is granted."""
    value = secrets.token_bytes(INCARNATION_BYTES)
    if connection.dialect.name == "postgresql":  # where several centres come back, one after the other
        past = (read_meta(connection, "past") or b"") + (read_meta(connection, "incarnation") or b"")
        write_meta(connection, "past", past[-PAST_MAX * INCARNATION_BYTES :])
    write_meta(connection, "incarnation", value)
    connection.execute(update(devices).values(awaits=True, owed_epoch=None, owed_head=None, owes_parts=True))
    return value


class Witness:
    """The file beside the database, or of one centre on a server, that remembers how far the mark was."""

    def __init__(self, database: Database, path: Path) -> None:
        self._database = database
        self._path = path
        self._mark = 0
        self._known: tuple[str, bytes] | None = None  # server and incarnation that this process began with
        if database.on_server:
            database.on_connect(self._still_the_same)

    def start(self) -> bytes:
        """Makes the first incarnation or checks the present one; gives it. Raises StorageError, OSError."""
        self._known = None
        with self._database.write() as connection:
            stored = read_meta(connection, "mark")
            mark = int(stored) if stored is not None else 0
            seen = self._read()
            server = self._database.server(connection)
            if read_meta(connection, "incarnation") is None:
                write_meta(connection, "incarnation", secrets.token_bytes(INCARNATION_BYTES))
                mark = max(mark, seen.mark if seen else 0)
            elif why := self._restored(connection, seen, mark, server):
                begin_anew(connection)
                _log.warning("the database was restored (%s): new incarnation", why)
                mark = max(mark, seen.mark if seen else 0)
            if server:
                write_meta(connection, "server", server.encode())
            incarnation = current(connection)
        self._advance(mark)
        self._known = (server, incarnation)
        return incarnation

    def _restored(self, connection: Connection, seen: _Mark | None, mark: int, server: str) -> str:
        """Why the database is taken for an old copy; empty: it is not."""
        if seen is None:
            return "its witness file is missing"
        known = {current(connection)}
        if server:  # others may have begun anew, and have their own files
            past = read_meta(connection, "past") or b""
            known |= {past[at : at + INCARNATION_BYTES] for at in range(0, len(past), INCARNATION_BYTES)}
        if seen.mark > mark or bytes.fromhex(seen.incarnation) not in known:
            return "it is older than its witness file says"
        if server and (read_meta(connection, "server") or b"").decode() not in ("", server):
            return "its server, or the server's history, is another one"
        return ""

    def join(self) -> None:
        """A further centre is made on a database that others work with: it begins with what that says now."""
        with self._database.read() as connection:
            stored, incarnation = read_meta(connection, "mark"), current(connection)
        if self._read() is None:
            self._write(_Mark(mark=int(stored) if stored is not None else 0, incarnation=incarnation.hex()))

    def _still_the_same(self, server: str, found: dict[str, bytes]) -> bool:
        """What a new connection found in the database. Always true before `start`, which looks for itself."""
        if self._known is None:
            return True
        mark = int(found.get("mark", b"0"))
        return (server, found.get("incarnation", b"")) == self._known and mark >= self._mark

    def restored(self) -> bytes:
        """A new incarnation by command: what lies in the database now is an old copy."""
        with self._database.write() as connection:
            stored = read_meta(connection, "mark")
            seen = self._read()
            incarnation = begin_anew(connection)
            server = self._database.server(connection)
            if server:
                write_meta(connection, "server", server.encode())
        self._advance(max(int(stored) if stored is not None else 0, seen.mark if seen else 0))
        return incarnation

    def advance(self) -> None:
        """Counts the mark up. Called on a timer, and at a clean stop."""
        with self._database.read() as connection:
            stored = read_meta(connection, "mark")
            if self._known is not None and self._known[1] != current(connection):
                raise StorageError(StorageReason.REPLACED, "another centre began a new incarnation of this database")
        self._advance(int(stored) if stored is not None else 0)

    def _advance(self, mark: int) -> None:
        # The database first: a crash in between leaves it ahead of the file, which is no restore.
        with self._database.write() as connection:
            stored = read_meta(connection, "mark")
            mark = max(mark, int(stored) if stored is not None else 0) + 1  # others count it up as well
            write_meta(connection, "mark", str(mark).encode())
            incarnation = current(connection)
        self._mark = mark
        self._write(_Mark(mark=mark, incarnation=incarnation.hex()))

    def _read(self) -> _Mark | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Mark)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError:
            _log.warning("%s can't be read", self._path)
            return None

    def _write(self, mark: _Mark) -> None:
        new = self._path.with_name(self._path.name + ".new")
        with new.open("wb") as file:
            file.write(msgspec.json.encode(mark))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
