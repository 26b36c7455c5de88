"""The site's network of a lane in this process, over real sockets on the loopback: finding, following, speaking."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from nacl.signing import SigningKey

from edge_agent.core.visit import Moment
from edge_agent.inbox import Inbox
from edge_agent.settings import SiteNetwork, UnitSettings
from edge_agent.site.air import Air, AirError, own_addresses
from edge_agent.site.link import Link
from edge_agent.site.net import SiteEvent, SiteNet
from edge_agent.site.site import Site, Witness
from edge_agent.site.talk import HEARD_PER_S
from edge_agent.steps import StepLog
from edge_agent.store.store import Store
from tests.scenario.site_house import free_udp_port
from tests.servers import wait_until
from wire.messages import Change, PutLane, PutSecret
from wire.site_messages import SiteMessage

KEYS = {name: SigningKey(name.encode().ljust(32, b".")) for name in ("lane-1", "lane-2", "lane-3")}
GROUP = "239.255.84.75"


class Greeting(SiteMessage, tag="greeting", frozen=True):
    """A kind of message that somebody else adds."""

    text: str


class Desk:
    """A lane without its parts: its store, its site, and a turn of its thread."""

    def __init__(self, folder: Path, name: str, network: SiteNetwork, lanes: tuple[str, ...] = tuple(KEYS)) -> None:
        settings = UnitSettings(device=name, site="s", data_dir=str(folder / name), site_network=network)
        self.name, self.greeted = name, list[tuple[str, str]]()
        self.lines: list[dict[str, object]] = []
        self.inbox: Inbox[SiteEvent] = Inbox()
        self.store = Store(settings.folder, name)
        self.store.start(name.encode().ljust(16, b"e"))
        told: list[Change] = [PutSecret(b"s" * 32)]
        told += [PutLane(lane, "s", KEYS[lane].verify_key.encode(), "active") for lane in lanes]
        with self.store.transaction():
            self.store.cache.apply(told, b"i" * 16, len(told))
        steps = StepLog(lambda line: self.lines.append(msgspec.json.decode(line)), lambda: 0)
        self.net = SiteNet(settings.address, KEYS[name], network, self.inbox.put)
        self.site = Site(settings, self.store, self.net, steps)
        self.site.listen(Greeting, lambda device, message: self.greeted.append((device, message.text)))
        self.site.start(self.now().mono_ms)

    def now(self) -> Moment:
        wall_ms, mono_ms = time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000
        return Moment(wall_ms=wall_ms, mono_ms=mono_ms, boot=b"bootboot", trusted=True)

    def turn(self) -> None:
        while (event := self.inbox.take(0)) is not None:
            self.site.take(event, self.now())
        self.site.pump(self.now())

    def others(self) -> set[str]:
        return set(self.site.lanes(self.now().mono_ms))

    def close(self) -> None:
        self.site.stop()
        self.store.close()


Open = Callable[..., Desk]


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[Open]:
    desks: list[Desk] = []
    port = free_udp_port()

    def open_(name: str, **more: object) -> Desk:
        everybody = [f"127.0.0.{21 + n}" for n in range(len(KEYS))]
        own = everybody[list(KEYS).index(name)]
        given: dict[str, object] = {
            "addresses": [own], "multicast": "", "beacon_port": port, "hub_port": 0,
            "peers": [other for other in everybody if other != own],
        }  # fmt: skip
        lanes = more.pop("lanes", tuple(KEYS))
        desks.append(Desk(tmp_path, name, SiteNetwork(**{**given, **more}), lanes))  # type: ignore[arg-type]
        return desks[-1]

    yield open_
    for desk in desks:
        desk.close()


def turning(*desks: Desk, until: Callable[[], object], what: str) -> None:
    def turn() -> object:
        for desk in desks:
            desk.turn()
        return until()

    wait_until(turn, 20, what)


def test_lanes_find_each_other_and_a_new_kind_of_message_goes_to_all_or_to_one(open_desk: Open) -> None:
    one, two, three = (open_desk(name) for name in KEYS)
    turning(one, two, three, until=lambda: all(len(d.others()) == 2 for d in (one, two, three)), what="all to be here")
    assert one.site.broadcast(Greeting("to all"))
    assert two.site.send("lane-3", Greeting("to one"))
    turning(one, two, three, until=lambda: len(three.greeted) == 2 and two.greeted, what="the greetings")
    assert set(three.greeted) == {("lane-1", "to all"), ("lane-2", "to one")}
    assert (one.greeted, two.greeted) == ([], [("lane-1", "to all")])
    assert all(desk.site.witness(desk.now().mono_ms) is Witness.ANSWERED for desk in (one, two, three))


def test_a_lane_that_floods_the_others_is_heard_so_often_and_not_more(open_desk: Open) -> None:
    one, two = open_desk("lane-1"), open_desk("lane-2")
    turning(one, two, until=lambda: one.others() and two.others(), what="both to be here")
    began_s = time.monotonic()
    said = sum(one.site.broadcast(Greeting("flood")) for _ in range(20 * HEARD_PER_S))
    turning(
        one,
        two,
        until=lambda: isinstance(two.net.node.link, Link) and two.net.node.link.talk.flooded,
        what="the flood to be seen",
    )
    assert said > HEARD_PER_S
    assert len(two.greeted) <= HEARD_PER_S * (2 + int(time.monotonic() - began_s))


def test_multicast_finds_them_without_naming_anybody(open_desk: Open) -> None:
    one = open_desk("lane-1", addresses=["127.0.0.1"], multicast=GROUP, peers=[])
    two = open_desk("lane-2", addresses=["127.0.0.1"], multicast=GROUP, peers=[])
    turning(one, two, until=lambda: one.others() and two.others(), what="both to be here")


def test_a_lane_that_the_others_do_not_know_is_alone_and_hears_nothing(open_desk: Open) -> None:
    one, two = (open_desk(name, lanes=("lane-1", "lane-2")) for name in ("lane-1", "lane-2"))
    stranger = open_desk("lane-3", may_be_hub=False)
    turning(one, two, stranger, until=lambda: one.others() and two.others(), what="the two to be here")
    assert one.site.broadcast(Greeting("not for strangers"))
    turning(one, two, stranger, until=lambda: two.greeted, what="the greeting")
    assert (stranger.greeted, stranger.others()) == ([], set())


def test_a_lane_that_is_alone_opens_and_starts_nothing(open_desk: Open) -> None:
    alone = open_desk("lane-1", lanes=("lane-1",))
    end_s = time.monotonic() + 2.5
    turning(alone, until=lambda: time.monotonic() > end_s, what="some time to pass")
    assert alone.net.hub_pid is None
    assert alone.net.node.air is None
    assert alone.lines == []
    assert alone.site.witness(alone.now().mono_ms) is Witness.NONE
    assert not alone.site.broadcast(Greeting("anybody?"))


def test_a_network_that_is_switched_off_is_quiet(open_desk: Open) -> None:
    off = open_desk("lane-1", enabled=False)
    off.turn()
    assert off.site.alive
    assert not off.site.broadcast(Greeting("anybody?"))
    assert off.site.witness(off.now().mono_ms) is Witness.NONE


def test_an_agent_that_is_driven_without_a_start_has_no_network(open_desk: Open, tmp_path: Path) -> None:
    desk = open_desk("lane-1")
    settings = UnitSettings(device="lane-1", site="s", data_dir=str(tmp_path / "lane-1"))
    net = SiteNet(settings.address, KEYS["lane-1"], settings.site_network, desk.inbox.put)
    idle = Site(settings, desk.store, net, StepLog(lambda line: None, lambda: 0))
    idle.pump(desk.now())
    assert idle.alive
    assert not idle.broadcast(Greeting("anybody?"))
    idle.stop()


def test_a_witness_is_waited_for_as_long_as_is_set_and_no_longer(open_desk: Open) -> None:
    desk = open_desk("lane-1", witness_wait_ms=5_000)
    desk.turn()
    began_ms = desk.now().mono_ms
    assert desk.site.witness(began_ms) is Witness.WAITING
    assert desk.site.witness(began_ms + 5_000) is Witness.NONE


def test_what_was_told_stays_over_a_restart_of_the_thread_and_a_reconnection(open_desk: Open) -> None:
    one, two = open_desk("lane-1"), open_desk("lane-2")
    turning(one, two, until=lambda: one.others() and two.others(), what="both to be here")
    hub = next(desk for desk in (one, two) if desk.net.hub_pid is not None)
    pid = hub.net.hub_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    turning(
        one,
        two,
        until=lambda: any(d.net.hub_pid not in (None, pid) for d in (one, two)) and one.others() and two.others(),
        what="another hub",
    )
    assert one.site.broadcast(Greeting("still here"))
    turning(one, two, until=lambda: two.greeted, what="a greeting through the new hub")


def test_a_network_without_an_interface_is_said_once_and_tried_again(
    open_desk: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    addresses: list[str] = []
    monkeypatch.setattr("edge_agent.site.air.own_addresses", lambda: addresses)
    one = open_desk("lane-1", addresses=[], peers=["127.0.0.1"])
    wait_until(lambda: "no network interface" in caplog.text, what="the trouble to be said")
    addresses.append("127.0.0.1")
    wait_until(lambda: one.net.node.air is not None, 20, "the interface to be used")
    assert caplog.text.count("no network interface") == 1


def test_an_address_that_is_not_ours_is_an_error_in_words() -> None:
    with pytest.raises(AirError, match="beacons can't be sent or heard"):
        Air(SiteNetwork(addresses=["192.0.2.77"], multicast="", beacon_port=free_udp_port()))


def test_own_addresses_leave_the_loopback_out() -> None:
    assert not any(address.startswith("127.") for address in own_addresses())
