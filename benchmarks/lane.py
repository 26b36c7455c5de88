"""A lane for benchmarks: the real core and the real store, joined as the runner joins them, and ways to fill them.

`redeem` is what `edge_agent.runner` does with a scan up to its commit: what is needed, one transaction that reads
the rows, judges and writes, then `adopt`. Filling goes by plain SQL, in one go, and gives the same rows that years
of trade would.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Final

import msgspec
from nacl.signing import SigningKey

from benchmarks.figures import timed_ms
from edge_agent.core.machine import Core
from edge_agent.core.states import Mode
from edge_agent.core.visit import Moment
from edge_agent.store.journal import signed64
from edge_agent.store.store import FILE_NAME, Store
from hal.events import Scanned
from loyalty.barcode.own import mint
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.coupon import Coupon
from loyalty.reason import Reason
from wire import chain, sealing
from wire.facts import Redeemed, Stamp, encode_fact
from wire.messages import PutCampaign, PutKey, PutSecret, encode

DEVICE: Final = "lane-1"
SITE: Final = "shinjuku"
CAMPAIGN: Final = Campaign(
    id=1, name="S楽器 1000円券", kind=Kind.AMOUNT, policy=Policy.SIGNED, provider="s", amount_yen=1000
)
KEY_ID: Final = 1
NOW_MS: Final = 1_760_000_000_000  # in the past of the centre that books it: nothing is booked before it happens
BOOT: Final = b"bench..."
EPOCH: Final = b"epoch of a bench"
FILL_ROWS: Final = 20_000  # inserted at a time
FILL_CACHE_KIB: Final = 1_000_000
CHECKPOINT_EVERY: Final = 400  # redemptions


class Lane:
    """See the module."""

    def __init__(self, folder: Path, campaign: Campaign = CAMPAIGN) -> None:
        self.folder = folder
        self.campaign = campaign
        self.signing = SigningKey(b"k" * 32)
        self.random = Random(1)
        self.store = Store(folder, DEVICE)
        if not self.store.journal.epoch:
            self.store.start(EPOCH)
            public = self.signing.verify_key.encode()
            told = (PutSecret(b"s" * 32), PutKey(KEY_ID, public), PutCampaign(campaign))
            with self.store.transaction():
                self.store.cache.apply(told, b"i" * 16, len(told))
        self.core = Core(site=SITE, mode=Mode.KIOSK, ask_wait_ms=2_000, new_id=lambda: os.urandom(16))

    def scan(self) -> Scanned:
        """A fresh coupon of a serial that nobody has seen, as the decoder hands it over."""
        coupon = Coupon(
            campaign=self.campaign.id, serial=self.random.getrandbits(64) | 1, holder=self.random.getrandbits(48) | 1,
            key=KEY_ID,
        )  # fmt: skip
        return Scanned(text=mint(self.signing, coupon).encode(), format="qr")

    def redeem(self, scan: Scanned) -> int:
        """Decide and make durable; gives the fact's position. An accepted coupon is taken for granted."""
        at = Moment(wall_ms=NOW_MS, mono_ms=time.monotonic_ns() // 1_000_000, boot=BOOT, trusted=True)
        wants = self.core.needs(scan)
        with self.store.transaction():
            step = self.core.handle(scan, self.store.look_up(wants), at)
            position = self.store.keep(step)
        self.core.adopt(step)
        assert step.verdict is not None, "a scan without a verdict"
        assert step.verdict.reason is Reason.OK, step.verdict.reason
        return position

    def close(self) -> None:
        self.store.close()


def fill_seen(folder: Path, count: int) -> None:
    """`count` redemptions that the centre told of, in the cache of the closed store in `folder`."""
    with closing(_opened(folder)) as sql:
        index = _dropped(sql, "seen_0")
        sql.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO seen_0 (key, campaign, holder, at_ms, site, fact, provisional)"
            " SELECT randomblob(16) AS k, ?, randomblob(16), ? - i, ?, randomblob(16), 0 FROM n ORDER BY k",
            (count, CAMPAIGN.id, NOW_MS, "shibuya"),
        )
        _finish(sql, index)


