"""The hub of a site: who gets in, who says what, and that it keeps nothing and ends for certain.

The rules are asked of both that there are: the real process with its broker, and the stand-in of the simulated world.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from random import Random

import psutil
import pytest
from nacl.signing import SigningKey

from edge_agent.hub.process import Ended, HubProcess, Listening
from edge_agent.hub.rules import Order
from edge_agent.site.talk import Packet
from simulator.world.lan_connection import Connection
from simulator.world.lan_hub import SimHub
from simulator.world.site_lan import SiteLan
from tests.mqtt_client import Client
from tests.servers import wait_until
from wire.site_envelope import SESSION_BYTES, login
from wire.site_messages import topic

SESSION = b"s" * SESSION_BYTES
KEYS = {name: SigningKey(name.encode().ljust(32, b".")) for name in ("lane-1", "lane-2", "lane-3")}
PUBLIC = {name: key.verify_key.encode().hex() for name, key in KEYS.items()}
Said = queue.Queue[Listening | Ended]


def order(**changes: object) -> Order:
    given: dict[str, object] = {
        "tenant": "demo", "site": "s", "device": "lane-1", "session": SESSION.hex(), "host": "127.0.0.1", "port": 0,
        "connections_max": 20, "lanes": PUBLIC,
    }  # fmt: skip
    return Order(**{**given, **changes})  # type: ignore[arg-type]


class RunningHub:
    """A hub that listens, as a process."""

    def __init__(self) -> None:
        self.said: Said = queue.Queue()
        self.process = HubProcess(order(), self.said.put)
        listening = self.said.get(timeout=20)
        assert isinstance(listening, Listening)
        self.port = listening.port

    def client(self, name: str, password: str) -> Client:
        return Client(self.port, name, password)

    def use(self, lanes: dict[str, str]) -> None:
        self.process.use(lanes)

    def stop(self) -> None:
        self.process.stop()


class WorldHub:
    """A hub that listens, in a simulated world; time passes whenever somebody does something."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.lan = SiteLan(Random(1), lambda: self.now_ms)
        self.hub = SimHub(self.lan, order(), lambda event: None, pid=1)
        self.pass_time(1_000)
        assert self.hub.listening

    def pass_time(self, pause_ms: int = 50) -> None:
        self.now_ms += pause_ms
        self.lan.step(self.now_ms)

    def client(self, name: str, password: str) -> WorldClient:
        return WorldClient(self, name, password)

    def use(self, lanes: dict[str, str]) -> None:
        self.hub.use(lanes)
        self.pass_time()

    def stop(self) -> None:
        self.hub.stop()


class WorldClient:
    """What `tests.mqtt_client.Client` is, at a `WorldHub` (`simulator.world.lan_connection.Client`)."""

    device = ""

    def __init__(self, shop: WorldHub, name: str, password: str) -> None:
        self.shop, self.welcome, self.gone = shop, False, threading.Event()
        self.heard: list[tuple[str, bytes]] = []
        self.granted: list[int] = []
        self._filters: tuple[str, ...] = ()
        self._connection = Connection(shop.lan, self, shop.hub)
        shop.hub.accept(self._connection)
        self._send(lambda: shop.hub.login(self._connection, name, password))

    def _send(self, call: Callable[[], object]) -> None:
        self._connection.to_hub.send(call)
        self.shop.pass_time()

    def subscribe(self, *filters: str) -> None:
        self._filters = filters
        self._send(lambda: self.shop.hub.subscribe(self._connection, filters))

    def say(self, where: str, payload: bytes = b"x", retain: bool = False) -> None:
        self._send(lambda: self.shop.hub.publish(self._connection, Packet(where, payload)))

    def close(self) -> None:
        self._connection.leave()

    def answered(self, connection: Connection, welcome: bool) -> None:
        self.welcome = welcome

    def subscribed(self, connection: Connection, granted: tuple[str, ...]) -> None:
        self.granted = [1 if name in granted else 0x80 for name in self._filters]

    def hear(self, connection: Connection, packet: Packet) -> None:
        self.heard.append(packet)

    def closed(self, connection: Connection, why: str) -> None:
        self.gone.set()


@pytest.fixture
def process() -> Iterator[RunningHub]:
    made = RunningHub()
    yield made
    made.stop()


@pytest.fixture(params=[RunningHub, WorldHub], ids=["process", "world"])
def hub(request: pytest.FixtureRequest) -> Iterator[RunningHub | WorldHub]:
    made: RunningHub | WorldHub = request.param()
    yield made
    made.stop()


Connect = Callable[..., Client | WorldClient]


@pytest.fixture
def connect(hub: RunningHub | WorldHub) -> Iterator[Connect]:
    clients: list[Client | WorldClient] = []

    def connect_(name: str, password: str | None = None) -> Client | WorldClient:
        if password is None:
            password = login(KEYS[name], name, "lane-1", SESSION, len(clients).to_bytes(8, "big"))
        clients.append(hub.client(name, password))
        return clients[-1]

    yield connect_
    for client in clients:
        client.close()


STRANGER = SigningKey(b"x" * 32)
WRONG = {
    "none": "",
    "a word": "secret",
    "a stranger's": login(STRANGER, "lane-2", "lane-1", SESSION, b"12345678"),
    "another lane's": login(KEYS["lane-3"], "lane-2", "lane-1", SESSION, b"12345678"),
    "for another session": login(KEYS["lane-2"], "lane-2", "lane-1", b"t" * SESSION_BYTES, b"12345678"),
    "for another hub": login(KEYS["lane-2"], "lane-2", "lane-3", SESSION, b"12345678"),
}


