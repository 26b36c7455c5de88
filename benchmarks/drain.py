"""Draining a backlog with end-to-end acknowledgement, beside raw batched inserts of the same rows.

Ours: the real agent on a store with a full journal, a real Mosquitto, the real `tokuten central` in a process of its
own. A fact counts when the unit's cursor passed it, and that is when the centre's database has committed it. The raw
side gets the rows that the centre wrote and inserts them batch by batch as they were acknowledged
(`benchmarks.raw_centre`), with nothing else to do.

    rate of the drain to the raw rate: at least a half
    from the start of the drain to the hint of a fresh redemption at the centre: within a second

The same with 200 ms of round trip and 1 % of PUBLISH packets lost each way is stated, as is the time until the
fresh redemption itself is booked.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from nacl.signing import SigningKey
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.agents import agent
from benchmarks.figures import Limits, Size, given
from benchmarks.lane import CAMPAIGN, DEVICE, EPOCH, SITE, fill_waiting
from benchmarks.raw_centre import RawCentre
from central import registry
from central.coupons import issue
from central.coupons.keyring import signing
from central.office import Office, create, now_ms
from central.settings import CentralSettings
from edge_agent.runner import Agent
from edge_agent.settings import BrokerLogin, UnitSettings
from edge_agent.store.store import Store
from hal.events import Scanned
from hal.virtual.world import World
from loyalty.barcode.own import mint
from loyalty.coupon import Coupon
from tests.chaos import Chaos, Faults
from tests.scenario.house import Process
from tests.servers import Mosquitto, Relay, wait_until
from wire import topics

RATE_MIN: Final = 0.5
HINT_WITHIN_S: Final = 1.0
FACTS: Final = {Size.QUICK: 50_000, Size.USUAL: 1_000_000, Size.FULL: 1_000_000}
FAR_FACTS: Final = {Size.QUICK: 5_000, Size.USUAL: 20_000, Size.FULL: 100_000}
FAR_DELAY_MS: Final = 100  # each way
FAR_LOSS: Final = 0.01
FRESH_SERIAL: Final = 0x7E57_0000_0000_0001
LEAST_PER_S: Final = 200  # a drain slower than this is given up
GRACE_S: Final = 60.0
TURN_S: Final = 0.05
LOOK_S: Final = 0.01
OTHER: Final = "lane-2"


class Drained(NamedTuple):
    """What one drain took. Seconds since its start; None: it never came."""

    cursor: list[int]  # how far the unit's cursor was, acknowledgement by acknowledgement
    taken_s: float
    hint_s: float | None  # the fresh redemption's hint stands in the centre's database
    told_s: float | None  # another unit of the site has heard of it
    booked_s: float | None


class Lines:
    """The agent's lines: when it connected, and the way of the fresh redemption."""

    def __init__(self) -> None:
        self.up_s: float | None = None
        self.at_s: dict[str, float] = {}
        self.position = 0

    def write(self, line: bytes) -> None:
        said = msgspec.json.decode(line)
        if said["event"] == "link" and said["up"] and self.up_s is None:
            self.up_s = time.monotonic()
        elif said["event"] == "scan":
            self.at_s[said["step"]] = time.monotonic()
            self.position = said.get("position", self.position)


