"""Lanes with their stores and `edge_agent.site.site` over the simulated network: as over the real one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from edge_agent.core.visit import Moment
from edge_agent.settings import UnitSettings
from edge_agent.site.node import SiteEvent
from edge_agent.site.site import Site, Witness
from edge_agent.steps import StepLog
from edge_agent.store.store import Store
from simulator.world.site_lan import SiteLan
from tests.world.lan_kit import KEYS, LANES
from wire.messages import Change, PutLane, PutSecret
from wire.site_messages import SiteMessage


class Greeting(SiteMessage, tag="greeting", frozen=True):
    """A kind of message that somebody else adds."""

    text: str


class Desk:
    """A lane without its parts."""

    def __init__(self, folder: Path, lan: SiteLan, rng: Random, device: str) -> None:
        settings = UnitSettings(device=device, site="ginza", data_dir=str(folder / device))
        self.inbox: deque[SiteEvent] = deque()
        self.greeted: list[tuple[str, str]] = []
        self.store = Store(settings.folder, device)
        self.store.start(rng.randbytes(16))
        told: list[Change] = [PutSecret(b"s" * 32)]
        told += [PutLane(lane, "ginza", KEYS[lane].verify_key.encode(), "active") for lane in LANES]
        with self.store.transaction():
            self.store.cache.apply(told, b"i" * 16, len(told))
        net = lan.join(settings.address, KEYS[device], settings.site_network, self.inbox.append)
        steps = StepLog(lambda line: None, lambda: 0)
        self.site = Site(settings, self.store, net, steps, random=rng.random)
        self.site.listen(Greeting, lambda sender, message: self.greeted.append((sender, message.text)))

    def turn(self, now_ms: int) -> None:
        at = Moment(wall_ms=now_ms, mono_ms=now_ms, boot=b"bootboot", trusted=True)
        while self.inbox:
            self.site.take(self.inbox.popleft(), at)
        self.site.pump(at)


class World:
    """Some desks and their time, which jumps to what is due next."""

    def __init__(self, folder: Path) -> None:
        self.now_ms = 1_000
        rng = Random(11)
        self.lan = SiteLan(rng, lambda: self.now_ms)
        self.desks = {device: Desk(folder, self.lan, rng, device) for device in LANES}
        for desk in self.desks.values():
            desk.site.start(self.now_ms)

    def pass_ms(self, pause_ms: int) -> None:
        end_ms = self.now_ms + pause_ms
        while self.now_ms < end_ms:
            due = [at for at in (self.lan.due_ms(), *(d.site.due_ms() for d in self.desks.values())) if at is not None]
            self.now_ms = min(end_ms, max(self.now_ms + 1, min(due, default=end_ms)))
            self.lan.step(self.now_ms)
            for desk in self.desks.values():
                desk.turn(self.now_ms)

    def here(self, device: str) -> set[str]:
        return set(self.desks[device].site.lanes(self.now_ms))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    for desk in made.desks.values():
        desk.site.stop()
        desk.store.close()
    assert made.lan.nets == {}


def test_sites_find_each_other_and_speak_to_all_and_to_one(world: World) -> None:
    one, two, three, four = LANES
    world.pass_ms(4_000)
    assert all(world.here(device) == set(LANES) - {device} for device in LANES)
    assert all(desk.site.witness(world.now_ms) is Witness.ANSWERED for desk in world.desks.values())
    assert world.desks[one].site.broadcast(Greeting("to all"))
    assert world.desks[two].site.send(three, Greeting("to one"))
    world.pass_ms(50)
    assert sorted(world.desks[three].greeted) == [(one, "to all"), (two, "to one")]
    assert world.desks[four].greeted == [(one, "to all")]


def test_a_lane_that_is_cut_off_is_not_here_until_the_cut_heals(world: World) -> None:
    world.pass_ms(4_000)
    world.lan.cut(LANES[3])
    world.pass_ms(12_000)
    assert world.here(LANES[3]) == set()
    assert world.here(LANES[0]) == set(LANES[1:3])
    world.lan.heal()
    world.pass_ms(8_000)
    assert all(world.here(device) == set(LANES) - {device} for device in LANES)
    assert not world.lan.audit.violations
