"""What may be decided alone, with many lanes, a bad network, kills and restores: caps, budgets and homes hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from central import leases
from edge_agent.core import events as ev
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.lease import POINTS, Pot
from loyalty.reason import Reason
from simulator.world.lanes import World

LEASE = Campaign(
    id=1, name="先着割引", kind=Kind.AMOUNT, policy=Policy.LEASE, provider="s", amount_yen=100, serials=False, cap=40
)
ONE = Campaign(id=2, name="一名様", kind=Kind.AMOUNT, policy=Policy.LEASE, provider="s", amount_yen=100, cap=1)
BUDGET = Campaign(
    id=3, name="総額", kind=Kind.AMOUNT, policy=Policy.LEASE, provider="s", amount_yen=300, serials=False,
    budget_yen=3_000,
)  # fmt: skip
SIGNED = Campaign(id=5, name="共通券", kind=Kind.AMOUNT, policy=Policy.SIGNED, provider="s", amount_yen=100)
HOME = Campaign(id=4, name="発行店", kind=Kind.GIFT, policy=Policy.HOME, provider="s", gift="珈琲")
LANES = {"lane-1": "ginza", "lane-2": "ginza", "lane-3": "shibuya"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, 1, (LEASE, ONE, BUDGET, HOME, SIGNED), LANES, loss=0.0)
    for _ in range(100):
        world.turn()
    yield world
    world.close()


def test_each_lane_is_leased_a_part_before_anybody_shows_a_coupon(world: World) -> None:
    assert all(lane.left(1) >= 1 for lane in world.lanes.values())
    assert sum(lane.left(1) for lane in world.lanes.values()) <= 40
    assert sum(lane.left(2) for lane in world.lanes.values()) == 1


def test_a_lane_alone_says_yes_within_its_part_and_then_a_clear_no(world: World) -> None:
    lane = world.lanes["lane-1"]
    code, part = world.give(1).text, lane.left(1)
    lane.cut()
    answers = []
    for _ in range(part + 1):
        verdict = lane.scan(code)
        assert verdict is not None
        answers.append(verdict.reason)
    assert answers == [Reason.OK] * part + [Reason.NO_PART]


def test_a_lane_that_sells_much_is_leased_more(world: World) -> None:
    lane, code = world.lanes["lane-1"], world.give(1).text
    for _ in range(6):
        lane.scan(code)
        for _ in range(10):
            world.turn()
    assert lane.left(1) > max(world.lanes[other].left(1) for other in ("lane-2", "lane-3"))


def test_the_last_use_is_fetched_from_the_lane_that_has_it(world: World) -> None:
    (holder,) = (lane for lane in world.lanes.values() if lane.left(2))
    other = next(lane for lane in world.lanes.values() if lane is not holder)
    other.scan(world.give(2).text)
    for _ in range(20):
        world.turn()
    assert other.last is not None
    assert other.last.reason is Reason.OK
    assert holder.left(2) == 0
    refused = holder.scan(world.give(2).text)
    for _ in range(20):
        world.turn()
    assert refused is None or refused.reason is not Reason.OK
    assert holder.last is not None
    assert holder.last.reason is Reason.CAP_REACHED


def test_what_is_left_when_a_campaign_stops_is_returned(world: World) -> None:
    from central.coupons import issue

    with world.office.database.write() as connection:
        issue.stop(connection, 1)
    for _ in range(300):
        world.turn()
    assert all(lane.left(1) == 0 for lane in world.lanes.values())
    assert world.one("SELECT out_count FROM pots WHERE id = 1") == 0


def test_a_budget_is_leased_in_yen(world: World) -> None:
    code = world.give(3).text
    for _ in range(20):
        for lane in world.lanes.values():
            lane.scan(code)
        for _ in range(50):
            world.turn()
    assert world.cost_yen == 3_000


def test_home_the_keeper_decides_alone_and_a_stranger_is_told_where(world: World) -> None:
    given = world.give(4, home="ginza")
    keeper, stranger = world.lanes["lane-1"], world.lanes["lane-3"]
    stranger.cut()
    refused = stranger.scan(given.text)
    assert refused is not None
    assert (refused.reason, refused.site) == (Reason.NOT_HOME, "ginza")
    keeper.cut()
    verdict = keeper.scan(given.text)
    assert verdict is not None
    assert verdict.reason is Reason.OK
    world.settle()
    assert world.booked_of(4) == 1


def test_home_another_site_asks_and_the_serial_comes_over(world: World) -> None:
    given = world.give(4, home="ginza")
    keeper, stranger = world.lanes["lane-1"], world.lanes["lane-3"]
    assert stranger.scan(given.text) is None, "it asks"
    for _ in range(20):
        world.turn()
    assert stranger.last is not None
    assert stranger.last.reason is Reason.OK
    keeper.scan(given.text)
    for _ in range(20):
        world.turn()
    assert keeper.last is not None
    assert keeper.last.reason is Reason.USED
    world.settle()
    assert world.one("SELECT flags FROM redemptions WHERE campaign = 4") == 0
    assert world.one("SELECT count(*) FROM conflicts") == 0


def test_home_a_dark_keeper_can_t_let_go_and_the_shopper_is_told_in_time(world: World) -> None:
    given = world.give(4, home="ginza")
    world.lanes["lane-1"].link_up = False  # dark, and nobody noticed yet
    stranger = world.lanes["lane-3"]
    stranger.scan(given.text)
    for _ in range(40):
        world.turn()
    assert stranger.last is not None
    assert (stranger.last.reason, stranger.last.site) == (Reason.NOT_HOME, "ginza")
    world.lanes["lane-1"].link_up = True
    assert world.lanes["lane-1"].scan(given.text) is not None


def test_home_moves_on_request_once_the_keeper_let_it_go(world: World) -> None:
    from central import homes

    given = world.give(4, home="ginza")
    with world.office.database.write() as connection:
        secret = world.office.keys.cache_secret()
        at_once = homes.ask_to_move(connection, secret, 4, given.coupon.serial, "shibuya", b"m" * 16, 0)
    assert not at_once
    for lane in world.lanes.values():
        lane.cut()
        lane.connect()
    for _ in range(100):
        world.turn()
    for lane in world.lanes.values():
        lane.cut()
    old, new = world.lanes["lane-1"].scan(given.text), world.lanes["lane-3"].scan(given.text)
    assert old is not None
    assert new is not None
    assert (old.reason, new.reason) == (Reason.NOT_HOME, Reason.OK)


def test_a_restored_centre_learns_what_was_leased_before_it_grants_anything(world: World) -> None:
    code = world.give(1).text
    backup = world.backup()
    for _ in range(8):
        world.lanes["lane-1"].scan(code)
        for _ in range(10):
            world.turn()
    at_hand = sum(lane.left(1) for lane in world.lanes.values())
    world.lanes["lane-1"].cut()
    world.restore_centre(backup)
    for _ in range(100):
        world.turn()
    granted = world.one("SELECT sum(granted_count) FROM parts WHERE id = 1")
    world.lanes["lane-3"].scan(world.give(2).text)
    world.settle()
    assert world.one("SELECT sum(granted_count) FROM parts WHERE id = 1") > granted, "lane-1 had to speak first"
    assert world.promised(1) >= 8 + at_hand


def test_a_lane_with_an_old_disk_gets_new_parts_once_the_centre_knows(world: World) -> None:
    lane, code = world.lanes["lane-1"], world.give(1).text
    image = lane.image()
    for _ in range(5):
        lane.scan(code)
        for _ in range(10):
            world.turn()
    lane.cut()
    lane.leave()  # nobody can tell it that its disk is old
    world.restore_lane("lane-1", image)
    held_once_more = lane.left(1)
    world.turn(11_000)
    verdict = lane.scan(code)
    assert verdict is not None
    assert verdict.reason is Reason.OK
    world.settle()
    for _ in range(200):
        world.turn()
    assert world.one("SELECT exposure_count FROM pots WHERE id = 1") == 1 <= held_once_more
    assert lane.left(1) >= 1, "it sells on, under its new epoch"
    assert world.booked_of(1) == world.shown_of(1) == 6


# --- the site's own network, while the internet is gone ---------------------------------------------------------


@pytest.fixture
def dark(world: World) -> World:
    """The same shops without their lines."""
    for lane in world.lanes.values():
        lane.cut()
    for _ in range(30):
        world.turn()
    return world


def test_a_second_lane_refuses_what_the_first_one_honoured(dark: World) -> None:
    given = dark.give(5)
    first, second = dark.lanes["lane-1"], dark.lanes["lane-2"]
    verdict = first.scan(given.text)
    assert verdict is not None
    assert verdict.reason is Reason.OK
    dark.turn()
    refused = second.scan(given.text)
    assert refused is not None
    assert refused.reason is Reason.USED


def test_a_lane_without_a_part_gets_one_from_its_neighbour(dark: World) -> None:
    code = dark.give(1).text
    one, two = dark.lanes["lane-1"], dark.lanes["lane-2"]
    total = one.left(1) + two.left(1)
    sold = 0
    for _ in range(total * 3):
        verdict = one.scan(code)
        assert verdict is not None
        sold += verdict.reason is Reason.OK
        for _ in range(20):
            dark.turn()
    assert sold == total, "down to the neighbour's last one"
    assert two.left(1) == 0
    for lane in dark.lanes.values():
        lane.connect()
    dark.settle()
    assert one.store.parts.under_way(9) == two.store.parts.under_way(9) == [], "nothing is offered for ever"
    assert dark.one("SELECT transit_count FROM pots WHERE id = 1") == 0
    assert dark.one("SELECT exposure_count FROM pots WHERE id = 1") == 0
    assert dark.booked_of(1) == total


def test_home_the_keeper_is_asked_without_the_internet(dark: World) -> None:
    given = dark.give(4, home="ginza")
    keeper, other = dark.lanes["lane-1"], dark.lanes["lane-2"]
    assert other.scan(given.text) is None, "it asks"
    for _ in range(5):
        dark.turn()
    assert other.last is not None
    assert other.last.reason is Reason.OK
    refused = keeper.scan(given.text)
    assert refused is not None
    assert refused.reason is Reason.USED
    dark.settle()
    assert dark.one("SELECT flags FROM redemptions WHERE campaign = 4") == 0
    assert dark.one("SELECT count(*) FROM conflicts") == 0


def test_home_nobody_says_yes_when_the_lanes_are_cut_from_each_other_too(dark: World) -> None:
    given = dark.give(4, home="ginza")
    for lane in dark.lanes.values():
        lane.leave()
    dark.turn()
    refused = dark.lanes["lane-2"].scan(given.text)
    assert refused is not None
    assert refused.reason is Reason.NOT_HOME
    verdict = dark.lanes["lane-1"].scan(given.text)
    assert verdict is not None
    assert verdict.reason is Reason.OK


def test_an_old_disk_that_a_neighbour_recognises_spends_nothing_twice(dark: World) -> None:
    lane, code = dark.lanes["lane-1"], dark.give(1).text
    image = lane.image()
    had = lane.left(1)
    for _ in range(had):
        lane.scan(code)
        dark.turn()
    dark.restore_lane("lane-1", image)
    refused = lane.scan(code)
    assert refused is not None
    assert refused.reason is Reason.NO_PART, "a witness may still speak"
    for _ in range(30):
        dark.turn()
    refused = lane.scan(code)
    assert refused is not None
    assert refused.reason is Reason.NO_PART, "and it has spoken"
    assert dark.shown_of(1) == had
    dark.settle()
    for _ in range(100):
        dark.turn()
    assert lane.left(1) >= 1, "the centre opened a new epoch, and it sells on"


def test_an_old_disk_in_which_the_centre_sees_nothing_odd_begins_a_new_epoch(world: World) -> None:
    lane, code = world.lanes["lane-1"], world.give(1).text
    early = lane.image()
    for _ in range(2):
        lane.scan(code)
    world.settle()
    late = lane.image()
    world.restore_lane("lane-1", early)
    world.settle()
    second = lane.store.journal.epoch
    world.restore_lane("lane-1", late)  # the end of its first epoch, as the centre knows it
    first = lane.store.journal.epoch
    assert first != second
    world.settle()
    for _ in range(150):
        world.turn()
    assert lane.store.journal.epoch not in (first, second)
    assert lane.store.alone
    assert lane.left(1) >= 1


def test_M11_points_are_spent_in_the_dark_within_what_was_leased_for_the_person_and_the_unit(world: World) -> None:
    person, others = Pot(POINTS, 1, 77), Pot(POINTS, 1)
    with world.office.database.write() as connection:
        leases.put(connection, person, (300, None))
        leases.put(connection, others, (1_000, None))
    lane = world.lanes["lane-1"]

    def pay(points: int) -> bool:
        before = lane.store.journal.last
        lane.decide(ev.PointsWanted(programme=1, holder=77, points=points))
        return lane.store.journal.last > before

    assert not pay(100), "nothing is leased before somebody wants to pay"
    for _ in range(60):
        world.turn()
    lane.cut()
    assert pay(100)
    had = lane.store.parts.account(person).left.count
    assert not pay(had + 1)
    assert had == 0 or pay(had)
    world.settle()
    assert world.one("SELECT spent_count FROM pots WHERE kind = 'p' AND holder = 77") == 100 + had <= 300
    assert world.one("SELECT spent_count FROM pots WHERE kind = 'p' AND holder = 0") == 100 + had
    assert world.one("SELECT exposure_count FROM pots WHERE kind = 'p' AND holder = 77") == 0
