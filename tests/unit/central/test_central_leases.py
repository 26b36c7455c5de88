"""Parts of limits at the centre: what is granted, what comes back, and what an old disk or a lost unit costs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from central import leases, registry
from central.db.schema import DeviceState, devices, questions
from central.leases import Owner
from central.leasing import Lessor, Told
from loyalty.campaign import Policy
from loyalty.lease import CAMPAIGN, NOTHING, Amount, GrantReason, Pot
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, campaign
from wire.facts import Given, Redeemed, Returned, Taken
from wire.messages import AskLease, Grants, Held

POT = Pot(CAMPAIGN, 1)
CAP = 10


class Shop:
    """A centre with a leased campaign, and two lanes."""

    def __init__(self, folder: Path) -> None:
        self.centre = Centre(folder, campaign(1, policy=Policy.LEASE, cap=CAP, serials=False))
        self.one, self.two = Lane("lane-1"), Lane("lane-2")
        self.centre.enrol(self.one, self.two)

    def owner(self, lane: Lane) -> Owner:
        with self.centre.office.database.read() as connection:
            device = registry.find(connection, lane.name)
        assert device is not None
        return Owner(device.id, lane.epoch)

    def grant(self, lane: Lane, count: int) -> tuple[int, GrantReason]:
        with self.centre.office.database.write() as connection:
            granted, reason = leases.grant(connection, self.owner(lane), POT, Amount(count), NOW_MS)
        return granted.count, reason

    def all_to(self, lane: Lane) -> None:
        """Everything that is left, to one lane."""
        while self.grant(lane, CAP)[1] is not GrantReason.GRANTED and self.stand.out.count < CAP:
            pass

    @property
    def stand(self) -> leases.Stand:
        with self.centre.office.database.read() as connection:
            stand = leases.find(connection, POT)
        assert stand is not None
        return stand

    def left(self, lane: Lane) -> int:
        with self.centre.office.database.read() as connection:
            part = leases.holding(connection, self.owner(lane), POT)
        return 0 if part is None else part.left.count


def sell(lane: Lane, count: int = 1) -> None:
    for _ in range(count):
        fact = Redeemed(lane.stamp(), 1, 0, 0, 1, "lease", lane.site, 0, 100, 1, leased=True)
        lane.journal(fact)


def give_back(lane: Lane, count: int, name: bytes = b"r" * 16) -> None:
    lane.journal(Returned(lane.stamp(), name, POT, Amount(count)))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path / "centre")
    yield shop
    shop.centre.close()


def test_what_is_left_is_halved_among_those_who_ask_and_never_exceeded(shop: Shop) -> None:
    assert shop.grant(shop.one, 100) == (5, GrantReason.SHARED)
    assert shop.grant(shop.two, 100) == (1, GrantReason.SHARED), "nobody is asked to return what is still to be had"
    total = 0
    for _ in range(20):
        total = shop.grant(shop.one, 100)[0] + shop.grant(shop.two, 100)[0]
    assert total == CAP == shop.stand.out.count
    assert shop.grant(shop.one, 1)[1] is GrantReason.WITH_OTHERS


def test_a_part_counts_as_spent_until_the_unit_s_journal_says_otherwise(shop: Shop) -> None:
    shop.all_to(shop.one)
    sell(shop.one, 4)
    shop.centre.book(shop.one)
    assert (shop.stand.spent.count, shop.stand.out.count) == (4, 6)
    assert shop.grant(shop.two, 1) == (0, GrantReason.WITH_OTHERS)
    give_back(shop.one, 6)
    shop.centre.book(shop.one)
    assert (shop.stand.spent.count, shop.stand.out.count) == (4, 0)
    assert shop.grant(shop.two, 1) == (1, GrantReason.GRANTED)


def test_a_return_that_a_salvage_tells_again_counts_once(shop: Shop) -> None:
    shop.all_to(shop.one)
    sell(shop.one, 2)
    give_back(shop.one, 3)
    shop.centre.book(shop.one)
    salvaged = shop.one.under_a_new_epoch(2, "salvaged")  # the cursor was lost: the return is carried over
    salvaged.mono_ms = 1_000  # later than all that was carried over
    sell(salvaged)  # without a part in the new epoch: beyond what it holds
    shop.centre.book(salvaged)
    stand = shop.stand
    assert (stand.spent.count, stand.out.count, stand.exposure.count) == (3, 5, 1)


def test_what_a_salvage_carries_over_was_spent_of_the_part_before(shop: Shop) -> None:
    shop.all_to(shop.one)
    sell(shop.one, 4)
    salvaged = shop.one.under_a_new_epoch(0, "salvaged")
    shop.centre.book(salvaged)
    stand = shop.stand
    assert (stand.spent.count, stand.out.count, stand.exposure.count) == (4, 6, 0)
    assert shop.left(shop.one) == 6, "nobody can say that the old epoch spends no more"


def test_what_was_booked_before_and_a_salvage_tells_again_takes_of_the_cap_once(shop: Shop) -> None:
    shop.all_to(shop.one)
    sell(shop.one, 4)
    shop.centre.book(shop.one)
    shop.centre.book(shop.one.under_a_new_epoch(1, "salvaged"))  # its cursor stood at 1
    stand = shop.stand
    assert (stand.spent.count, stand.out.count, stand.exposure.count) == (4, 6, 0)


def test_an_old_disk_s_spending_is_exposure_and_its_returns_free_nothing(shop: Shop) -> None:
    shop.all_to(shop.one)
    sell(shop.one, 6)
    shop.centre.book(shop.one)
    old = shop.one.as_it_was(2)
    sell(old, 5)
    give_back(old, 3)
    forked = old.under_a_new_epoch(2, "fork")
    shop.centre.book(forked)
    stand = shop.stand
    assert (stand.spent.count, stand.exposure.count) == (11, 5)
    assert stand.out.count == 4, "the return of a copy of a part frees nothing"
    assert stand.promised.count <= CAP + stand.exposure.count


@pytest.mark.parametrize("given_first", [True, False])
def test_a_part_handed_from_lane_to_lane_is_one_part_in_whichever_order_it_is_told(
    given_first: bool, shop: Shop
) -> None:
    shop.all_to(shop.one)
    shop.one.journal(Given(shop.one.stamp(), b"t" * 16, "lane-2", POT, Amount(4)))
    shop.two.journal(Taken(shop.two.stamp(), b"t" * 16, "lane-1", POT, Amount(4)))
    sell(shop.two, 4)
    first, second = (shop.one, shop.two) if given_first else (shop.two, shop.one)
    shop.centre.book(first)
    assert shop.stand.promised.count >= CAP, "never too little in between"
    shop.centre.book(second)
    stand = shop.stand
    assert (stand.spent.count, stand.out.count, stand.transit.count, stand.exposure.count) == (4, 6, 0, 0)


def test_a_part_under_way_counts_until_it_is_taken(shop: Shop) -> None:
    shop.all_to(shop.one)
    shop.one.journal(Given(shop.one.stamp(), b"t" * 16, "lane-2", POT, Amount(4)))
    shop.centre.book(shop.one)
    stand = shop.stand
    assert (stand.out.count, stand.transit.count) == (6, 4)
    assert shop.grant(shop.two, 1)[0] == 0


def test_a_unit_that_is_written_off_frees_its_part_at_the_price_of_exposure(shop: Shop) -> None:
    shop.all_to(shop.one)
    sell(shop.one, 4)
    shop.centre.book(shop.one, 1, 1)  # three more were shown and never reported
    with shop.centre.office.database.write() as connection:
        gone = leases.write_off(connection, shop.owner(shop.one).device_id)
    assert gone == {POT: Amount(9)}
    stand = shop.stand
    assert (stand.out.count, stand.exposure.count) == (0, 9)
    assert shop.grant(shop.two, 9)[0] >= 1
    shop.centre.book(shop.one, 2)  # it comes back after all
    assert shop.stand.exposure.count == 9, "what it spent was counted when it was written off"


def test_a_part_that_was_taken_by_a_disk_that_is_lost_is_freed_when_its_unit_is_written_off(shop: Shop) -> None:
    shop.all_to(shop.one)
    shop.one.journal(Given(shop.one.stamp(), b"t" * 16, "lane-2", POT, Amount(4)))
    shop.centre.book(shop.one)
    with shop.centre.office.database.write() as connection:
        nothing = leases.write_off(connection, shop.owner(shop.two).device_id, Pot(CAMPAIGN, 2))
        gone = leases.write_off(connection, shop.owner(shop.two).device_id)
        again = leases.write_off(connection, shop.owner(shop.two).device_id)
    assert (nothing, gone, again) == ({}, {POT: Amount(4)}, {})
    stand = shop.stand
    assert (stand.out.count, stand.transit.count, stand.exposure.count) == (6, 0, 4)
    assert shop.grant(shop.two, 1)[0] == 1
    shop.two.journal(Taken(shop.two.stamp(), b"t" * 16, "lane-1", POT, Amount(4)))  # the disk is found after all
    sell(shop.two, 4)
    shop.centre.book(shop.two)
    stand = shop.stand
    assert stand.transit.count == 0
    assert stand.promised.count <= CAP + stand.exposure.count


def test_what_was_given_to_a_unit_before_it_was_given_up_and_is_told_later_is_not_waited_for(shop: Shop) -> None:
    shop.all_to(shop.one)
    shop.one.journal(Given(shop.one.stamp(), b"t" * 16, "lane-2", POT, Amount(4)))
    with shop.centre.office.database.write() as connection:
        registry.set_state(connection, "lane-2", DeviceState.BLOCKED)
        registry.write_off(connection, "lane-2")
        assert leases.write_off(connection, shop.owner(shop.two).device_id) == {}
    shop.centre.book(shop.one)
    stand = shop.stand
    assert (stand.out.count, stand.transit.count, stand.exposure.count) == (6, 0, 4)


def test_a_unit_that_is_active_again_is_waited_for_as_before(shop: Shop) -> None:
    shop.all_to(shop.one)
    with shop.centre.office.database.write() as connection:
        registry.set_state(connection, "lane-2", DeviceState.BLOCKED)
        registry.write_off(connection, "lane-2")
        registry.set_state(connection, "lane-2", DeviceState.ACTIVE)
    shop.one.journal(Given(shop.one.stamp(), b"t" * 16, "lane-2", POT, Amount(4)))
    shop.centre.book(shop.one)
    assert (shop.stand.transit.count, shop.stand.exposure.count) == (4, 0)


def test_what_a_shopper_was_just_promised_is_not_granted_to_a_lane(shop: Shop) -> None:
    with shop.centre.office.database.write() as connection:
        connection.execute(
            insert(questions).values(
                question=b"q" * 16, device_id=shop.owner(shop.two).device_id, campaign=1, serial=0, holder=0,
                state="granted", reason="ok", at_ms=0, site="", asked_ms=NOW_MS,
            )
        )  # fmt: skip
    for _ in range(20):
        shop.grant(shop.one, CAP)
    assert shop.stand.out.count == CAP - 1


def test_a_restored_centre_leases_nothing_before_every_unit_has_said_what_it_holds(shop: Shop) -> None:
    lessor = Lessor(shop.centre.office.database, b"i" * 16, {"lane-1"})
    ask = AskLease(b"i" * 16, shop.one.epoch, [Held(POT, NOTHING, Amount(2))], False)
    with shop.centre.office.database.write() as connection:
        connection.execute(update(devices).where(devices.c.name == "lane-2").values(owes_parts=True))
    assert granted(lessor.answer(ask, "lane-1", NOW_MS)) == (0, GrantReason.NOT_YET)
    with shop.centre.office.database.write() as connection:
        connection.execute(update(devices).values(owes_parts=False))
    assert granted(lessor.answer(ask, "lane-1", NOW_MS)) == (2, GrantReason.GRANTED)


def granted(told: list[Told]) -> tuple[int, GrantReason]:
    (grants,) = [one.command for one in told if isinstance(one.command, Grants)]
    (grant,) = grants.parts
    return grant.granted.count, GrantReason(grant.reason)


def test_the_sums_of_a_pot_are_those_of_its_parts(shop: Shop) -> None:
    shop.all_to(shop.one)
    sell(shop.one, 3)
    give_back(shop.one, 2)
    shop.one.journal(Given(shop.one.stamp(), b"t" * 16, "lane-2", POT, Amount(1)))
    shop.two.journal(Taken(shop.two.stamp(), b"t" * 16, "lane-1", POT, Amount(1)))
    sell(shop.two, 1)
    shop.centre.book(shop.one)
    shop.centre.book(shop.two)
    assert shop.stand.out.count == shop.left(shop.one) + shop.left(shop.two) == 4
    assert shop.stand.spent.count == 4


def test_a_lower_cap_grants_nothing_and_recalls_nothing_by_itself(shop: Shop) -> None:
    shop.grant(shop.one, 4)
    with shop.centre.office.database.write() as connection:
        leases.put(connection, POT, (2, None))
    assert shop.grant(shop.two, 1)[0] == 0
    assert shop.left(shop.one) == 4


def test_odd_facts_about_parts_go_aside_and_stop_nothing(shop: Shop) -> None:
    shop.one.journal(Returned(shop.one.stamp(), b"short", POT, Amount(1)))
    shop.one.journal(Returned(shop.one.stamp(), b"r" * 16, Pot("x", 1), Amount(1)))
    shop.one.journal(Given(shop.one.stamp(), b"t" * 16, "lane-2", POT, Amount(-4)))
    shop.one.journal(Taken(shop.one.stamp(), b"t" * 16, "lane-1", Pot(CAMPAIGN, 77), Amount(4)))
    assert shop.centre.book(shop.one).aside == 3
    assert shop.stand.out.count == 0
