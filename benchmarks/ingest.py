"""Ingest beside raw SQLite: batches booked by the centre, and the same rows inserted by the driver alone.

Both sides write to the same disk with the same schema, pragmas and one durable commit for each batch. The raw
side is given its rows ready-made (taken from what the centre wrote) and uses `executemany`.
"""

from __future__ import annotations

import secrets
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec
from nacl.signing import SigningKey
from sqlalchemy import text

from central import registry
from central.coupons import issue
from central.db import migrate
from central.db.database import Database
from central.incarnation import Witness
from central.ingest import Ingest, Origin
from loyalty.campaign import Campaign, Kind, Policy
from wire import chain
from wire.facts import Redeemed, Stamp, encode_fact
from wire.messages import Batch, encode


class Measured(NamedTuple):
    """Seconds for each batch of the same rows, on both sides."""

    centre_s: list[float]
    raw_s: list[float]
    size: int

    @property
    def ratio(self) -> float:
        """The centre's rate as a part of the raw rate (of the medians: a busy moment counts little)."""
        return median(self.raw_s) / median(self.centre_s)


def batches(key: SigningKey, device: str, count: int, size: int) -> list[bytes]:
    """Signed batches of one epoch with `size` redemptions each."""
    epoch = secrets.token_bytes(16)
    before, out = chain.genesis(device, epoch), []
    boot = secrets.token_bytes(8)
    for number in range(count):
        facts = [
            encode_fact(
                Redeemed(
                    at=Stamp(1_700_000_000_000 + index, index, boot, True, 50),
                    campaign=1,
                    serial=secrets.randbits(64) | 1,
                    holder=secrets.randbits(48),
                    revision=1,
                    policy="signed",
                    site="shop-1",
                    spend_yen=0,
                    discount_yen=100,
                    key=1,
                )
            )
            for index in range(size)
        ]
        hashes = chain.links(before, facts)
        first = number * size + 1
        head = chain.signed_head(device, epoch, first + size - 1, hashes[-1])
        out.append(encode(Batch(epoch, first, before, hashes[-1], facts, key.sign(head).signature)))
        before = hashes[-1]
    return out


def measure(folder: Path, *, count: int = 40, size: int = 500) -> Measured:
    """Books `count` batches of `size` facts, then inserts the rows that came of it into a second database."""
    key = SigningKey.generate()
    database = Database(f"sqlite:///{folder / 'centre.db'}")
    migrate.upgrade(database)
    incarnation = Witness(database, folder / "centre.mark").start()
    with database.write() as connection:
        registry.add_device(connection, "lane-1", "shop-1", key.verify_key.encode(), 0)
        campaign = Campaign(id=1, name="100", kind=Kind.AMOUNT, policy=Policy.SIGNED, provider="shop-1", amount_yen=100)
        issue.issue(connection, campaign, 0)
    ingest = Ingest(database, incarnation, secrets.token_bytes(32))
    payloads = batches(key, "lane-1", count, size)
    raw = Raw(database, folder / "raw.db")
    centre_s, raw_s = [], []
    for number, payload in enumerate(payloads):  # in turn, so that both sides meet the same machine
        began = time.perf_counter()
        ack = ingest.book(payload, Origin("lane-1", "tk/1/demo/shop-1/lane-1/up/ev", 1_700_000_100_000))
        centre_s.append(time.perf_counter() - began)
        assert ack.status == "ok"
        raw_s.append(raw.insert(number * size))
    raw.close()
    database.close()
    return Measured(centre_s, raw_s, size)


class Raw:
    """The second database: the same schema and pragmas, and nothing but the driver."""

    def __init__(self, source: Database, path: Path) -> None:
        self._source = source
        target = Database(f"sqlite:///{path}")
        migrate.upgrade(target)
        target.close()
        self._raw = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536", "temp_store = MEMORY"):
            self._raw.execute(f"PRAGMA {pragma}")
        for table in ("sites", "feeds", "devices", "feed_bodies", "change_log"):
            self._put(table, self._rows(f"SELECT * FROM {table}"))
        self._raw.execute("PRAGMA foreign_keys = ON")

    def insert(self, booked: int) -> float:
        """Inserts what the centre has written of the batch after its first `booked` facts; gives the seconds."""
        rows = {
            "facts": self._rows(f"SELECT * FROM facts WHERE seq > {booked} ORDER BY seq"),
            "redemptions": self._rows(f"SELECT * FROM redemptions WHERE seq > {booked} ORDER BY id"),
            "feed_bodies": self._rows("SELECT * FROM feed_bodies ORDER BY id DESC LIMIT 1"),
            "change_log": self._rows("SELECT * FROM change_log ORDER BY body_id DESC LIMIT 1"),
        }
        if booked == 0:
            self._put("epochs", self._rows("SELECT * FROM epochs"))
        began = time.perf_counter()
        self._raw.execute("BEGIN IMMEDIATE")
        for table, part in rows.items():
            self._put(table, part)
        self._raw.execute("UPDATE epochs SET upto = upto + 1")
        self._raw.execute("UPDATE feeds SET head = head + 1")
        self._raw.execute("UPDATE campaigns SET redeemed = redeemed + 1")
        self._raw.execute("COMMIT")
        return time.perf_counter() - began

    def _rows(self, sql: str) -> list[tuple[object, ...]]:
        with self._source.read() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def _put(self, table: str, rows: list[tuple[object, ...]]) -> None:
        if rows:
            self._raw.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)

    def close(self) -> None:
        self._raw.close()


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        measured = measure(Path(folder))
    print(
        msgspec.json.encode(
            {
                "benchmark": "ingest",
                "facts": measured.size * len(measured.centre_s),
                "centre_per_s": round(measured.size / median(measured.centre_s)),
                "raw_per_s": round(measured.size / median(measured.raw_s)),
                "ratio": round(measured.ratio, 3),
                "sqlite": sqlite3.sqlite_version,
            }
        ).decode()
    )


if __name__ == "__main__":
    main()
