"""The centre's rows, inserted by the SQLite driver alone: what booking and draining are held against.

A second database with the same schema, indices and pragmas on the same disk. Its rows are those that the centre
wrote, ready-made, one `executemany` for each table and one durable commit for each batch.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from sqlalchemy import text

from central.db import migrate
from central.db.database import Database

PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536", "temp_store = MEMORY")


class RawCentre:
    """Made before the first batch is booked; `insert` follows what was booked since, batch by batch."""

    def __init__(self, source: Database, path: Path) -> None:
        self._source = source
        target = Database(f"sqlite:///{path}")
        migrate.upgrade(target)
        target.close()
        self._raw = sqlite3.connect(path, isolation_level=None)
        for pragma in PRAGMAS:
            self._raw.execute(f"PRAGMA {pragma}")
        for table in ("sites", "feeds", "devices", "feed_bodies", "change_log"):
            self._put(table, self._rows(f"SELECT * FROM {table}"))
        bodies = self._rows("SELECT coalesce(max(id), 0) FROM feed_bodies")
        self._body = bodies[0][0]
        self._raw.execute("PRAGMA foreign_keys = ON")

    def insert(self, booked: int, upto: int) -> float:
        """Inserts what the centre wrote of the batch `booked + 1` .. `upto`; gives the seconds."""
        rows = self._batch(booked, upto)
        began = time.perf_counter()
        self._raw.execute("BEGIN IMMEDIATE")
        for table, part in rows.items():
            self._put(table, part)
        self._raw.execute("UPDATE epochs SET upto = upto + 1")
        self._raw.execute("UPDATE feeds SET head = head + 1")
        self._raw.execute("UPDATE campaigns SET redeemed = redeemed + 1")
        self._change()
        self._raw.execute("COMMIT")
        return time.perf_counter() - began

    def _change(self) -> None:
        """What else is changed by a batch, within its transaction."""

    def _batch(self, booked: int, upto: int) -> dict[str, list[tuple[object, ...]]]:
        """The rows of a batch, by table."""
        batch = f"WHERE epoch_id IN (SELECT id FROM epochs) AND seq > {booked} AND seq <= {upto}"  # by its index
        rows = {
            "facts": self._rows(f"SELECT * FROM facts {batch} ORDER BY seq"),
            "redemptions": self._rows(f"SELECT * FROM redemptions {batch} ORDER BY id"),
            "feed_bodies": self._rows(f"SELECT * FROM feed_bodies WHERE id > {self._body} ORDER BY id LIMIT 1"),
        }
        assert len(rows["facts"]) == upto - booked, "the centre lacks facts of this batch"
        if rows["feed_bodies"]:
            (self._body, _) = rows["feed_bodies"][0]
            rows["change_log"] = self._rows(f"SELECT * FROM change_log WHERE body_id = {self._body}")
        if booked == 0:
            self._put("epochs", self._rows("SELECT * FROM epochs"))
        return rows

    def _rows(self, sql: str) -> list[tuple[object, ...]]:
        with self._source.read() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def _put(self, table: str, rows: list[tuple[object, ...]]) -> None:
        if rows:
            self._raw.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)

    def close(self) -> None:
        self._raw.close()