class Site:
    """A broker, the centre, and the disk of one unit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mosquitto = Mosquitto(folder)
        self.mosquitto.start()
        self.key = SigningKey.generate()
        # The whole log is kept: the raw side inserts its rows too.
        self.settings = CentralSettings(data_dir=str(folder / "centre"), log_kept_changes=10_000_000)
        self.office: Office = create(self.settings)
        with self.office.database.write() as connection:
            registry.add_device(connection, DEVICE, SITE, self.key.verify_key.encode(), now_ms())
            registry.add_device(connection, OTHER, SITE, SigningKey.generate().verify_key.encode(), now_ms())
            issue.issue(connection, CAMPAIGN, now_ms())
            self.key_id, self.signing = signing(connection, self.office.keys)
        config = folder / "centre.toml"
        config.write_text(
            f'[central]\ndata_dir = "{self.settings.data_dir}"\nlog_kept_changes = 10000000\n'
            f'[central.broker]\nport = {self.mosquitto.port}\n'
            f'password_file = "{self.mosquitto.password_file("centre")}"\n[central.http]\nenabled = false\n'
        )  # fmt: skip
        self.centre = Process(folder, "central", "--config", str(config))
        wait_until(lambda: any(line.get("connected") for line in self.centre.lines), 60, "the centre to connect")

    @property
    def database(self) -> Path:
        return self.settings.folder / "centre.db"

    def close(self) -> None:
        self.centre.end()
        self.office.close()
        self.mosquitto.stop()


@contextlib.contextmanager
def unit_of(site: Site, port: int, lines: Lines) -> Iterator[tuple[Agent, Store]]:
    """The agent of the unit, its broker at `port`; not yet started."""
    login = BrokerLogin(port=port, password_file=str(site.mosquitto.password_file(DEVICE)))
    settings = UnitSettings(device=DEVICE, site=SITE, data_dir=str(site.folder / "unit"), broker=login)
    store = Store(settings.folder, DEVICE)
    store.start(EPOCH)
    keys = (site.key, site.office.keys.centre().verify_key)
    with agent(settings, store, World(), keys, lines.write) as unit:
        yield unit, store


class Witness:
    """Sees the fresh redemption from outside: its hint in the centre's database, its change at another unit."""

    def __init__(self, site: Site, lines: Lines) -> None:
        self._site, self._lines = site, lines
        self.name = b""  # of the fact, once it is on disk
        self.hint_s: float | None = None
        self.told_s: float | None = None
        self.stop = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=OTHER, protocol=paho.MQTTv311)
        self._client.username_pw_set(OTHER, site.mosquitto.passwords[OTHER])
        self._client.on_message = self._heard
        self._client.connect("127.0.0.1", site.mosquitto.port)
        self._client.subscribe(topics.Address("demo", SITE, OTHER).whole_site.topic(topics.DN_FEED), 1)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _heard(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        if self.told_s is None and self.name and self.name in message.payload:
            self.told_s = time.monotonic()

    def _look(self) -> None:
        """Until the hint stands there; a look costs the centre nothing that it could feel."""
        with contextlib.closing(sqlite3.connect(f"file:{self._site.database}?mode=ro", uri=True)) as sql:
            while not self.stop.wait(LOOK_S):
                if self.name and sql.execute("SELECT 1 FROM hints WHERE fact = ?", (self.name,)).fetchone():
                    self.hint_s = time.monotonic()
                    return

    def close(self) -> None:
        self.stop.set()
        self._thread.join(5)
        self._client.disconnect()
        self._client.loop_stop()


def drain(site: Site, facts: int, port: int) -> Drained:
    """Fill the journal of a unit that knows its campaigns, connect it, and let it run dry; one redemption amid."""
    before = Lines()
    with unit_of(site, site.mosquitto.port, before) as (unit, store):
        unit.start()
        turn_until(unit, lambda: store.cache.campaigns_count() > 0, 60, "the campaigns")
    fill_waiting(site.folder / "unit", facts)
    lines = Lines()
    cursor: list[int] = []
    with unit_of(site, port, lines) as (unit, store), contextlib.closing(Witness(site, lines)) as witness:
        uplink = unit._centre.uplink
        unit.start()
        coupon = Coupon(campaign=CAMPAIGN.id, serial=FRESH_SERIAL, key=site.key_id)
        scan = Scanned(text=mint(site.signing, coupon).encode(), format="qr")
        give_up_s = time.monotonic() + GRACE_S + facts / LEAST_PER_S
        scanned = False
        while uplink.waiting and time.monotonic() < give_up_s:
            unit.turn(TURN_S)
            acked = uplink.epochs[-1].acked
            if acked and (not cursor or acked > cursor[-1]):
                cursor.append(acked)
            if acked and not scanned:  # the first batch is booked, the next one on its way
                scanned = True
                unit.inbox.put(scan)
            if not witness.name and "on_disk" in lines.at_s:
                witness.name = store.journal.fact_id(lines.position)
        assert not uplink.waiting, f"{uplink.waiting} facts still wait after {facts / LEAST_PER_S + GRACE_S:.0f} s"
        assert lines.up_s is not None
        began_s = lines.up_s
        taken_s = time.monotonic() - began_s
        turn_until(unit, lambda: witness.hint_s and witness.told_s, 5, "")

        def since(at_s: float | None) -> float | None:
            return None if at_s is None else at_s - began_s

        return Drained(
            cursor, taken_s, since(witness.hint_s), since(witness.told_s), since(lines.at_s.get("booked"))
        )  # fmt: skip


def turn_until(unit: Agent, done: Any, timeout_s: float, what: str) -> None:
    """Let the agent run until `done()`; AssertionError when it does not come, unless `what` is empty."""
    end_s = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > end_s:
            assert not what, f"waited {timeout_s:g} s in vain for {what}"
            return
        unit.turn(TURN_S)


def near(folder: Path, facts: int, limits: Limits) -> None:
    """The drain beside the raw inserts, and the hint."""
    site = Site(folder)
    try:
        raw = RawCentre(site.office.database, folder / "raw.db")
        drained = drain(site, facts, site.mosquitto.port)
        load = os.getloadavg()[0]
        raw_s, booked = 0.0, 0
        for upto in drained.cursor:
            raw_s += raw.insert(booked, upto)
            booked = upto
        raw.close()
    finally:
        site.close()
    assert booked == facts + 1, f"{booked} of {facts + 1} facts were booked"
    ours, theirs = booked / drained.taken_s, booked / raw_s
    limits.at_least(
        f"drain of {facts:,} facts, rate to the raw rate",
        ours / theirs,
        RATE_MIN,
        f"ours {ours:,.0f}/s ({drained.taken_s:.1f} s, {len(drained.cursor)} batches, load {load:.1f}); "
        f"raw {theirs:,.0f}/s ({raw_s:.1f} s)",
    )
    limits.at_most(
        "from the start of the drain to a fresh redemption's hint at the centre, s",
        drained.hint_s if drained.hint_s is not None else float("inf"),
        HINT_WITHIN_S,
        f"{_waits(drained)}",
    )


def far(folder: Path, facts: int, limits: Limits) -> None:
    """The same over a long and lossy line; stated."""
    site = Site(folder)
    faults = Faults(drop=FAR_LOSS)
    chaos = Chaos(site.mosquitto.port, seed=3, up=faults, down=faults)
    line = Relay(chaos.port)
    line.delay_ms = FAR_DELAY_MS
    try:
        raw = RawCentre(site.office.database, folder / "raw.db")
        drained = drain(site, facts, line.port)
        raw_s, booked = 0.0, 0
        for upto in drained.cursor:
            raw_s += raw.insert(booked, upto)
            booked = upto
        raw.close()
    finally:
        line.close()
        chaos.close()
        site.close()
    ours, theirs = booked / drained.taken_s, booked / raw_s
    lost = sum(count for name, count in chaos.counts.items() if name.endswith(" drop"))
    limits.stated(
        f"drain of {facts:,} facts, {2 * FAR_DELAY_MS} ms round trip, {FAR_LOSS:.0%} loss",
        f"ours {ours:,.0f}/s, raw {theirs:,.0f}/s, ratio {ours / theirs:.3f}; {lost} packets lost; {_waits(drained)}",
    )


def _waits(drained: Drained) -> str:
    def words(at_s: float | None) -> str:
        return "never" if at_s is None else f"after {at_s:.2f} s"

    return (
        f"hint {words(drained.hint_s)}, another unit knows {words(drained.told_s)}, "
        f"booked {words(drained.booked_s)} of {drained.taken_s:.1f} s"
    )


def main(arguments: list[str] | None = None) -> int:
    taken = given("A backlog drained to the centre, beside raw inserts.", arguments)
    limits = Limits()
    with tempfile.TemporaryDirectory(dir=taken.folder) as name:
        folder = Path(name)
        for part in ("near", "far"):
            (folder / part).mkdir()
        near(folder / "near", FACTS[taken.size], limits)
        far(folder / "far", FAR_FACTS[taken.size], limits)
    return limits.code()


if __name__ == "__main__":
    sys.exit(main())
