"""From a yes on one lane to the refusal on another, with no centre in reach: two real agents and a local hub.

Both agents run in this process, each on a thread and a disk of its own; the hub is the broker that one of them was
elected to run, a process of its own. A coupon is scanned on lane A. The clock starts when A shows green; as soon as B's
store has it (seen through a connection of its own), it is scanned on B, and the clock stops when B shows its refusal.
Beside it, in turn, the raw side: a plain paho client publishes as many bytes through
the very same broker to another one, from publish to deliver.

    from A's green to B's refusal, the slowest of all: within a second
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
from nacl.signing import SigningKey
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.agents import agent
from benchmarks.figures import Limits, Size, given, in_turn, percentile, spread
from benchmarks.lane import CAMPAIGN, EPOCH, KEY_ID, SITE
from edge_agent.runner import Agent
from edge_agent.settings import BrokerLogin, SiteNetwork, UnitSettings
from edge_agent.site.net import SiteNet
from edge_agent.store.store import Store
from hal.events import Scanned
from hal.virtual.world import World
from loyalty.barcode.own import mint
from loyalty.coupon import Coupon
from tests.scenario.site_house import free_udp_port
from tests.servers import wait_until
from wire import sealing, site_envelope, site_messages
from wire.messages import Change, PutCampaign, PutKey, PutLane, PutSecret

WITHIN_MS: Final = 1_000.0
ROUNDS: Final = {Size.QUICK: 50, Size.USUAL: 1_000, Size.FULL: 1_000}
RAW_BYTES: Final = 250  # what one redemption is on the wire, signed
MEET_S: Final = 30.0
GIVE_UP_S: Final = 10.0
CLOSED_PORT: Final = 1  # where the centre would be
LOOK_S: Final = 0.0002
SECRET: Final = b"s" * 32
CENTRE: Final = SigningKey(b"c" * 32)
ISSUER: Final = SigningKey(b"k" * 32)
NAMES: Final = ("lane-1", "lane-2", "raw-1", "raw-2")
KEYS: Final = {name: SigningKey(name.encode().ljust(32, b".")) for name in NAMES}


class RunningLane:
    """One agent on a thread of its own, and what it last decided."""

    def __init__(self, name: str, unit: Agent) -> None:
        self.name, self.unit = name, unit
        self.reason = ""
        self.decided = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._over = threading.Event()

    def see(self, line: bytes) -> None:
        said: dict[str, Any] = msgspec.json.decode(line)
        if said.get("step") == "decided":
            self.reason = said["reason"]
        elif said.get("step") == "shown":
            self.decided.set()

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        self.unit.start()
        while not self._over.is_set():
            self.unit.turn(0.05)

    def scan(self, text: bytes) -> str:
        """The reason that it shows."""
        self.decided.clear()
        self.unit.inbox.put(Scanned(text=text, format="qr"))
        assert self.decided.wait(GIVE_UP_S), f"{self.name} does not answer"
        return self.reason

    def sees_others(self) -> bool:
        return bool(self.unit.site.lanes(time.monotonic_ns() // 1_000_000))

    def end(self) -> None:
        self._over.set()
        self._thread.join(GIVE_UP_S)


class RawPair:
    """A publisher and a listener at the hub, with nothing of ours in between."""

    def __init__(self, hub: str, session: bytes, address: str, port: int) -> None:
        self._heard = threading.Event()
        self._topic = site_messages.topic("demo", SITE, "raw-1", "raw-2")
        self._out, self._in = (self._client(name, hub, session) for name in ("raw-1", "raw-2"))
        subscribed = threading.Event()
        own = site_messages.topic("demo", SITE, "+", "raw-2")
        self._in.on_message = lambda *_: self._heard.set()
        self._in.on_subscribe = lambda *_: subscribed.set()
        welcome = threading.Event()
        self._in.on_connect = lambda *_: welcome.set()
        for client in (self._in, self._out):
            client.connect(address, port)
            client.loop_start()
        assert welcome.wait(GIVE_UP_S), "the raw side is not let in"
        self._in.subscribe(own, 0)
        assert subscribed.wait(GIVE_UP_S), "the raw side is not let in"

    @staticmethod
    def _client(name: str, hub: str, session: bytes) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name)
        client.username_pw_set(name, site_envelope.login(KEYS[name], name, hub, session, b"raw side"))
        return client

    def once_ms(self) -> float:
        self._heard.clear()
        began = time.perf_counter_ns()
        self._out.publish(self._topic, b"x" * RAW_BYTES, 0)
        assert self._heard.wait(GIVE_UP_S), "the raw message did not come"
        return (time.perf_counter_ns() - began) / 1e6

    def close(self) -> None:
        for client in (self._in, self._out):
            client.disconnect()
            client.loop_stop()


@contextlib.contextmanager
def lanes(folder: Path) -> Iterator[tuple[RunningLane, RunningLane]]:
    """Two lanes that have found each other."""
    port = free_udp_port()
    with contextlib.ExitStack() as stack:
        made = []
        for number, name in enumerate(NAMES[:2]):
            own, other = f"127.0.0.{31 + number}", f"127.0.0.{32 - number}"
            network = SiteNetwork(addresses=[own], multicast="", beacon_port=port, peers=[other], hub_port=0)
            settings = UnitSettings(
                device=name, site=SITE, data_dir=str(folder / name), broker=BrokerLogin(port=CLOSED_PORT),
                site_network=network,
            )  # fmt: skip
            store = Store(settings.folder, name)
            store.start(EPOCH)
            told: list[Change] = [
                PutSecret(SECRET), PutKey(KEY_ID, ISSUER.verify_key.encode()), PutCampaign(CAMPAIGN),
                *(PutLane(each, SITE, key.verify_key.encode(), "active") for each, key in KEYS.items()),
            ]  # fmt: skip
            with store.transaction():
                store.cache.apply(told, b"i" * 16, len(told))
            seen: list[RunningLane] = []

            def write(line: bytes, seen: list[RunningLane] = seen) -> None:
                if seen:
                    seen[0].see(line)

            unit = stack.enter_context(agent(settings, store, World(), (KEYS[name], CENTRE.verify_key), write))
            seen.append(RunningLane(name, unit))
            made.append(seen[0])
        for lane in made:
            lane.start()
            stack.callback(lane.end)
        wait_until(lambda: all(lane.sees_others() for lane in made), MEET_S, "the lanes to meet")
        yield made[0], made[1]


def measure(folder: Path, rounds: int, limits: Limits) -> None:
    with lanes(folder) as (first, second):
        assert isinstance(first.unit.site_net, SiteNet)
        place = first.unit.site_net.following
        assert place is not None, "no hub is followed"
        raw = RawPair(place.device, place.session, place.addresses[0], place.port)
        serials = iter(range(1, rounds + 1))
        seen_by_b = Store(folder / second.name, second.name, read_only=True)
        heard: list[float] = []

        def ours_ms() -> float:
            coupon = Coupon(campaign=CAMPAIGN.id, serial=next(serials), key=KEY_ID)
            text = mint(ISSUER, coupon).encode()
            assert first.scan(text) == "ok", first.reason
            began = time.perf_counter_ns()
            key = sealing.serial_hash(SECRET, CAMPAIGN.id, coupon.serial)
            while seen_by_b.heard.at_ms(key) is None:
                seen_by_b.heard.reload()  # the lane's own connection writes, not this one
                assert time.perf_counter_ns() - began < GIVE_UP_S * 1e9, "the second lane never heard of it"
                time.sleep(LOOK_S)
            heard.append((time.perf_counter_ns() - began) / 1e6)
            assert second.scan(text) == "used", second.reason
            return (time.perf_counter_ns() - began) / 1e6

        ours, theirs = in_turn(rounds, ours_ms, raw.once_ms)
        raw.close()
        seen_by_b.close()
    worst = max(ours)
    sides = f"{rounds} coupons: {spread(ours)}, worst {worst:.1f} ms; raw publish to deliver: {spread(theirs)}"
    limits.below("yes on lane A to refusal on lane B, the worst, ms", worst, WITHIN_MS, sides)
    ratio = median(ours) / median(theirs)
    limits.stated("the same, median, beside the raw message", f"{ratio:.1f} times")
    limits.stated("of this, until B's disk had it", spread(heard))
    limits.stated("p99.9 of ours", f"{percentile(ours, 0.999):.1f} ms")


def main(arguments: list[str] | None = None) -> int:
    taken = given(__doc__ or "", arguments)
    limits = Limits()
    with tempfile.TemporaryDirectory(dir=taken.folder) as folder:
        measure(Path(folder), ROUNDS[taken.size], limits)
    return limits.code()


if __name__ == "__main__":
    sys.exit(main())
