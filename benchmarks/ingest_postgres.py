"""Ingest on PostgreSQL beside pgbench's TPC-B-like transactions: the same server, as many clients, in turn.

An event is a purchase with its redemption and its points: two facts of a lane's journal, and all postings of the
ledger, which is audited in the end. Each client is a process of
its own with its own connections and its own lane, and books batches as the centre does: signature, chain, rules,
rows, feed, one durable commit for each batch, as PostgreSQL's settings are by default. In the first rounds every lane
has a coupon of its own. Then, stated: all lanes redeem one and the same coupon, which is the worst there is, for such
batches wait for each other; and batches of a single event, which is what a busy shop sends while it is online.
"""

from __future__ import annotations

import multiprocessing
import re
import secrets
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median
from typing import NamedTuple

from nacl.signing import SigningKey

from benchmarks.figures import Limits, Size, given, in_turn
from central import registry
from central.coupons import issue
from central.db.database import Database
from central.incarnation import Witness
from central.ingest import Ingest, Origin
from central.ledger import audit, programmes
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.points import EarnRule, Programme
from tests.postgres import MISSING, Postgres, programs
from wire import chain
from wire.facts import Earned, Redeemed, Stamp, encode_fact
from wire.messages import Batch, encode

NOW_MS = 1_700_000_000_000
BATCH_EVENTS = 250  # 500 facts, as a unit with a backlog sends them
MEMBER_SHARE_MIN = 0.7  # of the rate with 1,000 members, however many there are


class Sizes(NamedTuple):
    """How much is measured."""

    clients: int
    batches: int  # of each client, in one round
    rounds: int
    pgbench_s: int
    scale: int
    members: tuple[int, ...]


SIZES = {
    Size.QUICK: Sizes(2, 4, 1, 2, 1, (1_000,)),
    Size.USUAL: Sizes(8, 12, 3, 10, 10, (1_000, 100_000)),
    Size.FULL: Sizes(8, 40, 3, 30, 50, (1_000, 100_000, 5_000_000)),
}


class Work(NamedTuple):
    """What one client is told to do."""

    url: str
    device: str
    key: bytes
    campaign: int
    members: int
    batches: int
    events: int  # in each batch
    incarnation: bytes


_together: Barrier | None = None


def _start(barrier: Barrier) -> None:
    global _together
    _together = barrier


def _book(work: Work) -> tuple[float, float, int]:
    """One client's round: when it began and ended (the machine's monotonic clock), and its events."""
    payloads = _payloads(work)
    database = Database(work.url)
    ingest = Ingest(database, work.incarnation, b"s" * 32)
    with database.read() as connection:
        registry.find(connection, work.device)  # connected, and everything is imported
    assert _together is not None
    _together.wait(60)
    began = time.monotonic()
    for payload in payloads:
        ack = ingest.book(payload, Origin(work.device, f"tk/1/demo/shop/{work.device}/up/ev", NOW_MS + 100_000))
        assert (ack.status, ack.aside) == ("ok", 0), ack
    ended = time.monotonic()
    database.close()
    return began, ended, len(payloads) * work.events


def _payloads(work: Work) -> list[bytes]:
    """Signed batches of a new epoch."""
    key, epoch, boot = SigningKey(work.key), secrets.token_bytes(16), secrets.token_bytes(8)
    before, first, out = chain.genesis(work.device, epoch), 1, []
    for _ in range(work.batches):
        facts: list[bytes] = []
        for number in range(work.events):
            stamp = Stamp(NOW_MS + first + number, first + number, boot, True, 50)
            holder = 1 + secrets.randbelow(work.members)
            use = Redeemed(
                at=stamp, campaign=work.campaign, serial=secrets.randbits(64) | 1, holder=holder, revision=1,
                policy="signed", site="shop", spend_yen=1_000, discount_yen=100, key=1,
            )  # fmt: skip
            facts.append(encode_fact(use))
            facts.append(encode_fact(Earned(stamp, secrets.token_bytes(16), 1, holder, 10, "shop", 1_000, 1)))
        hashes = chain.links(before, facts)
        last = first + len(facts) - 1
        head = chain.signed_head(work.device, epoch, last, hashes[-1])
        out.append(encode(Batch(epoch, first, before, hashes[-1], facts, key.sign(head).signature)))
        before, first = hashes[-1], last + 1
    return out


