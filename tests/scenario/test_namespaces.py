"""Lanes, hub, broker and centre on machines of their own, cut by packet filter (tests.netns)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import netns
from tests.netns import LAN, WAN
from tests.scenario.net_house import (
    BOX,
    FEW,
    HOME,
    MANY,
    ONE,
    SIGNED,
    NetHouse,
)
from tests.servers import wait_until

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(netns.why_not()), reason=netns.why_not() or "-"),
]
UNDER_A_SECOND_MS = 1_000


@pytest.fixture
def house(tmp_path: Path) -> Iterator[NetHouse]:
    made = NetHouse(tmp_path / "house", given={SIGNED.id: 20, ONE.id: 4, FEW.id: 20, MANY.id: 40, HOME.id: 10})
    yield made
    made.close()


def test_try(house: NetHouse) -> None:
    t = time.monotonic()
    def mark(what):
        nonlocal t
        now = time.monotonic(); print(f"{what}: {now-t:.2f}"); t = now
    house.start()
    mark("started")
    print({n: {c.id: l.part(c) for c in (ONE, FEW, MANY)} for n, l in house.lanes.items()})
    for code in house.codes[SIGNED.id][:6]:
        print(house.lanes["lane-1"].scan(code), house.lanes["lane-2"].scan(code))
        mark("two scans")
    for lane in house.lanes: house.networks.cut(lane, WAN)
    wait_until(lambda: not any(l.online for l in house.lanes.values()), 60)
    mark("offline noticed")
    print([l.last("reach") for l in house.lanes.values()])
    print([l.hub for l in house.lanes.values()])
    print(house.lanes["lane-1"].scan(house.codes[SIGNED.id][7]), house.lanes["lane-2"].scan(house.codes[SIGNED.id][7]))
    for c in house.codes[FEW.id][:14]:
        print("few", house.lanes["lane-1"].scan(c), {n: l.part(FEW) for n, l in house.lanes.items()})
    mark("few")
    for c in house.codes[HOME.id][:3]:
        print("home", [l.scan(c) for l in house.lanes.values()])
    mark("home")
    house.box.kill(); house.box = None
    h = house.agree()
    mark("hub replaced by "+h)
    house.networks.heal_all()
    wait_until(lambda: all(l.online for l in house.lanes.values()), 60)
    mark("online")
    wait_until(lambda: house.at_rest, 60)
    mark("rest")
    print(house.booked())
    print(house.centre_rows("select * from pots"))
