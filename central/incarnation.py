"""Which life of the database this is (DESIGN, 'Identity and the uplink').

Every acknowledgement, feed message and grant carries the incarnation: 16 random bytes, new after each
restore, so that units notice that the centre forgot something and send it again.

A restore is told by `tokuten central restore`, and found by itself: a mark is counted up in the database and
then in a file beside it, at start and stop and every MARK_EVERY_S while running. A database whose mark is
behind the file's is an old copy. What this can't see is a copy taken and put back within the same mark, or a
file that was put back together with the database: for that there is the command.
"""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Connection, insert, select, update

from central.db.database import Database
from central.db.schema import devices, meta

MARK_EVERY_S: Final = 60
INCARNATION_BYTES: Final = 16
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
    write_meta(connection, "incarnation", value)
    connection.execute(update(devices).values(awaits=True, owed_epoch=None, owed_head=None, owes_parts=True))
    return value


class Witness:
    """The file beside the database that remembers how far the mark was."""

    def __init__(self, database: Database, path: Path) -> None:
        self._database = database
        self._path = path

    def start(self) -> bytes:
        """Makes the first incarnation or checks the present one; gives it. Raises StorageError, OSError."""
        with self._database.write() as connection:
            stored = read_meta(connection, "mark")
            mark = int(stored) if stored is not None else 0
            seen = self._read()
            if read_meta(connection, "incarnation") is None:
                write_meta(connection, "incarnation", secrets.token_bytes(INCARNATION_BYTES))
                mark = max(mark, seen.mark if seen else 0)
            elif seen is None or seen.mark > mark or seen.incarnation != current(connection).hex():
                why = "its witness file is missing" if seen is None else "it is older than its witness file says"
                begin_anew(connection)
                _log.warning("the database was restored (%s): new incarnation", why)
                mark = max(mark, seen.mark if seen else 0)
            incarnation = current(connection)
        self._advance(mark)
        return incarnation

    def restored(self) -> bytes:
        """A new incarnation by command: what lies in the database now is an old copy."""
        with self._database.write() as connection:
            stored = read_meta(connection, "mark")
            seen = self._read()
            incarnation = begin_anew(connection)
        self._advance(max(int(stored) if stored is not None else 0, seen.mark if seen else 0))
        return incarnation

    def advance(self) -> None:
        """Counts the mark up. Called on a timer, and at a clean stop."""
        with self._database.read() as connection:
            stored = read_meta(connection, "mark")
        self._advance(int(stored) if stored is not None else 0)

    def _advance(self, mark: int) -> None:
        # The database first: a crash in between leaves it ahead of the file, which is no restore.
        with self._database.write() as connection:
            write_meta(connection, "mark", str(mark + 1).encode())
            incarnation = current(connection)
        self._write(_Mark(mark=mark + 1, incarnation=incarnation.hex()))

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