def test_a_login_that_was_refused_counts_never_also_when_its_lane_becomes_known(
    hub: RunningHub | WorldHub, connect: Connect
) -> None:
    recorded = login(KEYS["lane-2"], "lane-2", "lane-1", SESSION, b"early...")
    hub.use({name: key for name, key in PUBLIC.items() if name != "lane-2"})
    assert not connect("lane-2", recorded).welcome
    hub.use(PUBLIC)
    wait_until(lambda: connect("lane-2").welcome, 10, "the hub to know the lane")
    assert not connect("lane-2", recorded).welcome


@pytest.mark.parametrize("which", WRONG)
def test_a_login_that_is_not_a_lanes_own_signature_over_this_session_is_refused(connect: Connect, which: str) -> None:
    assert not connect("lane-2", WRONG[which]).welcome


def test_a_stranger_is_refused_and_a_lane_gets_in(connect: Connect) -> None:
    assert not connect("lane-9", login(STRANGER, "lane-9", "lane-1", SESSION, b"12345678")).welcome
    assert connect("lane-2").welcome


def test_a_password_that_was_overheard_does_not_work_again(connect: Connect) -> None:
    password = login(KEYS["lane-2"], "lane-2", "lane-1", SESSION, b"12345678")
    first = connect("lane-2", password)
    assert first.welcome
    assert not connect("lane-2", password).welcome
    assert not first.gone.is_set()


def test_a_lane_speaks_under_its_own_name_to_all_or_to_one_and_hears_what_is_for_it(connect: Connect) -> None:
    one, two, three = connect("lane-1"), connect("lane-2"), connect("lane-3")
    for client, name in ((two, "lane-2"), (three, "lane-3")):
        client.subscribe(topic("demo", "s", "+"), topic("demo", "s", "+", name))
    for forbidden in (topic("demo", "s", "lane-2"), topic("demo", "t", "lane-1"), topic("x", "s", "lane-1"), "tk/1/x"):
        one.say(forbidden, b"forged")
    one.say(topic("demo", "s", "lane-1", "lane-2"), b"for two")
    one.say(topic("demo", "s", "lane-1"), b"for all")
    wait_until(lambda: len(two.heard) >= 2 and three.heard, what="what is permitted")
    assert [payload for _, payload in two.heard] == [b"for two", b"for all"]
    assert [payload for _, payload in three.heard] == [b"for all"]


def test_a_lane_can_not_listen_to_what_is_for_others(connect: Connect) -> None:
    two = connect("lane-2")
    two.subscribe(topic("demo", "s", "+", "lane-3"), "#", topic("demo", "+", "+"), topic("demo", "s", "lane-1"))
    assert two.granted == [0x80] * 4


def test_the_hub_keeps_nothing(connect: Connect) -> None:
    connect("lane-1").say(topic("demo", "s", "lane-1"), b"kept?", retain=True)
    two = connect("lane-2")
    two.subscribe(topic("demo", "s", "+"))
    connect("lane-3").say(topic("demo", "s", "lane-3"), b"now")
    wait_until(lambda: two.heard, what="what is said now")
    assert [payload for _, payload in two.heard] == [b"now"]


def test_a_lane_that_logs_in_again_takes_the_place_of_its_old_connection(connect: Connect) -> None:
    old = connect("lane-2")
    new = connect("lane-2")
    assert new.welcome
    assert old.gone.wait(10)
    new.subscribe(topic("demo", "s", "+"))
    connect("lane-1").say(topic("demo", "s", "lane-1"), b"to the new one")
    wait_until(lambda: new.heard, what="what is said")
    assert old.heard == []


def test_who_is_no_lane_any_more_is_sent_away(hub: RunningHub | WorldHub, connect: Connect) -> None:
    stays, goes = connect("lane-1"), connect("lane-2")
    hub.use({name: public for name, public in PUBLIC.items() if name != "lane-2"})
    assert goes.gone.wait(10)
    assert not stays.gone.is_set()
    assert not connect("lane-2").welcome


def test_a_taken_port_is_said_and_ends_the_hub(process: RunningHub) -> None:
    said: Said = queue.Queue()
    second = HubProcess(order(port=process.port), said.put)
    assert said.get(timeout=20) == Ended(SESSION, "it ended with 1")
    second.stop()


def test_a_hub_that_dies_is_told_and_one_that_is_stopped_is_not(process: RunningHub) -> None:
    psutil.Process(process.process.pid).kill()
    assert isinstance(process.said.get(timeout=10), Ended)
    other = RunningHub()
    other.process.stop()
    assert other.said.empty()
    assert not psutil.pid_exists(other.process.pid)


PARENT = """
import sys, time
sys.path.insert(0, {root!r})
from tests.contract.test_site_hub import RunningHub
print(RunningHub().process.pid, flush=True)
time.sleep(600)
"""


def test_a_hub_does_not_outlive_who_started_it() -> None:
    from tests.servers import ROOT

    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(root=str(ROOT))], stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert psutil.pid_exists(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not psutil.pid_exists(child), what="the end of the hub")
