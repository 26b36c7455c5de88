"""A sale that was paid by bank account and is taken back: the whole debit goes back once; a part is the operator's."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from central.bank.states import State
from central.coupons import disputes
from central.coupons.disputes import Ending
from central.reversals import settle
from simulator.bank.faults import Fault
from tests.bank_kit import FUNDS_YEN, House, SandboxBank
from tests.unit.central.central_kit import NOW_MS
from wire.facts import Redeemed, Reversed
from wire.messages import AskSettlement, Settled

SALE = b"s" * 16


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxBank]:
    bank = SandboxBank(tmp_path_factory.mktemp("bank"))
    bank.start()
    yield bank
    bank.stop()


@pytest.fixture
def house(tmp_path: Path, bank: SandboxBank) -> Iterator[House]:
    bank.fault(Fault.NONE, 0)
    house = House(tmp_path / "centre", bank)
    house.bank_moved = len(bank.movements)  # type: ignore[attr-defined]
    yield house
    house.close()


def take_back(house: House, yen: int = 0) -> None:
    lane = house.lane
    lane.journal(Reversed(lane.stamp(), secrets.token_bytes(16), SALE, "refund", yen, "ginza"))
    assert house.centre.book(lane).aside == 0
    settled(house)


def settled(house: House) -> None:
    for _ in range(2):
        settle.due(house.database, house.centre.secret, house.now_ms)


def state(house: House, request: AskSettlement) -> State:
    return house.payment(request.question).state


def moved(house: House) -> list[int]:
    """What went out of accounts and back since this test began."""
    return house.bank.movements[house.bank_moved :]  # type: ignore[attr-defined]


def conflicts(house: House) -> list[tuple[object, ...]]:
    return house.centre.query("SELECT kind, state, amount_yen FROM conflicts ORDER BY id")


def test_B6_the_whole_sale_goes_back_to_the_account_and_its_coupon_is_free(house: House) -> None:
    house.select(1)
    request = house.request(1_100, sale=SALE)
    answer = house.pay(request)
    assert (answer.state, answer.debit_yen, answer.campaign) == (Settled.SETTLED, 990, 1)
    lane = house.lane
    lane.journal(
        Redeemed(
            lane.stamp(), 1, answer.serial, answer.holder, 1, "online", "ginza", 1_100, 100, 0, request.question,
            sale=SALE,
        )
    )  # fmt: skip
    take_back(house)
    assert state(house, request) is State.REVERSING
    house.mend()
    assert state(house, request) is State.VOID
    assert moved(house) == [990, -990]
    assert house.bank.balance_yen == FUNDS_YEN
    assert house.centre.one("SELECT state FROM redemptions") == "restored"
    house.now_ms = NOW_MS
    again = house.pay(house.request(1_100, sale=b"t" * 16))
    assert (again.campaign, again.serial) == (1, answer.serial), "the same coupon pays again"
    assert conflicts(house) == []


def test_a_reversal_told_twice_gives_the_money_back_once(house: House) -> None:
    request = house.request(1_100, sale=SALE)
    house.pay(request)
    take_back(house)
    house.mend()
    take_back(house)
    house.mend()
    assert moved(house) == [1_100, -1_100]
    assert conflicts(house) == [("reversed_twice", "waits", 1_100)]


def test_a_payment_in_doubt_goes_back_with_its_sale(house: House) -> None:
    request = house.request(1_100, sale=SALE)
    house.bank.fault(Fault.DROP_AFTER)
    assert house.pay(request).state is Settled.IN_DOUBT
    take_back(house)
    house.mend()
    assert state(house, request) is State.VOID
    assert house.bank.balance_yen == FUNDS_YEN


def test_a_part_is_told_to_the_operator_and_nothing_is_debited_or_given_back(house: House) -> None:
    request = house.request(1_100, sale=SALE)
    house.pay(request)
    take_back(house, 300)
    house.mend()
    assert state(house, request) is State.SETTLED
    assert moved(house) == [1_100]
    assert conflicts(house) == [("partial_bank_refund", "waits", 300)]
    take_back(house)
    house.mend()
    assert moved(house) == [1_100, -1_100], "nobody had paid the part back by hand"
    assert conflicts(house) == [("partial_bank_refund", "withdrawn", 300)]


def test_the_rest_of_a_part_that_a_person_paid_back_is_theirs_too(house: House) -> None:
    request = house.request(1_100, sale=SALE)
    house.pay(request)
    take_back(house, 300)
    with house.database.write() as connection:
        assert disputes.end(connection, 1, Ending.SETTLED, "in cash", NOW_MS) == ""
    take_back(house)
    house.mend()
    assert moved(house) == [1_100], "or the bank would give back more than was paid"
    assert conflicts(house) == [("partial_bank_refund", "settled", 300), ("partial_bank_refund", "waits", 800)]


def test_a_reversal_that_came_before_its_payment_waits_for_it(house: House) -> None:
    take_back(house)
    request = house.request(1_100, sale=SALE)
    house.pay(request)
    settled(house)
    house.mend()
    assert house.bank.balance_yen == FUNDS_YEN
    assert state(house, request) is State.VOID


def test_another_sale_of_the_same_account_stays_paid(house: House) -> None:
    house.pay(house.request(1_100, sale=SALE))
    other = house.request(2_200, sale=b"t" * 16)
    house.pay(other)
    take_back(house)
    house.mend()
    assert state(house, other) is State.SETTLED
    assert moved(house) == [1_100, 2_200, -1_100]