def fill_campaigns(folder: Path, count: int) -> None:
    """`count` other campaigns, of every policy, in the cache of the closed store in `folder`."""
    policies = tuple(Policy)
    with closing(_opened(folder)) as sql:
        rows = []
        for number in range(1_000, 1_000 + count):
            policy = policies[number % len(policies)]
            campaign = msgspec.structs.replace(
                CAMPAIGN,
                id=number,
                policy=policy,
                serials=policy is not Policy.OPEN,
                cap=1_000 if policy is Policy.LEASE else None,
                jan=f"{number:013}" if policy is Policy.OPEN else "",
            )
            rows.append((number, campaign.jan, encode(campaign), policy is Policy.LEASE))
        sql.executemany("INSERT INTO campaigns (id, found_by, body, leased) VALUES (?, ?, ?, ?)", rows)
        _finish(sql, [])


def fill_waiting(folder: Path, count: int, seed: int = 7) -> None:
    """`count` redemptions of this lane that wait to be booked, in the closed store in `folder`: a valid chain."""
    random = Random(seed)
    with closing(_opened(folder)) as sql:
        (epoch,) = sql.execute("SELECT epoch FROM epochs").fetchone()
        assert sql.execute("SELECT count(*) FROM journal").fetchone() == (0,), "only an empty journal can be filled"
        index = _dropped(sql, "own")
        head = chain.genesis(DEVICE, epoch)
        for start in range(0, count, FILL_ROWS):
            journal, own = [], []
            for position in range(start + 1, min(count, start + FILL_ROWS) + 1):
                serial, holder = random.getrandbits(64) | 1, random.getrandbits(48) | 1
                at_ms = NOW_MS - count + position
                fact = Redeemed(
                    Stamp(at_ms, position, BOOT, True, 50), CAMPAIGN.id, serial, holder, 1, "signed", SITE, 0, 1000,
                    KEY_ID,
                )  # fmt: skip
                body = encode_fact(fact)
                head = chain.link(head, body)
                journal.append((position, at_ms, head, body))
                name = sealing.fact_id(DEVICE, epoch, position)
                own.append((position, CAMPAIGN.id, signed64(serial), holder, at_ms, 1, name, b""))
            sql.executemany("INSERT INTO journal VALUES (?, ?, ?, ?)", journal)
            sql.executemany("INSERT INTO own VALUES (?, ?, ?, ?, ?, ?, ?, ?)", own)
        _finish(sql, index)


def _opened(folder: Path) -> sqlite3.Connection:
    sql = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = OFF", f"cache_size = -{FILL_CACHE_KIB}"):
        sql.execute(f"PRAGMA {pragma}")
    sql.execute("BEGIN")
    return sql


def _dropped(sql: sqlite3.Connection, table: str) -> list[str]:
    """The statements that make the table's indices again; they are dropped, and built in one go after the rows."""
    found = sql.execute("SELECT name, sql FROM sqlite_master WHERE tbl_name = ? AND type = 'index'", (table,))
    made = [(name, statement) for name, statement in found if statement]
    for name, _ in made:
        sql.execute(f"DROP INDEX {name}")
    return [statement for _, statement in made]


def _finish(sql: sqlite3.Connection, index: list[str]) -> None:
    for statement in index:
        sql.execute(statement)
    sql.execute("COMMIT")
    sql.execute("PRAGMA synchronous = FULL")
    sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    os.sync()


def redeeming(lane: Lane) -> Callable[[], float]:
    """One redemption, milliseconds; a checkpoint between two of them now and then, as the agent does."""
    count = 0

    def side() -> float:
        nonlocal count
        count += 1
        if count % CHECKPOINT_EVERY == 0:
            lane.store.connection.checkpoint()
        scan = lane.scan()
        return timed_ms(lambda: lane.redeem(scan))

    return side
