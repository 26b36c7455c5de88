"""Lanes of one site share what they redeem while the internet is gone, as real processes on the loopback."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.scenario.site_house import BOX, SiteHouse
from tests.servers import wait_until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SiteHouse]:
    made = SiteHouse(tmp_path / "house")
    yield made
    made.close()


def test_K6_a_second_lane_refuses_within_a_second_of_the_first_lanes_yes_while_the_internet_is_gone(
    house: SiteHouse,
) -> None:
    house.start()
    house.agree()
    house.line.cut()
    first, second, _ = house.lanes.values()
    wait_until(lambda: first.lines[-1:] and any(line.get("event") == "link" and not line["up"] for line in first.lines))
    used = []
    for serial in range(1, 4):
        used.append(serial)
        code = house.code(serial)
        assert first.scan(code)["reason"] == "ok"
        shown_s = time.monotonic()
        wait_until(lambda: second.count("heard") == len(used), 5, "the second lane to hear of it")
        assert time.monotonic() - shown_s < 1.0
        assert second.scan(code)["reason"] == "used"


def hub_process(house: SiteHouse, device: str) -> psutil.Process:
    """The broker that this lane runs."""
    unit = house.lanes[device].process
    assert unit is not None
    children = psutil.Process(unit.popen.pid).children(recursive=True)
    (found,) = [child for child in children if "edge_agent.hub" in child.cmdline()]
    return found


def test_a_hub_that_dies_is_replaced_without_anyones_help(house: SiteHouse) -> None:
    house.start()
    before = house.agree()
    house.line.cut()
    os.kill(hub_process(house, before).pid, signal.SIGKILL)  # the broker alone
    others = [name for name in house.lanes if name != before]
    wait_until(lambda: any(house.lanes[name].hub != before for name in others), 20, "the end of the hub to be seen")
    again = house.agree()
    house.lanes[again].kill()  # the whole lane that runs it now
    others = [name for name in house.lanes if name != again]
    wait_until(lambda: all(house.lanes[name].hub not in (again, "") for name in others), 20, "another hub")
    house.agree(*others)
    code = house.code(7)
    assert house.lanes[others[0]].scan(code)["reason"] == "ok"
    wait_until(lambda: house.lanes[others[1]].count("heard") == 1, 5, "the redemption over the new hub")
    assert house.lanes[others[1]].scan(code)["reason"] == "used"


def test_a_lane_that_joins_late_catches_up_on_all_that_the_others_hold(house: SiteHouse) -> None:
    house.start()
    house.agree()
    late = house.lanes["lane-3"]
    late.kill()
    house.line.cut()
    for serial in (1, 2):
        assert house.lanes["lane-1"].scan(house.code(serial))["reason"] == "ok"
    assert house.lanes["lane-2"].scan(house.code(3))["reason"] == "ok"
    late.start()
    wait_until(lambda: late.count("heard") == 3, 30, "the late lane to catch up")
    assert late.scan(house.code(1))["reason"] == "used"


def test_a_lane_whose_disk_was_restored_is_told_so_by_the_others(house: SiteHouse) -> None:
    house.start("lane-1", "lane-2")
    house.agree("lane-1", "lane-2")
    lane, other = house.lanes["lane-1"], house.lanes["lane-2"]
    assert lane.scan(house.code(1))["reason"] == "ok"
    lane.kill()
    image = lane.copy_disk()
    lane.start()
    house.agree("lane-1", "lane-2")
    house.line.cut()
    assert lane.scan(house.code(2))["reason"] == "ok"
    wait_until(lambda: other.count("heard") + other.count("seen_0") >= 2, 10, "the other lane to hear of it")
    lane.kill()
    lane.restore_disk(image)
    lane.start()
    wait_until(lambda: any(line["event"] == "disk_is_old" for line in lane.lines), 30, "the witness's word")
    told = next(line for line in lane.lines if line["event"] == "disk_is_old")
    assert (told["witness"], told["number"]) == ("lane-2", 2)


def test_a_box_of_its_own_is_the_hub_while_it_is_there(tmp_path: Path) -> None:
    house = SiteHouse(tmp_path / "house", lanes=("lane-1", "lane-2"), box=True)
    try:
        house.start()
        house.agree()
        house.start_box()
        house.agree(hub=BOX)
        house.line.cut()
        assert house.lanes["lane-1"].scan(house.code(1))["reason"] == "ok"
        wait_until(lambda: house.lanes["lane-2"].count("heard") == 1, 5, "the redemption through the box")
        assert house.box is not None
        house.box.kill()
        wait_until(lambda: all(lane.hub != BOX for lane in house.lanes.values()), 20, "the end of the box")
        assert house.agree() in house.lanes
    finally:
        house.close()
