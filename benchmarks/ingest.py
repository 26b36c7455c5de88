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

TABLES = ("facts", "redemptions", "feed_bodies", "change_log")


class Measured(NamedTuple):
    """Seconds for the same rows on both sides, and how many facts that were."""

    centre_s: float
    raw_s: float
    facts: int

    @property
    def ratio(self) -> float:
        """The centre's rate as a part of the raw rate."""
        return self.raw_s / self.centre_s


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
    with database.read() as connection:
        skip = connection.execute(text("SELECT head FROM feeds")).scalar_one()
    began = time.perf_counter()
    for payload in payloads:
        ack = ingest.book(payload, Origin("lane-1", "tk/1/demo/shop-1/lane-1/up/ev", 1_700_000_100_000))
        assert ack.status == "ok"
    centre_s = time.perf_counter() - began
    raw_s = _raw(database, folder / "raw.db", count, size, skip)
    database.close()
    return Measured(centre_s, raw_s, count * size)


def _raw(source: Database, path: Path, count: int, size: int, skip: int) -> float:
    target = Database(f"sqlite:///{path}")
    migrate.upgrade(target)
    target.close()
    with source.read() as connection:
        rows = {
            table: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2"))]
            for table in (*TABLES, "sites", "feeds", "devices", "epochs")
        }
    raw = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "cache_size = -65536"):
        raw.execute(f"PRAGMA {pragma}")

    def put(table: str, part: list[tuple[object, ...]]) -> None:
        if part:
            raw.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(part[0]))})", part)

    for table in ("sites", "feeds", "devices", "epochs"):
        put(table, rows[table])
    bodies = rows["feed_bodies"][-count:]
    log = rows["change_log"][-count:]
    put("feed_bodies", rows["feed_bodies"][:-count])
    put("change_log", rows["change_log"][:-count])
    assert len(rows["facts"]) == len(rows["redemptions"]) == count * size
    began = time.perf_counter()
    for number in range(count):
        part = slice(number * size, (number + 1) * size)
        raw.execute("BEGIN IMMEDIATE")
        put("facts", rows["facts"][part])
        put("redemptions", rows["redemptions"][part])
        put("feed_bodies", bodies[number : number + 1])
        put("change_log", log[number : number + 1])
        raw.execute("UPDATE epochs SET upto = upto + 1")
        raw.execute("COMMIT")
    taken = time.perf_counter() - began
    raw.close()
    return taken


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        measured = measure(Path(folder))
    print(
        msgspec.json.encode(
            {
                "benchmark": "ingest",
                "facts": measured.facts,
                "centre_per_s": round(measured.facts / measured.centre_s),
                "raw_per_s": round(measured.facts / measured.raw_s),
                "ratio": round(measured.ratio, 3),
                "sqlite": sqlite3.sqlite_version,
            }
        ).decode()
    )


if __name__ == "__main__":
    main()
