"""Who runs the site's hub: one in each part of the network after bounded time, whatever is lost, forged or replayed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey, VerifyKey

from wire import hub
from wire.hub import (
    BEACON_EVERY_MS,
    CLAIM_MAX_MS,
    DOUBT_FIRST_MS,
    ECHO_LOST_MS,
    HUB_LOST_MS,
    LISTEN_MS,
    RANK_BOX,
    RANK_LANE,
    SESSIONS_MAX,
    SLOT_MS,
    SLOTS_MAX,
    VERIFIED_PER_S,
    Announce,
    Beacon,
    Follow,
    Hub,
    Pulse,
    StartHub,
    StopHub,
    Unfollow,
)
from wire.site_envelope import SESSION_BYTES, sign_beacon
from wire.topics import Address

TICK_MS = 50
START_MS = 300  # that a hub's process takes
SETTLED_MS = 2 * (HUB_LOST_MS + LISTEN_MS + SLOT_MS * (SLOTS_MAX + 1) + START_MS) + 4_000


def key_of(device: str) -> SigningKey:
    return SigningKey(device.encode().ljust(32, b"."))


class Node:
    """One unit: its machine, and what its owner would do with the actions."""

    def __init__(self, site: Site, device: str, rank: int) -> None:
        self.site, self.device, self.rank = site, device, rank
        self.starting_ms: int | None = None
        self.session = b""
        self.serving: bytes | None = None  # the session under which its hub is up
        self.target: hub.Place | None = None
        self.linked = False
        self.down = self.hung = False  # hung: its hub passes nothing on
        self.machine = self._new()

    def _new(self) -> Hub:
        random = Random(f"{self.site.seed} {self.device} {self.site.now_ms}")
        machine = Hub(
            Address("demo", "s", self.device), key_of(self.device), rank=self.rank, random=random.random,
            new_session=lambda: random.randbytes(SESSION_BYTES),
        )  # fmt: skip
        machine.use(self.site.keys)
        machine.addresses = (self.device,)
        return machine

    def power_cut(self) -> None:
        self.down, self.serving, self.starting_ms, self.target, self.linked = True, None, None, None, False

    def power_on(self) -> None:
        self.down, self.machine = False, self._new()

    def turn(self) -> None:
        now_ms = self.site.now_ms
        if self.starting_ms is not None and now_ms - self.starting_ms >= START_MS:
            self.starting_ms = None
            self.serving = self.session
            self.machine.hub_started(1000, now_ms)
        self._link(now_ms)
        for action in self.machine.poll(now_ms):
            if isinstance(action, StartHub):
                self.session, self.starting_ms, self.serving = action.session, now_ms, None
            elif isinstance(action, StopHub):
                self.serving = self.starting_ms = None
            elif isinstance(action, Announce):
                self.site.send(self, action.datagram)
            elif isinstance(action, Pulse):
                if self.linked and self.target is not None and not self.site.nodes[self.target.device].hung:
                    self.machine.link_heard(self.target.session, now_ms)
            else:
                self.target, self.linked = action.place if isinstance(action, Follow) else None, False

    def _link(self, now_ms: int) -> None:
        if self.target is None:
            return
        there = self.site.nodes[self.target.device]
        reached = self.site.hears(self, there) and there.serving == self.target.session
        if reached and not self.linked:
            self.linked = True
            self.machine.link_up(self.target.session, now_ms)
        elif self.linked and not reached:
            self.linked = False
            self.machine.link_lost(self.target.session, now_ms)
        elif not reached:
            self.machine.link_failed(self.target.session, now_ms)


class Site:
    """Units on a network that loses, doubles, delays, and falls apart into islands."""

    def __init__(self, devices: dict[str, int], seed: int = 1) -> None:
        self.seed, self.random = seed, Random(seed)
        self.now_ms = 0
        self.keys = {device: key_of(device).verify_key for device in devices}
        self.nodes: dict[str, Node] = {}
        self.island: dict[str, int] = dict.fromkeys(devices, 0)
        self.loss = 0.0
        self.recorded: list[bytes] = []
        self._air: list[tuple[int, Node, bytes]] = []
        self.nodes = {device: Node(self, device, rank) for device, rank in devices.items()}

    def hears(self, one: Node, other: Node) -> bool:
        return not (one.down or other.down) and self.island[one.device] == self.island[other.device]

    def send(self, sender: Node, datagram: bytes) -> None:
        self.recorded.append(datagram)
        for node in self.nodes.values():
            if node is not sender and self.hears(sender, node):
                for _ in range(self.random.choice((1, 1, 1, 2))):
                    if self.random.random() >= self.loss:
                        self._air.append((self.now_ms + self.random.randrange(100), node, datagram))

    def run(self, for_ms: int, each: Callable[[], object] = lambda: None) -> None:
        end_ms = self.now_ms + for_ms
        while self.now_ms < end_ms:
            self.now_ms += TICK_MS
            arrived = [entry for entry in self._air if entry[0] <= self.now_ms]
            self._air = [entry for entry in self._air if entry[0] > self.now_ms]
            for _, node, datagram in arrived:
                if not node.down:
                    node.machine.on_datagram(datagram, self.now_ms)
            for node in self.nodes.values():
                if not node.down:
                    node.turn()
            each()

    def check_settled(self) -> None:
        """One hub in each island, its best candidate by rank, and everybody there is connected to it."""
        for island in set(self.island.values()):
            there = [n for n in self.nodes.values() if not n.down and self.island[n.device] == island]
            serving = [node for node in there if node.serving is not None]
            assert len(serving) == min(1, len(there)), [node.device for node in serving]
            for node in there:
                assert node.linked, node.device
                assert node.target is not None
                assert node.target.device == serving[0].device
            if there:
                assert serving[0].rank == min(node.rank for node in there)


LANES = {"a": RANK_LANE, "b": RANK_LANE, "c": RANK_LANE}


def test_lanes_that_wake_together_have_one_hub_soon() -> None:
    site = Site(LANES)
    site.run(LISTEN_MS + SLOT_MS * 4 + START_MS + BEACON_EVERY_MS + 300)
    site.check_settled()


def test_a_unit_that_is_alone_on_its_site_says_and_starts_nothing() -> None:
    site = Site({"a": RANK_LANE})
    site.run(20_000)
    assert site.recorded == []
    assert site.nodes["a"].serving is None


def test_a_hub_whose_connections_break_is_replaced_sooner_than_its_silence_would_show() -> None:
    site = Site(LANES)
    site.run(SETTLED_MS)
    (old,) = [node for node in site.nodes.values() if node.serving]
    old.power_cut()
    site.run(LISTEN_MS + SLOT_MS * 4 + START_MS + 300)
    assert LISTEN_MS + SLOT_MS * 4 + START_MS + 300 < HUB_LOST_MS
    site.check_settled()


def test_a_hub_that_falls_silent_is_replaced_though_its_connections_stand() -> None:
    machine = Site({"a": RANK_LANE, "b": RANK_LANE}).nodes["b"].machine
    machine.on_datagram(forge("a", key_of("a"), rank=RANK_LANE), 0)
    assert any(isinstance(action, Follow) for action in machine.poll(0))
    machine.link_up(b"f" * SESSION_BYTES, 0)
    machine.link_heard(b"f" * SESSION_BYTES, 1_500)  # no beacon, but a word through it
    assert machine.poll(1_500 + HUB_LOST_MS - 1) == [Pulse()]
    started = [now for now in range(3_500, 6_000, 50) if any(isinstance(a, StartHub) for a in machine.poll(now))]
    assert started
    assert started[0] <= 1_500 + HUB_LOST_MS + SLOT_MS * (SLOTS_MAX + 1)


def test_a_hub_that_hangs_is_replaced_though_it_is_announced_and_can_be_reached() -> None:
    site = Site(LANES)
    site.run(SETTLED_MS)
    (old,) = [node for node in site.nodes.values() if node.serving]
    session = old.serving
    old.hung = True
    site.run(ECHO_LOST_MS + 200)
    assert old.serving != session  # whoever runs it ends it
    old.hung = False
    site.run(SETTLED_MS)
    site.check_settled()


def test_a_hub_that_hangs_for_one_lane_alone_is_left_by_that_lane() -> None:
    machine = Site({"a": RANK_LANE, "b": RANK_LANE}).nodes["b"].machine
    machine.on_datagram(forge("a", key_of("a"), rank=RANK_LANE), 0)
    machine.poll(0)
    machine.link_up(b"f" * SESSION_BYTES, 0)
    left = None
    for count, now_ms in enumerate(range(100, 6_000, 100), start=2):
        machine.on_datagram(forge("a", key_of("a"), rank=RANK_LANE, count=count), now_ms)
        if left is None and any(isinstance(action, Unfollow) for action in machine.poll(now_ms)):
            left = now_ms
    assert left is not None
    assert ECHO_LOST_MS < left <= ECHO_LOST_MS + 200


def test_a_box_takes_over_from_a_lane_and_gives_back_when_it_dies() -> None:
    site = Site({**LANES, "z-box": RANK_BOX})
    site.nodes["z-box"].power_cut()
    site.run(SETTLED_MS)
    site.check_settled()
    site.nodes["z-box"].power_on()
    site.run(SETTLED_MS)
    site.check_settled()
    assert site.nodes["z-box"].serving
    site.nodes["z-box"].power_cut()
    site.run(SETTLED_MS)
    site.check_settled()


def test_islands_have_a_hub_each_and_one_when_they_meet_again() -> None:
    site = Site({**LANES, "d": RANK_LANE})
    site.run(SETTLED_MS)
    site.island.update(c=1, d=1)
    site.run(SETTLED_MS)
    site.check_settled()
    site.island.update(c=0, d=0)
    site.run(SETTLED_MS)
    site.check_settled()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_after_faults_stop_each_part_of_the_site_has_one_hub(seed: int) -> None:
    random = Random(seed)
    devices = {f"lane-{n}": RANK_LANE for n in range(random.randrange(2, 6))}
    if random.random() < 0.4:
        devices["box"] = RANK_BOX
    site = Site(devices, seed)
    for _ in range(random.randrange(1, 6)):
        site.loss = random.choice((0.0, 0.3, 0.9))
        for device in devices:
            site.island[device] = random.choice((0, 0, 1))
            node = site.nodes[device]
            if node.down:
                node.power_on()
            elif random.random() < 0.3:
                node.power_cut()
        site.run(random.randrange(100, 8_000))
    site.loss = 0.0
    # a hub that could not be reached may be doubted for a while, longer with each time
    site.run(SETTLED_MS + 8 * DOUBT_FIRST_MS)
    site.check_settled()


def forge(device: str, key: SigningKey, **changes: object) -> bytes:
    beacon = Beacon("demo", "s", device, b"f" * SESSION_BYTES, 1, RANK_BOX, 1, ["6.6.6.6"])
    body = msgspec.msgpack.encode(msgspec.structs.replace(beacon, **changes))
    return msgspec.msgpack.encode([sign_beacon(key, body), body])


STRANGER = SigningKey(b"x" * 32)
WORTHLESS = {
    "garbage": (b"\x00garbage", "garbage"),
    "too long": (b"\x92" * 5_000, "garbage"),
    "of another site": (forge("b", key_of("b"), site="t"), "foreign"),
    "of another tenant": (forge("b", key_of("b"), tenant="t"), "foreign"),
    "of no lane": (forge("x", STRANGER), "strangers"),
    "signed by somebody else": (forge("b", STRANGER), "forged"),
    "with a rank that nobody has": (forge("b", key_of("b"), rank=-1), "forged"),
    "with too many addresses": (forge("b", key_of("b"), addresses=["1.1.1.1"] * 9), "forged"),
}


@pytest.mark.parametrize("which", WORTHLESS)
def test_a_beacon_that_is_worthless_is_counted_and_changes_nothing(which: str) -> None:
    datagram, counted = WORTHLESS[which]
    site = Site(LANES)
    site.run(SETTLED_MS)
    machine = site.nodes["a"].machine
    before = (machine.following, machine.serving)
    for _ in range(3):
        machine.on_datagram(datagram, site.now_ms)
        site.run(1_000)
    assert (machine.following, machine.serving) == before
    assert msgspec.to_builtins(machine.counts)[counted] == 3


def test_the_last_beacon_of_a_dead_hub_said_again_and_again_does_not_keep_it_alive() -> None:
    site = Site(LANES)
    site.run(SETTLED_MS)
    (old,) = [node for node in site.nodes.values() if node.serving]
    last = site.recorded[-1]
    old.power_cut()
    others = [node for node in site.nodes.values() if node is not old]

    def again() -> None:
        for node in others:
            node.machine.on_datagram(last, site.now_ms)

    site.run(LISTEN_MS + SLOT_MS * 4 + START_MS + 300, again)
    site.check_settled()
    assert all(node.machine.counts.stale > 0 for node in others)


def test_a_recording_of_a_hub_that_is_gone_holds_the_site_up_for_a_bounded_time() -> None:
    site = Site(LANES)
    site.nodes["a"].power_cut()
    counts = iter(range(1, 1_000_000))

    def replay() -> None:
        """An hour of beacons that lane a once signed; nobody here has heard them."""
        tape = forge("a", key_of("a"), rank=RANK_LANE, port=1000, count=next(counts), addresses=["a"])
        for device in ("b", "c"):
            site.nodes[device].machine.on_datagram(tape, site.now_ms)

    site.run(SETTLED_MS, replay)
    site.check_settled()


def test_of_two_sessions_of_one_lane_the_one_that_was_reached_is_followed() -> None:
    machine = Site({"a": RANK_LANE, "b": RANK_LANE}).nodes["b"].machine
    machine.on_datagram(forge("a", key_of("a"), rank=RANK_LANE), 0)
    machine.poll(0)
    machine.link_up(b"f" * SESSION_BYTES, 0)
    machine.on_datagram(forge("a", key_of("a"), rank=RANK_LANE, session=b"g" * SESSION_BYTES), 10)  # recorded once
    assert machine.poll(10) == [Pulse()]
    assert machine.following is not None
    assert machine.following.session == b"f" * SESSION_BYTES


def test_a_lane_that_is_about_to_start_a_hub_gives_way_to_one_that_is_there() -> None:
    machine = Site({"a": RANK_LANE, "b": RANK_LANE}).nodes["a"].machine
    began = next(now for now in range(0, 9_000, 50) if any(isinstance(x, StartHub) for x in machine.poll(now)))
    machine.on_datagram(forge("b", key_of("b"), rank=RANK_LANE), began + 50)
    assert any(isinstance(action, StopHub) for action in machine.poll(began + 50))


def test_a_flood_of_beacons_costs_a_bounded_number_of_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(LANES)
    machine = site.nodes["a"].machine
    looked_at: list[bytes] = []

    def fits(key: VerifyKey, body: bytes, signature: bytes) -> bool:
        looked_at.append(body)
        return False

    monkeypatch.setattr(hub, "beacon_fits", fits)
    for count in range(5 * VERIFIED_PER_S):
        machine.on_datagram(forge("b", STRANGER, count=count + 1), 100)
    assert len(looked_at) == VERIFIED_PER_S
    assert machine.counts.flooded == 4 * VERIFIED_PER_S


def test_sessions_of_one_lane_take_a_bounded_place() -> None:
    site = Site(LANES)
    machine = site.nodes["a"].machine
    for n in range(100):
        machine.on_datagram(forge("b", key_of("b"), session=n.to_bytes(SESSION_BYTES, "big")), n * 20)
    assert len(machine._heard) <= SESSIONS_MAX


def test_a_hub_that_fails_to_start_is_tried_again_ever_more_rarely_and_others_are_let_through() -> None:
    machine = Site({"a": RANK_LANE, "b": RANK_LANE}).nodes["a"].machine
    starts = []
    for now_ms in range(0, 120_000, TICK_MS):
        for action in machine.poll(now_ms):
            if isinstance(action, StartHub):
                starts.append(now_ms)
                machine.hub_failed(now_ms)
    assert 3 <= len(starts) <= 60
    assert machine.following is None


def test_a_hub_that_failed_while_the_network_was_away_is_tried_anew_as_soon_as_it_is_back() -> None:
    machine = Site({"a": RANK_LANE, "b": RANK_LANE}).nodes["a"].machine
    starts, now_ms = 0, 0
    while starts < 8:  # by now it waits for long
        now_ms += 50
        if any(isinstance(action, StartHub) for action in machine.poll(now_ms)):
            starts += 1
            machine.hub_failed(now_ms)
    machine.network_is_back()
    soon = range(now_ms + 50, now_ms + LISTEN_MS + SLOT_MS * (SLOTS_MAX + 1), 50)
    assert any(isinstance(action, StartHub) for at_ms in soon for action in machine.poll(at_ms))


def test_a_claim_that_comes_to_nothing_holds_the_others_up_for_a_bounded_time() -> None:
    site = Site({"a": RANK_LANE, "b": RANK_LANE})
    machine = site.nodes["b"].machine
    started: list[int] = []
    for count, now_ms in enumerate(range(0, 2 * CLAIM_MAX_MS, TICK_MS), start=1):
        machine.on_datagram(forge("a", key_of("a"), rank=RANK_LANE, port=0, count=count), now_ms)
        started += [now_ms for action in machine.poll(now_ms) if isinstance(action, StartHub)]
    assert started
    assert CLAIM_MAX_MS <= started[0] <= CLAIM_MAX_MS + LISTEN_MS + SLOT_MS * (SLOTS_MAX + 1)


def test_who_is_no_lane_any_more_is_left_at_once() -> None:
    site = Site(LANES)
    site.run(SETTLED_MS)
    (old,) = [node for node in site.nodes.values() if node.serving]
    other = next(node for node in site.nodes.values() if node is not old)
    other.machine.use({device: key for device, key in site.keys.items() if device != old.device})
    actions = other.machine.poll(site.now_ms)
    assert any(isinstance(action, Unfollow) for action in actions)
    assert other.machine.following is None


def test_a_connection_that_ends_says_that_the_hub_is_gone_until_it_is_heard_again() -> None:
    machine = Site({"a": RANK_LANE, "b": RANK_LANE}).nodes["b"].machine
    machine.on_datagram(forge("a", key_of("a"), rank=RANK_LANE), 0)
    machine.poll(0)
    machine.link_up(b"f" * SESSION_BYTES, 0)
    machine.link_lost(b"f" * SESSION_BYTES, 100)
    assert machine.poll(100) == [Unfollow()]
    machine.on_datagram(forge("a", key_of("a"), rank=RANK_LANE, count=2), 200)
    assert any(isinstance(action, Follow) for action in machine.poll(200))
