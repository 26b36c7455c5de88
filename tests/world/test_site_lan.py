"""A site's network in one thread: whatever happens to it, one hub again in bounded time, and it costs little."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge_agent.settings import SiteNetwork
from simulator.world.signatures import remembered_signatures
from tests.world.lan_kit import LANES, Shop
from tests.world.lan_storm import SETTLED_MS, one_way, struck_off
from wire.hub import (
    BEACON_EVERY_MS,
    DOUBT_FIRST_MS,
    ECHO_LOST_MS,
    HUB_LOST_MS,
    LISTEN_MS,
    RANK_BOX,
    SLOT_MS,
)

ELECTION_MS = LISTEN_MS + SLOT_MS * 5 + 900 + BEACON_EVERY_MS + 200  # 900: until a hub's process listens, at most
BACK_MS = 5_000  # a site whose network is back finds itself again


def test_lanes_that_wake_together_have_one_hub_soon_and_hear_each_other() -> None:
    for seed in range(20):
        shop = Shop(seed)
        shop.settle(ELECTION_MS)
        assert shop.hears_all()


def test_a_lane_that_is_alone_does_nothing_at_all() -> None:
    shop = Shop(1, lanes=("lane-1",))
    shop.pass_ms(60_000)
    assert shop.lan.due_ms() is None
    assert shop.lanes["lane-1"].net.following is None
    assert not shop.lanes["lane-1"].net.say("all", b"anybody?")


def kill_hub(shop: Shop) -> None:
    assert shop.lan.kill_hub()


def hang_deaf(shop: Shop) -> None:
    assert shop.lan.hang_hub(mute=False)


def hang_mute(shop: Shop) -> None:
    assert shop.lan.hang_hub(mute=True)


def power_cut(shop: Shop) -> None:
    shop.lan.remove(shop.agreed())


def kill_lane(shop: Shop) -> None:
    shop.lan.kill(shop.agreed())


def stop_lane(shop: Shop) -> None:
    shop.lanes[shop.agreed()].net.stop()


AGAIN: dict[str, tuple[Callable[[Shop], None], int]] = {
    "killed": (kill_hub, ELECTION_MS),
    "hanging": (hang_deaf, ECHO_LOST_MS + ELECTION_MS),
    "mute": (hang_mute, ECHO_LOST_MS + ELECTION_MS + DOUBT_FIRST_MS),
    "without power": (power_cut, ECHO_LOST_MS + ELECTION_MS),
    "killed with its lane": (kill_lane, ELECTION_MS),
    "stopped with its lane": (stop_lane, ELECTION_MS),
}


@pytest.mark.parametrize("what", AGAIN)
def test_a_hub_that_is_gone_is_replaced_in_bounded_time(what: str) -> None:
    happen, within_ms = AGAIN[what]
    for seed in range(10):
        shop = Shop(seed)
        shop.settle(ELECTION_MS)
        session = shop.lan.hubs[0].session
        happen(shop)
        began_ms = shop.now_ms
        while [hub.session for hub in shop.lan.hubs] == [session]:
            assert shop.now_ms < began_ms + within_ms, "the old hub is still there"
            shop.pass_ms(50)
        shop.settle(began_ms + within_ms - shop.now_ms)
        assert shop.hears_all()
        assert not shop.lan.audit.violations


def test_two_halves_have_a_hub_each_and_one_when_they_meet_again() -> None:
    for seed in range(10):
        shop = Shop(seed)
        shop.settle(ELECTION_MS)
        shop.lan.split([LANES[:2], LANES[2:]])
        shop.pass_ms(SETTLED_MS)
        first, second = shop.agreed(*LANES[:2]), shop.agreed(*LANES[2:])
        assert first in LANES[:2]
        assert second in LANES[2:]
        assert shop.lan.counts.datagrams_cut
        shop.lan.heal()
        assert shop.settle(SETTLED_MS) == min(first, second)
        assert shop.hears_all()


def test_a_lane_that_is_cut_off_is_missed_by_nobody_and_is_back_when_the_cut_heals() -> None:
    for seed in range(10):
        shop = Shop(seed)
        hub = shop.settle(ELECTION_MS)
        lost = next(name for name in LANES if name != hub)
        others = [name for name in LANES if name != lost]
        shop.lan.cut(lost)
        shop.pass_ms(HUB_LOST_MS + SETTLED_MS)
        assert shop.agreed(*others) == hub
        assert shop.hears_all(*others)
        shop.lan.heal()
        shop.settle(SETTLED_MS)
        assert shop.hears_all()


def test_a_way_that_is_closed_in_one_direction_stops_neither_the_others_nor_for_good() -> None:
    for seed in range(10):
        one_way(seed)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("away_ms", [3_000, 60_000, 600_000])
def test_K6_a_site_whose_network_is_back_finds_itself_again_within_5_seconds(
    named: bool, restarted: bool, away_ms: int
) -> None:
    for seed in range(4):
        shop = Shop(seed, lanes=())
        lanes = LANES[:3]
        shop.told = {name: public for name, public in Shop(seed).told.items() if name in lanes}
        for number, name in enumerate(lanes):
            addresses = [f"192.168.1.{11 + number}"] if named else []
            shop.lanes[name] = shop.listener(name, settings=SiteNetwork(addresses=addresses))
        shop.settle(ELECTION_MS)
        for name in lanes:
            shop.lan.unplug(name)
            if restarted:
                shop.lan.remove(name)
                shop.lanes[name].switch_on()
        shop.pass_ms(away_ms)
        for name in lanes:
            shop.lan.plug(name)
        shop.settle(BACK_MS)
        assert shop.hears_all()


def test_a_box_is_the_hub_while_it_is_there() -> None:
    shop = Shop(3, box=True)
    shop.settle(ELECTION_MS)
    shop.lanes["hub-1"] = shop.listener("hub-1", rank=RANK_BOX)
    shop.pass_ms(ELECTION_MS)
    assert shop.settle(SETTLED_MS) == "hub-1"
    shop.lan.remove("hub-1")
    assert shop.settle(SETTLED_MS) in LANES


def test_who_is_struck_off_the_list_is_sent_away_and_hears_nothing_more() -> None:
    for seed in range(10):
        struck_off(seed)


def test_what_is_under_way_on_a_connection_that_breaks_is_lost_and_the_lane_comes_back() -> None:
    shop = Shop(5)
    hub = shop.settle(ELECTION_MS)
    speaker = shop.lanes[next(name for name in LANES if name != hub)]
    lost = 0
    for _ in range(60):
        speaker.net.say("all", b"on its way")
        shop.lan.break_connection()
        lost = shop.lan.counts.messages_lost
        shop.pass_ms(3_000)
    assert lost > 0
    assert shop.lan.counts.connections_broken == 60
    shop.settle(SETTLED_MS)
    assert shop.hears_all()
    assert not shop.lan.audit.violations


def test_a_short_cut_holds_messages_up_and_loses_none() -> None:
    shop = Shop(6)
    hub = shop.settle(ELECTION_MS)
    lane = shop.lanes[next(name for name in LANES if name != hub)]
    shop.lan.cut(lane.device)
    assert lane.net.say(hub, b"through the cut")
    shop.pass_ms(600)
    assert shop.lanes[hub].heard == []
    shop.lan.heal()
    shop.pass_ms(1_000)
    assert shop.lanes[hub].heard == [(lane.device, b"through the cut")]
    assert shop.lan.counts.messages_held == 1


def test_long_steps_and_short_ones_are_the_same_story() -> None:
    def story(step_ms: int) -> str:
        shop = Shop(7)
        for _ in range(6):
            for _ in range(20_000 // step_ms):
                shop.pass_ms(step_ms)
            shop.lan.kill_hub()
            shop.lanes["lane-2"].net.say("all", b"hello")
        return shop.trace()

    assert story(10) == story(20_000)


def test_a_settled_site_may_sleep_through_a_night_and_one_that_is_not_may_not() -> None:
    shop = Shop(8)
    assert not shop.lan.skip(1_000)
    shop.settle(ELECTION_MS)
    events = shop.lan.agenda.events
    assert shop.lan.skip(10 * 3_600_000)
    shop.pass_ms(10 * 3_600_000)
    assert shop.lan.agenda.events == events
    assert shop.hears_all()
    shop.lan.cut("lane-1")
    assert not shop.lan.skip(1_000)


def test_what_is_due_next_is_due_then() -> None:
    shop = Shop(9)
    shop.settle(ELECTION_MS)
    for _ in range(2_000):
        due_ms = shop.lan.due_ms()
        assert due_ms is not None
        assert due_ms >= shop.now_ms
        events = shop.lan.agenda.events
        shop.lan.step(due_ms - 1)
        assert shop.lan.agenda.events == events
        shop.now_ms = due_ms
        shop.lan.step(due_ms)
        assert shop.lan.agenda.events > events


def test_remembered_signatures_change_no_answer() -> None:
    def story() -> str:
        shop = Shop(10)
        for _ in range(30):
            shop.pass_ms(1_000)
            for lane in shop.on():
                lane.net.say("all", lane.device.encode())
            shop.lan.mischief.forge_message()
            shop.lan.mischief.forge_datagram()
        assert shop.lan.counts.messages_forged
        assert shop.lan.counts.datagrams_forged
        return shop.trace()

    plain = story()
    with remembered_signatures():
        assert story() == plain