class Bench:
    """One server with pgbench's tables and a centre's, and the clients of both."""

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        self.sizes = sizes
        self.server = Postgres(durable=True, connections=20 + 2 * sizes.clients)
        self.server.start()
        self.server.make_template()
        self.pgbench_url = self.server.empty("pgbench").replace("+psycopg", "")
        self._pgbench("-i", "-q", "-s", str(sizes.scale))
        self._folder = folder
        self.keys = [SigningKey.generate() for _ in range(sizes.clients)]
        self._barrier = multiprocessing.get_context("spawn").Barrier(sizes.clients)
        self._pool = ProcessPoolExecutor(
            sizes.clients, multiprocessing.get_context("spawn"), initializer=_start, initargs=(self._barrier,)
        )

    def close(self) -> None:
        self._pool.shutdown()
        self.server.close()

    def _pgbench(self, *words: str) -> str:
        command = [str(self.server.bin / "pgbench"), *words, self.pgbench_url]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def tpcb(self) -> float:
        """pgbench's transactions a second."""
        threads = str(min(self.sizes.clients, 2))
        said = self._pgbench("-n", "-c", str(self.sizes.clients), "-j", threads, "-T", str(self.sizes.pgbench_s))
        found = re.search(r"tps = ([0-9.]+)", said)
        assert found is not None, said
        return float(found.group(1))

    def centre(self, members: int) -> tuple[str, bytes]:
        """A database in which every member has used one coupon already; its URL and its incarnation."""
        name = self.server.fresh()
        url = self.server.url(name)
        database = Database(url)
        incarnation = Witness(database, self._folder / f"{name}.mark").start()
        with database.write() as connection:
            for number, key in enumerate(self.keys):
                registry.add_device(connection, f"lane-{number}", "shop", key.verify_key.encode(), 0)
            for number in range(self.sizes.clients + 1):
                issue.issue(connection, _campaign(number + 1), 0)
            programmes.put(connection, Programme(id=1, name="points", days=365, shared=True), 0)
            programmes.set_rule(connection, EarnRule(programme=1, site="shop", per_yen=100), 0)
            run = connection.exec_driver_sql
            run(
                "INSERT INTO persons (name, password_hash, holder, created_ms) "
                f"SELECT 'person ' || m, '', m, 0 FROM generate_series(1, {members}) m"
            )
            run(
                "INSERT INTO accounts (kind, programme, holder, place, balance, held) "
                f"SELECT 'member', 1, m, '', 0, 0 FROM generate_series(1, {members}) m"
            )
            run(
                "INSERT INTO epochs (device_id, epoch, upto, upto_hash, opened_by, previous, after, flagged_until, "
                f"opened_ms) SELECT min(id), '\\x00', {members}, '\\x00', '', '', 0, 0, 0 FROM devices"
            )
            run(
                "INSERT INTO facts SELECT e.id, m, '\\x00', 'rd', '\\x00', 0 "
                f"FROM epochs e, generate_series(1, {members}) m"
            )
            run(
                "INSERT INTO redemptions (epoch_id, seq, device_id, campaign, serial, holder, site, at_ms, booked_ms, "
                "discount_yen, state, flags) "
                "SELECT e.id, m, e.device_id, 1, m * 7919, m, 'shop', 0, 0, 100, 'cleared', 0 "
                f"FROM epochs e, generate_series(1, {members}) m"
            )
        with self.server.connect(name) as session:
            session.execute("VACUUM ANALYZE")
            session.execute("CHECKPOINT")
        database.close()
        return url, incarnation

    def check(self, centre: tuple[str, bytes]) -> None:
        """The books are right, and every event is in them."""
        database = Database(centre[0])
        with database.read() as connection:
            assert audit.audit(connection) == []
            run = connection.exec_driver_sql
            told = run("SELECT count(*) FROM facts WHERE type = 'pe'").scalar_one()
            assert told == run("SELECT count(*) FROM transfers WHERE kind = 'earn'").scalar_one() > 0
            assert run("SELECT count(*) FROM conflicts").scalar_one() == 0
        database.close()

    def events(
        self, centre: tuple[str, bytes], members: int, *, one_coupon: bool = False, single: bool = False
    ) -> float:
        """Events a second, of all clients together."""
        url, incarnation = centre
        batches, events = (self.sizes.batches * 20, 1) if single else (self.sizes.batches, BATCH_EVENTS)
        works = [
            Work(
                url,
                f"lane-{number}",
                bytes(key),
                1 if one_coupon else number + 2,
                members,
                batches,
                events,
                incarnation,
            )
            for number, key in enumerate(self.keys)
        ]
        told = list(self._pool.map(_book, works))
        seconds = max(ended for _, ended, _ in told) - min(began for began, _, _ in told)
        return sum(events for _, _, events in told) / seconds


def _campaign(number: int) -> Campaign:
    return Campaign(
        id=number, name=str(number), kind=Kind.AMOUNT, policy=Policy.SIGNED, provider="shop", amount_yen=100
    )


def measure(folder: Path, sizes: Sizes, limits: Limits) -> None:
    bench = Bench(folder, sizes)
    try:
        least = sizes.members[0]
        centres = {members: bench.centre(members) for members in sizes.members}
        bench.events(centres[least], least)  # everybody is warm
        tps, *rates = in_turn(
            sizes.rounds,
            bench.tpcb,
            *(lambda members=members: bench.events(centres[members], members) for members in sizes.members),
        )
        hot = bench.events(centres[least], least, one_coupon=True)
        single = bench.events(centres[least], least, single=True)
        bench.check(centres[least])
    finally:
        bench.close()
    beside = median(tps)
    for members, rate in zip(sizes.members, rates, strict=True):
        sides = f"{median(rate):,.0f} events/s, pgbench {beside:,.0f} tps, {sizes.clients} clients each"
        limits.at_least(f"events to TPC-B transactions, {members:,} members", median(rate) / beside, 1.0, sides)
        if members != least:
            limits.at_least(
                f"rate with {members:,} members to that with {least:,}",
                median(rate) / median(rates[0]),
                MEMBER_SHARE_MIN,
                f"{median(rate):,.0f} and {median(rates[0]):,.0f} events/s",
            )
    limits.stated("one coupon for all lanes", f"{hot:,.0f} events/s, {hot / beside:.2f} times pgbench's rate")
    limits.stated("batches of one event", f"{single:,.0f} events/s, {single / beside:.2f} times pgbench's rate")


def main(arguments: list[str] | None = None) -> int:
    taken = given("Ingest on PostgreSQL, beside pgbench on the same server.", arguments)
    limits = Limits()
    if programs() is None:
        limits.stated("left out", MISSING)
        return 0
    with tempfile.TemporaryDirectory(dir=taken.folder) as folder:
        measure(Path(folder), SIZES[taken.size], limits)
    return limits.code()


if __name__ == "__main__":
    sys.exit(main())
