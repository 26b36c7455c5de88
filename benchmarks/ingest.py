"""Ingest beside raw SQLite: batches booked by the centre, and the same rows inserted by the driver alone.

Both sides write to the same disk with the same schema, pragmas and one durable commit for each batch. The raw
side is given its rows ready-made (taken from what the centre wrote) and uses `executemany`.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from nacl.signing import SigningKey

from benchmarks.figures import Limits, Size, given
from benchmarks.raw_centre import RawCentre
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

BATCHES = {Size.QUICK: 20, Size.USUAL: 100, Size.FULL: 400}


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
    raw = RawCentre(database, folder / "raw.db")
    centre_s, raw_s = [], []
    for number, payload in enumerate(payloads):  # in turn, so that both sides meet the same machine
        began = time.perf_counter()
        ack = ingest.book(payload, Origin("lane-1", "tk/1/demo/shop-1/lane-1/up/ev", 1_700_000_100_000))
        centre_s.append(time.perf_counter() - began)
        assert ack.status == "ok"
        raw_s.append(raw.insert(number * size, (number + 1) * size))
    raw.close()
    database.close()
    return Measured(centre_s, raw_s, size)


def main(arguments: list[str] | None = None) -> int:
    taken = given("Batches booked by the centre, beside raw inserts.", arguments)
    with tempfile.TemporaryDirectory(dir=taken.folder) as folder:
        measured = measure(Path(folder), count=BATCHES[taken.size])
    facts = measured.size * len(measured.centre_s)
    Limits().stated(
        f"booking of {facts:,} facts in batches of {measured.size}, rate to the raw rate",
        f"{measured.ratio:.3f}; centre {measured.size / median(measured.centre_s):,.0f}/s, "
        f"raw {measured.size / median(measured.raw_s):,.0f}/s",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
