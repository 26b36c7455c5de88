"""Lanes, hub, broker and centre on machines of their own, cut by packet filter (tests.netns).

Nothing in the programs takes part in a cut: they find out by what does not arrive. Each bound on time is what the
unit promises by its settings, and the slack of a busy machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import netns
from tests.netns import LAN, WAN
from tests.scenario.net_house import (
    ASK_WAIT_MS,
    BOX,
    FEW,
    HOME,
    KEEPALIVE_S,
    LANES,
    MANY,
    ONE,
    ONLINE,
    SIGNED,
    Code,
    NetHouse,
    NetLane,
)
from tests.scenario.net_story import GIVEN, Story
from tests.servers import wait_until
from wire.peers import GONE_MS

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(netns.why_not()), reason=netns.why_not() or "namespaces can be made"),
]
SLACK_S = 2.0
NOTICED_S = 2 * KEEPALIVE_S + SLACK_S  # a line that went without a word
REPLACED_S = 15.0  # another hub after one that died
BACK_S = 30.0
AWAY_S = 2.0  # for so long a code must be away before it is a new scan
TRIES = 8
QUICK_SEED, QUICK_ROUNDS = 1, 90
SLOW_SEEDS, SLOW_ROUNDS = range(100, 112), 300


@pytest.fixture
def house(tmp_path: Path) -> Iterator[NetHouse]:
    given = {SIGNED.id: 12, ONLINE.id: 4, ONE.id: 4, FEW.id: 60, MANY.id: 12, HOME.id: 6}
    made = NetHouse(tmp_path / "house", given=given)
    yield made
    made.close()


def cut_wan(house: NetHouse, *, noticed: bool = True) -> None:
    """The lanes are cut from the centre, and have noticed it, if the test does not go on meanwhile."""
    for device in LANES:
        house.networks.cut(device, WAN)
    for lane in house.lanes.values() if noticed else ():
        lane.wait_until(lambda one: not one.online, "to notice the cut", NOTICED_S)


def heal(house: NetHouse) -> None:
    house.networks.heal_all()
    house.come_to_rest(BACK_S)


def pause_until(mono_s: float) -> None:
    wait_until(lambda: time.monotonic() > mono_s, 30, "the time")


def sees_yes(lane: NetLane, code: Code) -> None:
    """A shopper who was told 'not now' tries again, a few times."""
    for _ in range(TRIES):
        if (reason := lane.scan(code)) == "ok":
            return
        pause_until(time.monotonic() + AWAY_S)
    raise AssertionError(f"{lane.device} still says {reason}")


def hears_of(lane: NetLane, many: int) -> None:
    wait_until(lambda: len(lane.rows("SELECT 1 FROM heard")) >= many, 5, f"{lane.device} to hear of {many}")


def test_a_line_that_is_cut_is_noticed_in_time_and_the_lanes_go_on_together(house: NetHouse) -> None:
    house.start()
    one, two, three = house.lanes.values()
    cut_wan(house)
    assert house.networks.dropped(one.device) > 0, "by the packet filter, and by nothing else"
    assert one.scan(house.codes[MANY.id][0]) == "ok", "within its part"
    for number, code in enumerate(house.codes[SIGNED.id][:3], start=2):
        assert one.scan(code) == "ok"
        shown_s = house.greens[-1].mono_s
        hears_of(two, number)
        assert time.monotonic() - shown_s < 1.0
        assert [two.scan(code), three.scan(code)] == ["used", "used"]
    scan = two.begin(house.codes[ONLINE.id][0])
    assert scan.finish() == "not_now"
    assert scan.waited_ms < SLACK_S * 1000, "nobody waits for a centre that is known to be out of reach"
    heal(house)
    assert set(house.booked().values()) == {1}
    assert len(house.booked()) == 4


@pytest.mark.parametrize("way", ["in", pytest.param("out", marks=pytest.mark.slow)])
def test_K6_a_line_that_works_one_way_only_is_noticed_and_every_fact_is_booked_once(house: NetHouse, way: str) -> None:
    house.start()
    lane = house.lanes["lane-1"]
    house.networks.cut(lane.device, WAN, frozenset({way}))
    cut_s, heard = time.monotonic(), lane.acknowledged
    codes = house.codes[SIGNED.id][:4]
    assert lane.scan(codes[0]) == "ok"
    if way == "in":  # what it says arrives; what is answered does not
        wait_until(lambda: house.booked(), NOTICED_S, "the fact to be booked")
    wait_until(lambda: not lane.online, NOTICED_S - (time.monotonic() - cut_s), "the cut to be noticed")
    assert lane.acknowledged == heard, "nothing is acknowledged that was not heard"
    assert lane.waiting >= 1  # and what it was given by other lanes, once it asked them
    for code in codes[1:]:
        assert lane.scan(code) == "ok"
    heal(house)
    assert house.booked() == {(SIGNED.id, code.serial): 1 for code in codes}


def test_a_hub_that_is_killed_is_replaced_and_so_is_the_lane_that_took_over(house: NetHouse) -> None:
    house.start()
    cut_wan(house, noticed=False)
    assert house.box is not None
    house.box.kill()
    wait_until(
        lambda: all(lane.hub != BOX for lane in house.lanes.values()), REPLACED_S, "the end of the box to be seen"
    )
    second = house.agree(timeout_s=REPLACED_S)
    one, two = (lane for lane in house.lanes.values() if lane.device != second)
    assert one.scan(house.codes[SIGNED.id][0]) == "ok"
    hears_of(two, 1)
    assert two.scan(house.codes[SIGNED.id][0]) == "used"
    house.lanes[second].kill()  # its power, and with it the hub it runs
    wait_until(lambda: second not in (one.hub, two.hub), REPLACED_S, "the end of the second hub to be seen")
    third = house.agree(one.device, two.device, timeout_s=REPLACED_S)
    assert third in (one.device, two.device)
    assert two.scan(house.codes[SIGNED.id][1]) == "ok"
    hears_of(one, 1)
    assert one.scan(house.codes[SIGNED.id][1]) == "used"
    house.lanes[second].start()
    wait_until(lambda: house.lanes[second].started, BACK_S, "the lane to come back")
    heal(house)
    assert house.booked() == {(SIGNED.id, code.serial): 1 for code in house.codes[SIGNED.id][:2]}


@pytest.mark.slow
def test_a_hub_that_is_cut_off_is_replaced_by_the_others_and_one_is_left_when_it_is_back(house: NetHouse) -> None:
    house.start(box=False)
    first = house.agree()
    cut_wan(house, noticed=False)
    others = [name for name in LANES if name != first]
    house.networks.cut(first, LAN)
    wait_until(lambda: all(house.lanes[name].hub in others for name in others), REPLACED_S, "a hub for the others")
    house.agree(*others, timeout_s=REPLACED_S)
    lonely, one, two = (house.lanes[name] for name in (first, *others))
    code, other = house.codes[SIGNED.id][:2]
    assert one.scan(code) == "ok"
    hears_of(two, 1)
    assert two.scan(code) == "used"
    assert lonely.scan(other) == "ok", "alone, as far as the policy goes"
    house.networks.heal(first, LAN)
    house.agree(timeout_s=REPLACED_S)
    hears_of(lonely, 1)
    hears_of(one, 1)
    assert [lonely.scan(code), one.scan(other)] == ["used", "used"]
    heal(house)
    assert set(house.booked().values()) == {1}


def test_a_cap_of_one_gives_one_green_and_the_use_goes_to_where_the_shopper_stands(house: NetHouse) -> None:
    house.start()
    codes = iter(house.codes[ONE.id])
    holder = next(lane for lane in house.lanes.values() if lane.part(ONE))
    dark, other = [lane for lane in house.lanes.values() if lane is not holder]
    for network in (WAN, LAN):
        house.networks.cut(dark.device, network)
    assert dark.scan(next(codes)) == "no_part", "in time, though it does not know yet that nobody answers"
    assert other.scan(next(codes)) == "ok", "the centre has the use brought over while the shopper waits"
    assert holder.scan(next(codes)) in ("cap_reached", "no_part")
    wait_until(lambda: not dark.online, NOTICED_S, "the cut to be noticed")
    assert dark.scan(next(codes)) == "no_part"
    heal(house)
    assert sum(house.shown(ONE).values()) == 1
    assert sum(count for (campaign, _), count in house.booked().items() if campaign == ONE.id) == 1


def sell_out(house: NetHouse, lane: NetLane, codes: Iterator[Code]) -> int:
    """Sell what the lane has of FEW; how many that was."""
    sold = 0
    while lane.scan(next(codes)) == "ok":
        sold += 1
    return sold


def test_an_old_disk_spends_nothing_twice_where_a_neighbour_recognises_it(house: NetHouse) -> None:
    house.start()
    lane, codes = house.lanes["lane-1"], iter(house.codes[FEW.id])
    lane.wait_until(lambda one: one.part(FEW), "to have a part", BACK_S)
    lane.kill()
    image = lane.copy_disk()
    lane.start()
    wait_until(lambda: lane.online and lane.hub, BACK_S, "the lane to be back")
    cut_wan(house, noticed=False)
    house.networks.cut("lane-2", LAN)  # so that it is the third one that speaks
    while lane.scan(next(codes)) != "ok":  # it waits for a witness, and does not know yet that its disk is the newest
        pause_until(time.monotonic() + 0.5)
    hears_of(house.lanes["lane-3"], 1 + sell_out(house, lane, codes))
    lane.kill()
    lane.restore_disk(image)
    lane.start()
    wait_until(lambda: lane.started, BACK_S, "the old disk to start")
    before = sum(house.shown(FEW).values())
    assert lane.scan(next(codes)) == "no_part", "a witness may still speak"
    wait_until(lambda: lane.last("disk_is_old"), REPLACED_S, "the witness's word")
    assert lane.last("disk_is_old")["witness"] == "lane-3"
    assert lane.scan(next(codes)) == "no_part", "and it has spoken"
    assert sum(house.shown(FEW).values()) == before
    heal(house)
    wait_until(lambda: lane.part(MANY), BACK_S, "a part for the new epoch")
    assert lane.scan(house.codes[MANY.id][0]) == "ok", "it sells on"


def keeper(house: NetHouse) -> NetLane:
    ((device,),) = house.centre_rows("SELECT name FROM devices JOIN homes ON homes.device_id = devices.id")
    lane = house.lanes[device]
    wait_until(lambda: lane.rows("SELECT 1 FROM homes WHERE device = ?", device), BACK_S, "the keeper to know")
    return lane


def test_home_the_keeper_is_asked_over_the_shops_own_network(house: NetHouse) -> None:
    house.start()
    keeps = keeper(house)
    asks, third = [lane for lane in house.lanes.values() if lane is not keeps]
    cut_wan(house, noticed=False)
    codes = iter(house.codes[HOME.id])
    code = next(codes)
    sees_yes(asks, code)  # once the lanes have heard of each other
    assert [keeps.scan(code), third.scan(code)] == ["used", "used"]

    # The question arrives, the answer does not: the keeper has let go, nobody is told yes.
    house.networks.cut(keeps.device, LAN, frozenset({"out"}))
    scan = asks.begin(lost := next(codes))
    assert scan.finish() == "not_home"
    assert scan.waited_ms < ASK_WAIT_MS + SLACK_S * 1000
    wait_until(lambda: not asks.rows("SELECT 1 FROM questions"), 5, "the question to be withdrawn")

    # The keeper is gone: so they are told at once.
    house.networks.cut(keeps.device, LAN)
    pause_until(time.monotonic() + GONE_MS / 1000 + SLACK_S)
    scan = third.begin(dark := next(codes))
    assert scan.finish() == "not_home"
    assert scan.waited_ms < SLACK_S * 1000
    assert keeps.scan(dark) == "ok", "it decides alone"

    heal(house)
    wait_until(lambda: asks.online and keeps.hub and asks.hub, BACK_S, "all to be back")
    answers = [lane.scan(lost) for lane in (asks, keeps, third)]
    assert answers.count("ok") == 1, answers
    heal(house)
    assert set(house.shown(HOME).values()) == {1}
    assert house.booked() == {(HOME.id, one.serial): 1 for one in house.codes[HOME.id][:3]}
    assert not house.centre_rows("SELECT 1 FROM conflicts WHERE state <> 'withdrawn'")


def test_a_lane_that_runs_low_gets_a_part_from_its_neighbour_over_the_shops_own_network(house: NetHouse) -> None:
    house.start()
    cut_wan(house)
    lane = house.lanes["lane-1"]
    total = sum(one.part(FEW) for one in house.lanes.values())
    sold, codes = 0, iter(house.codes[FEW.id])
    sold += sell_out(house, lane, codes)
    end_s = time.monotonic() + 30
    while sold < total and time.monotonic() < end_s:
        wait_until(lambda: lane.part(FEW), 10, "another part")
        sold += sell_out(house, lane, codes)
    assert sold == total, "down to the neighbours' last one"
    assert not any(one.part(FEW) for one in house.lanes.values())
    heal(house)
    assert sum(house.shown(FEW).values()) == total == len(house.booked())
    assert house.centre_rows("SELECT transit_count, exposure_count FROM pots WHERE id = 4") == [(0, 0)]


def live(folder: Path, seed: int, rounds: int) -> Story:
    house = NetHouse(folder, given=GIVEN)
    try:
        house.start()
        story = Story(house, seed, rounds)
        try:
            story.run()
            story.check()
        finally:
            (folder / "story.log").write_text(story.told())
        return story
    finally:
        house.close()


def test_K6_a_random_hour_of_a_shop_keeps_caps_homes_and_books(tmp_path: Path) -> None:
    story = live(tmp_path / "house", QUICK_SEED, QUICK_ROUNDS)
    assert {"clock 1970", "clock 2040", "hub killed", "stop", "power", "image"} <= set(story.seen.counts)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_K6_many_random_hours(tmp_path: Path, seed: int) -> None:
    live(tmp_path / "house", seed, SLOW_ROUNDS)
