"""Visits booked by the centre (a coupon, points for the purchase, now and then points spent), beside raw SQLite.

Each visit is a redemption and an earning; every fourth also spends points. Both sides write the same rows (facts,
redemptions, transfers, postings, lots, what is taken of lots) and the same changes (balances, what is left of lots)
to the same disk, with one durable commit for each batch. The raw side is given them ready-made.
"""

from __future__ import annotations

import itertools
import random
import secrets
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

from nacl.signing import SigningKey

from benchmarks.figures import Limits, Size, given
from benchmarks.ingest import Measured
from benchmarks.raw_centre import RawCentre
from central import registry
from central.coupons import issue
from central.db import migrate
from central.db.database import Database
from central.incarnation import Witness
from central.ingest import Ingest, Origin
from central.ledger import audit, programmes
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.points import EarnRule, Programme
from wire import chain
from wire.facts import Earned, Fact, Redeemed, Spent, Stamp, encode_fact
from wire.messages import Batch, encode

BATCHES: Final = {Size.QUICK: 10, Size.USUAL: 60, Size.FULL: 400}
MEMBERS: Final = 10_000
AT_MOST: Final = 2.0
"""Times that a batch takes of the raw one (issue 5)."""


class RawLedger(RawCentre):
    """The rows of the ledger beside those of the coupons."""

    def __init__(self, source: Database, path: Path) -> None:
        super().__init__(source, path)
        self._transfer = 0
        self._account = 0
        self._balances: list[tuple[object, ...]] = []
        self._lots: list[tuple[object, ...]] = []

    def _batch(self, booked: int, upto: int) -> dict[str, list[tuple[object, ...]]]:
        rows = super()._batch(booked, upto)
        new = f"WHERE transfer > {self._transfer}"
        rows["accounts"] = self._rows(f"SELECT * FROM accounts WHERE id > {self._account} ORDER BY id")
        rows["transfers"] = self._rows(f"SELECT * FROM transfers WHERE id > {self._transfer} ORDER BY id")
        for table in ("postings", "lots", "lot_moves"):
            rows[table] = self._rows(f"SELECT * FROM {table} {new}")
        self._balances = self._rows(f"SELECT sum(amount), account FROM postings {new} GROUP BY account")
        self._lots = self._rows(f"SELECT sum(points), lot, number FROM lot_moves {new} GROUP BY lot, number")
        self._account = self._rows("SELECT max(id) FROM accounts")[0][0]  # type: ignore[assignment]
        self._transfer = self._rows("SELECT max(id) FROM transfers")[0][0]  # type: ignore[assignment]
        return rows

    def _change(self) -> None:
        self._raw.executemany("UPDATE accounts SET balance = balance + ? WHERE id = ?", self._balances)
        self._raw.executemany("UPDATE lots SET rest = rest + ? WHERE transfer = ? AND number = ?", self._lots)


def visits(rng: random.Random, holders: list[int], count: int) -> list[Fact]:
    """At least so many facts of whole visits; cut off at `count`."""
    boot, facts = rng.randbytes(8), list[Fact]()
    for visit in itertools.count():
        if len(facts) >= count:
            break
        at, holder = Stamp(1_700_000_000_000 + len(facts), len(facts), boot, True, 50), rng.choice(holders)
        facts.append(Redeemed(at, 1, rng.getrandbits(64) | 1, holder, 1, "signed", "shop-1", 0, 100, 1))
        facts.append(Earned(at, rng.randbytes(16), 1, holder, 12, "shop-1", 1_200, 1))
        if visit % 4 == 3:
            facts.append(Spent(at, rng.randbytes(16), 1, holder, 5, "shop-1"))
    return facts[:count]


def measure(folder: Path, *, count: int = 20, size: int = 500, members: int = MEMBERS) -> Measured:
    """Books `count` batches of `size` facts, then writes what came of it into a second database."""
    rng, key = random.Random(7), SigningKey.generate()
    database = Database(f"sqlite:///{folder / 'centre.db'}")
    migrate.upgrade(database)
    incarnation = Witness(database, folder / "centre.mark").start()
    holders = rng.sample(range(1, 2**48), members)
    with database.write() as connection:
        registry.add_device(connection, "lane-1", "shop-1", key.verify_key.encode(), 0)
        campaign = Campaign(id=1, name="100", kind=Kind.AMOUNT, policy=Policy.SIGNED, provider="shop-1", amount_yen=100)
        issue.issue(connection, campaign, 0)
        programmes.put(connection, Programme(id=1, name="points", days=365), 0)
        programmes.set_rule(connection, EarnRule(programme=1, site="shop-1", per_yen=100), 0)
        connection.exec_driver_sql(
            "INSERT INTO persons (name, password_hash, holder, created_ms) VALUES (?, '', ?, 0)",
            [(f"{holder:x}", holder) for holder in holders],
        )
    ingest = Ingest(database, incarnation, secrets.token_bytes(32))
    epoch, centre_s, raw_s = secrets.token_bytes(16), list[float](), list[float]()
    before, raw = chain.genesis("lane-1", epoch), RawLedger(database, folder / "raw.db")
    for number in range(count):  # in turn, so that both sides meet the same machine
        bodies = [encode_fact(fact) for fact in visits(rng, holders, size)]
        hashes, first = chain.links(before, bodies), number * size + 1
        head = chain.signed_head("lane-1", epoch, first + size - 1, hashes[-1])
        payload = encode(Batch(epoch, first, before, hashes[-1], bodies, key.sign(head).signature))
        before = hashes[-1]
        began = time.perf_counter()
        ack = ingest.book(payload, Origin("lane-1", "tk/1/demo/shop-1/lane-1/up/ev", 1_700_000_100_000))
        centre_s.append(time.perf_counter() - began)
        assert ack.status == "ok"
        raw_s.append(raw.insert(number * size, (number + 1) * size))
    raw.close()
    with database.read() as connection:
        assert audit.audit(connection) == []
    database.close()
    return Measured(centre_s, raw_s, size)


def main(arguments: list[str] | None = None) -> int:
    taken = given("Visits with points booked by the centre, beside raw writes of the same rows.", arguments)
    with tempfile.TemporaryDirectory(dir=taken.folder) as folder:
        measured = measure(Path(folder), count=BATCHES[taken.size])
    facts, limits = measured.size * len(measured.centre_s), Limits()
    limits.at_most(
        f"booking of {facts:,} facts of visits with points, times the raw writes",
        1 / measured.ratio,
        AT_MOST,
        f"centre {measured.size / median(measured.centre_s):,.0f}/s, "
        f"raw {measured.size / median(measured.raw_s):,.0f}/s",
    )
    return limits.code()


if __name__ == "__main__":
    sys.exit(main())
