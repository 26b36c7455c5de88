"""What may be decided alone, with many lanes, a bad network, kills and restores: caps, budgets and homes hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from central import homes
from edge_agent.core import events as ev
from edge_agent.settings import UnitSettings
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.lease import POINTS, Pot
from loyalty.reason import Reason
from tests.shops import Shops

LEASE = Campaign(
    id=1, name="先着割引", kind=Kind.AMOUNT, policy=Policy.LEASE, provider="s", amount_yen=100, serials=False, cap=40
)
ONE = Campaign(id=2, name="一名様", kind=Kind.AMOUNT, policy=Policy.LEASE, provider="s", amount_yen=100, cap=1)
BUDGET = Campaign(
    id=3, name="総額", kind=Kind.AMOUNT, policy=Policy.LEASE, provider="s", amount_yen=300, serials=False,
    budget_yen=3_000,
)  # fmt: skip
HOME = Campaign(id=4, name="発行店", kind=Kind.GIFT, policy=Policy.HOME, provider="s", gift="珈琲")
SIGNED = Campaign(id=5, name="共通券", kind=Kind.AMOUNT, policy=Policy.SIGNED, provider="s", amount_yen=100)
ASK_WAIT_MS = UnitSettings(device="u", site="s").ask_wait_ms
LANES = {"lane-1": "ginza", "lane-2": "ginza", "lane-3": "shibuya"}


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[Shops]:
    with Shops(tmp_path / "world", (LEASE, ONE, BUDGET, HOME, SIGNED), LANES) as shops:
        yield shops


def reason(shops: Shops, device: str) -> Reason | None:
    """What the last shopper there was told."""
    verdict = shops.answer(device)
    return verdict.reason if verdict is not None else None


def told(shops: Shops, device: str, code: str) -> Reason | None:
    """What a shopper is told at once."""
    shops.scan(device, code)
    return reason(shops, device)


def test_each_lane_is_leased_a_part_before_anybody_shows_a_coupon(shops: Shops) -> None:
    assert all(shops.left(lane, 1) >= 1 for lane in shops.lanes)
    assert sum(shops.left(lane, 1) for lane in shops.lanes) <= 40
    assert sum(shops.left(lane, 2) for lane in shops.lanes) == 1


def test_a_lane_alone_says_yes_within_its_part_and_then_a_clear_no(shops: Shops) -> None:
    code, part = shops.coupon(1), shops.left("lane-1", 1)
    shops.cut("lane-1")
    shops.leave("lane-1")
    answers = [told(shops, "lane-1", code) for _ in range(part + 1)]
    assert answers == [Reason.OK] * part + [Reason.NO_PART]


def test_a_lane_alone_whose_part_is_used_up_does_not_turn_in_circles(shops: Shops) -> None:
    code, part = shops.coupon(1), shops.left("lane-1", 1)
    shops.cut("lane-1")
    shops.leave("lane-1")
    assert [told(shops, "lane-1", code) for _ in range(part + 1)][-1] is Reason.NO_PART
    before = shops.world.turns
    shops.run(600_000)
    assert shops.world.turns - before < 600 * 30, "of three lanes, of which two hear each other, in 600 s"


def test_a_lane_that_sells_much_is_leased_more(shops: Shops) -> None:
    code = shops.coupon(1)
    for _ in range(6):
        shops.scan("lane-1", code)
        shops.run(1_000)
    assert shops.left("lane-1", 1) > max(shops.left(other, 1) for other in ("lane-2", "lane-3"))


def test_the_last_use_is_fetched_from_the_lane_that_has_it(shops: Shops) -> None:
    (holder,) = (lane for lane in shops.lanes if shops.left(lane, 2))
    other = next(lane for lane in shops.lanes if lane != holder)
    shops.scan(other, shops.coupon(2))
    shops.run(2_000)
    assert reason(shops, other) is Reason.OK
    assert shops.left(holder, 2) == 0
    assert told(shops, holder, shops.coupon(2)) is not Reason.OK
    shops.run(2_000)
    assert reason(shops, holder) is Reason.CAP_REACHED
    shops.judge()


def test_what_is_left_when_a_campaign_stops_is_returned(shops: Shops) -> None:
    issued = next(campaign for campaign in shops.world.operators.campaigns() if campaign.id == 1)
    shops.world.operators.change(msgspec.structs.replace(issued, stopped=True))
    shops.run(30_000)
    assert all(shops.left(lane, 1) == 0 for lane in shops.lanes)
    assert shops.centre("SELECT out_count FROM pots WHERE id = 1") == 0


def test_a_budget_is_leased_in_yen(shops: Shops) -> None:
    code = shops.coupon(3)
    for _ in range(20):
        for lane in shops.lanes:
            shops.scan(lane, code)
        shops.run(5_000)
    assert shops.shown_yen(3) == 3_000
    shops.judge()


def test_home_the_keeper_decides_alone_and_a_stranger_is_told_where(shops: Shops) -> None:
    code = shops.coupon(4, home="ginza")
    shops.cut("lane-3")
    refused = shops.scan("lane-3", code)
    assert refused is not None
    assert (refused.reason, refused.site) == (Reason.NOT_HOME, "ginza")
    keeper = shops.keeper("ginza")
    shops.cut(keeper)
    assert told(shops, keeper, code) is Reason.OK
    shops.judge()
    assert shops.booked_of(4) == 1


def test_home_another_site_asks_and_the_serial_comes_over(shops: Shops) -> None:
    code = shops.coupon(4, home="ginza")
    assert shops.scan("lane-3", code) is None, "it asks"
    shops.run(2_000)
    assert reason(shops, "lane-3") is Reason.OK
    keeper = shops.keeper("ginza")
    shops.scan(keeper, code)
    shops.run(2_000)
    assert reason(shops, keeper) is Reason.USED
    shops.judge()
    assert shops.centre("SELECT flags FROM redemptions WHERE campaign = 4") == 0
    assert shops.centre("SELECT count(*) FROM conflicts") == 0


def test_home_a_dark_keeper_can_t_let_go_and_the_shopper_is_told_in_time(shops: Shops) -> None:
    code, keeper = shops.coupon(4, home="ginza"), shops.keeper("ginza")
    shops.world.wan.cut(keeper, silent=True)  # dark, and nobody noticed yet
    shops.scan("lane-3", code)
    shops.run(ASK_WAIT_MS + 100)
    refused = shops.answer("lane-3")
    assert refused is not None
    assert (refused.reason, refused.site) == (Reason.NOT_HOME, "ginza")
    assert told(shops, keeper, code) is Reason.OK, "it never let it go"


def test_home_moves_on_request_once_the_keeper_let_it_go(shops: Shops) -> None:
    given, keeper = shops.given(4, home="ginza"), shops.keeper("ginza")
    with shops.world.office.writing() as connection:
        secret = shops.world.office.office.keys.cache_secret()
        at_once = homes.ask_to_move(connection, secret, 4, given.coupon.serial, "shibuya", b"m" * 16, 0)
    assert not at_once
    shops.cut(*shops.lanes)
    shops.mend(*shops.lanes)
    shops.run(10_000)
    shops.cut(*shops.lanes)
    assert told(shops, keeper, given.text) is Reason.NOT_HOME
    assert told(shops, "lane-3", given.text) is Reason.OK


def test_a_restored_centre_learns_what_was_leased_before_it_grants_anything(shops: Shops) -> None:
    code, backup = shops.coupon(1), shops.backup()
    for _ in range(8):
        shops.scan("lane-1", code)
        shops.run(1_000)
    at_hand = sum(shops.left(lane, 1) for lane in shops.lanes)
    shops.cut("lane-1")
    shops.restore_centre(backup)
    shops.run(10_000)
    granted = shops.centre("SELECT sum(granted_count) FROM parts WHERE id = 1")
    for _ in range(shops.left("lane-3", 1)):
        shops.scan("lane-3", code)
        shops.run(2_000)
    assert shops.left("lane-3", 1) == 0
    assert shops.centre("SELECT sum(granted_count) FROM parts WHERE id = 1") == granted, "lane-1 has to speak first"
    shops.judge()
    assert shops.centre("SELECT sum(granted_count) FROM parts WHERE id = 1") > granted
    promised = shops.centre("SELECT spent_count + out_count + transit_count - exposure_count FROM pots WHERE id = 1")
    assert promised >= 8 + at_hand


def test_a_lane_with_an_old_disk_gets_new_parts_once_the_centre_knows(shops: Shops) -> None:
    code, image = shops.coupon(1), shops.image("lane-1")
    for _ in range(5):
        shops.scan("lane-1", code)
        shops.run(1_000)
    shops.cut("lane-1")
    shops.leave("lane-1")  # nobody can tell it that its disk is old
    shops.restore_disk("lane-1", image)
    held_once_more = shops.left("lane-1", 1)
    shops.run(11_000)
    assert told(shops, "lane-1", code) is Reason.OK
    shops.judge()
    shops.run(20_000)
    assert shops.centre("SELECT exposure_count FROM pots WHERE id = 1") == 1 <= held_once_more
    assert shops.left("lane-1", 1) >= 1, "it sells on, under its new epoch"
    assert shops.booked_of(1) == shops.shown_of(1) == 6


# --- the site's own network, while the internet is gone ---------------------------------------------------------


@pytest.fixture
def dark(shops: Shops) -> Shops:
    """The same shops without their lines."""
    shops.cut(*shops.lanes)
    shops.run(3_000)
    return shops


def keeper_and_other(shops: Shops) -> tuple[str, str]:
    """The lane that keeps the home of ginza, and its neighbour."""
    keeper = shops.keeper("ginza")
    return keeper, next(lane for lane, site in LANES.items() if site == "ginza" and lane != keeper)


def test_a_second_lane_refuses_what_the_first_one_honoured(dark: Shops) -> None:
    code = dark.coupon(5)
    assert told(dark, "lane-1", code) is Reason.OK
    dark.run(100)
    assert told(dark, "lane-2", code) is Reason.USED


def test_a_lane_without_a_part_gets_one_from_its_neighbour(dark: Shops) -> None:
    code = dark.coupon(1)
    total = dark.left("lane-1", 1) + dark.left("lane-2", 1)
    sold = 0
    for _ in range(total * 3):
        said = told(dark, "lane-1", code)
        assert said is not None
        sold += said is Reason.OK
        dark.run(2_000)
    assert sold == total, "down to the neighbour's last one"
    assert dark.left("lane-2", 1) == 0
    dark.judge()
    for lane in ("lane-1", "lane-2"):
        assert dark.agent(lane).store.parts.under_way(9) == [], "nothing is offered for ever"
    assert dark.centre("SELECT transit_count FROM pots WHERE id = 1") == 0
    assert dark.centre("SELECT exposure_count FROM pots WHERE id = 1") == 0
    assert dark.booked_of(1) == total


def test_home_the_keeper_is_asked_without_the_internet(dark: Shops) -> None:
    code = dark.coupon(4, home="ginza")
    keeper, other = keeper_and_other(dark)
    assert dark.scan(other, code) is None, "it asks"
    dark.run(500)
    assert reason(dark, other) is Reason.OK
    assert told(dark, keeper, code) is Reason.USED
    dark.judge()
    assert dark.centre("SELECT flags FROM redemptions WHERE campaign = 4") == 0
    assert dark.centre("SELECT count(*) FROM conflicts") == 0


def test_home_nobody_says_yes_when_the_lanes_are_cut_from_each_other_too(dark: Shops) -> None:
    code = dark.coupon(4, home="ginza")
    keeper, other = keeper_and_other(dark)
    dark.leave(*dark.lanes)
    dark.run(10_000)  # until they know
    assert told(dark, other, code) is Reason.NOT_HOME
    assert told(dark, keeper, code) is Reason.OK


def test_an_old_disk_that_a_neighbour_recognises_spends_nothing_twice(dark: Shops) -> None:
    code, image = dark.coupon(1), dark.image("lane-1")
    had = dark.left("lane-1", 1)
    for _ in range(had):
        dark.scan("lane-1", code)
        dark.run(100)
    dark.restore_disk("lane-1", image)
    assert told(dark, "lane-1", code) is Reason.NO_PART, "a witness may still speak"
    dark.run(3_000)
    assert told(dark, "lane-1", code) is Reason.NO_PART, "and it has spoken"
    assert dark.shown_of(1) == had
    dark.judge()
    dark.run(10_000)
    assert dark.left("lane-1", 1) >= 1, "the centre opened a new epoch, and it sells on"


def test_an_old_disk_in_which_the_centre_sees_nothing_odd_begins_a_new_epoch(shops: Shops) -> None:
    code, early = shops.coupon(1), shops.image("lane-1")
    for _ in range(2):
        shops.scan("lane-1", code)
    shops.settle()
    late = shops.image("lane-1")
    shops.restore_disk("lane-1", early)
    shops.settle()
    second = shops.agent("lane-1").store.journal.epoch
    shops.restore_disk("lane-1", late)  # the end of its first epoch, as the centre knows it
    first = shops.agent("lane-1").store.journal.epoch
    assert first != second
    shops.judge()
    shops.run(15_000)
    assert shops.agent("lane-1").store.journal.epoch not in (first, second)
    assert shops.agent("lane-1").store.alone
    assert shops.left("lane-1", 1) >= 1


def test_M11_points_are_spent_in_the_dark_within_what_was_leased_for_the_person_and_the_unit(shops: Shops) -> None:
    person = Pot(POINTS, 1, 77)
    shops.world.operators.floor(1, 77, 300)
    shops.world.operators.floor(1, 0, 1_000)

    def pay(points: int) -> bool:
        return shops.asked_points("lane-1", ev.PointsWanted(programme=1, holder=77, points=points))

    assert not pay(100), "nothing is leased before somebody wants to pay"
    shops.run(6_000)
    shops.cut("lane-1")
    assert pay(100)
    had = shops.agent("lane-1").store.parts.account(person).left.count
    assert not pay(had + 1)
    assert had == 0 or pay(had)
    shops.judge()
    assert shops.centre("SELECT spent_count FROM pots WHERE kind = 'p' AND holder = 77") == 100 + had <= 300
    assert shops.centre("SELECT spent_count FROM pots WHERE kind = 'p' AND holder = 0") == 100 + had
    assert shops.centre("SELECT exposure_count FROM pots WHERE kind = 'p' AND holder = 77") == 0
