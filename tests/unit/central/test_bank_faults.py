"""Payment by account with a bank that fails: nothing is debited twice, and what was debited is known in the end.

The bank is a process. Where the centre dies here, what was committed stands and a centre starts on it; that the same
holds under a real SIGKILL is shown in tests/scenario/test_bank_kills.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from central.bank.adapter import Outcome
from central.bank.http_bank import HttpBank
from central.bank.states import State
from simulator.bank.faults import Fault
from tests.bank_kit import FUNDS_YEN, LIMIT_MS, NUMBER, House, SandboxBank
from tests.servers import wait_until
from wire.messages import AskSettlement, Settled


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[SandboxBank]:
    bank = SandboxBank(tmp_path)
    bank.start()
    yield bank
    bank.stop()


@pytest.fixture
def house(tmp_path: Path, bank: SandboxBank) -> Iterator[House]:
    house = House(tmp_path / "centre", bank)
    yield house
    house.close()


def paid_once(house: House, request: AskSettlement, yen: int) -> None:
    """Debited once, and so say both books; whatever is asked again changes nothing."""
    assert house.payment(request.question).state is State.SETTLED
    assert house.bank.movements == [yen]
    house.mend()
    (answer,) = house.ask(request)
    assert (answer.state, answer.debit_yen) == (Settled.SETTLED, yen)
    assert house.bank.movements == [yen]


def given_back(house: House, request: AskSettlement) -> None:
    """Not debited, or debited and given back, and so it is told."""
    assert house.payment(request.question).state is State.VOID
    assert house.bank.balance_yen == FUNDS_YEN
    (answer,) = house.ask(request)
    assert answer.state is Settled.VOID


def never_again(house: House, request: AskSettlement, yen: int) -> None:
    """A debit that was under way all the time finds the door closed."""
    given_back(house, request)
    said = HttpBank(house.bank.url).debit(request.question, NUMBER, yen, LIMIT_MS)
    assert said.outcome is Outcome.REVERSED
    assert house.bank.balance_yen == FUNDS_YEN


AFTER = (
    Fault.HOLD_AFTER,
    Fault.DROP_AFTER,
    Fault.DIE_AFTER,
    Fault.NONSENSE,
    Fault.ANOTHERS,
    Fault.BROKEN,
    Fault.TRICKLE,
)
BEFORE = (Fault.HOLD_BEFORE, Fault.DROP_BEFORE, Fault.DIE_BEFORE)


@pytest.mark.parametrize("fault", AFTER)
def test_B6_a_debit_without_an_answer_is_in_doubt_and_found_settled(house: House, fault: Fault) -> None:
    house.select(1)
    request = house.request(1_100)
    house.bank.fault(fault)
    answer = house.pay(request)
    assert (answer.state, answer.reason) == (Settled.IN_DOUBT, "in_doubt")
    assert house.ask(request) == [answer]
    if fault is Fault.DIE_AFTER:
        house.bank.start()
    house.mend()
    told = [(later.state, later.campaign, later.debit_yen) for later in house.told()]
    assert told == [(Settled.SETTLED, 1, 990)]
    paid_once(house, request, 990)


@pytest.mark.parametrize("fault", BEFORE)
def test_B6_a_debit_that_the_bank_never_did_is_void_for_good(house: House, fault: Fault) -> None:
    house.select(1)
    request = house.request(1_100)
    house.bank.fault(fault)
    assert house.pay(request).state is Settled.IN_DOUBT
    if fault is Fault.DIE_BEFORE:
        house.bank.start()
    house.mend()
    (later,) = house.told()
    assert later.state is Settled.VOID
    if fault is Fault.HOLD_BEFORE:  # what lay at the bank is done only now
        house.bank.release()
        wait_until(lambda: house.bank.held == 0, what="the late debit")
    never_again(house, request, 990)
    assert house.pay(house.request(1_100)).campaign == 1, "the coupon is free again"


def test_B6_an_answer_that_comes_twice_debits_once_and_answers_no_other_question(house: House) -> None:
    first, second = house.request(1_100), house.request(2_200)
    house.bank.fault(Fault.TWICE, 2)
    assert house.pay(first).debit_yen == 1_100
    assert house.pay(second).debit_yen == 2_200
    assert house.bank.movements == [1_100, 2_200]


def test_B6_a_bank_that_is_killed_between_debit_and_answer_debited_once(house: House) -> None:
    """SIGKILL from outside, while the money has moved and the answer has not left."""
    request = house.request(1_100)
    house.bank.fault(Fault.HOLD_AFTER)
    assert house.ask(request) == []
    paying = Thread(target=house.teller.pay, args=(request.question,))
    paying.start()
    wait_until(lambda: house.bank.held == 1, what="the debit")
    house.bank.kill()
    paying.join(10)
    assert house.told()[0].state is Settled.IN_DOUBT
    house.mend()
    assert house.payment(request.question).state is State.IN_DOUBT, "the bank is away: nobody knows"
    house.bank.start()
    house.mend()
    paid_once(house, request, 1_100)


def test_a_bank_that_is_down_is_a_clear_not_now_and_leaves_no_doubt(house: House) -> None:
    house.bank.kill()
    request = house.request(1_100)
    answer = house.pay(request)
    assert (answer.state, answer.reason) == (Settled.VOID, "not_now")
    house.bank.start()
    house.mend()
    given_back(house, request)


def test_B6_a_centre_that_died_before_the_bank_was_asked_debits_nothing(house: House) -> None:
    request = house.request(1_100)
    assert house.ask(request) == []  # committed; nobody took it
    house.open()
    given_back(house, request)


@pytest.mark.parametrize("fault", [Fault.HOLD_AFTER, Fault.HOLD_BEFORE])
def test_B6_a_centre_that_died_while_the_bank_was_asked_finds_out(house: House, fault: Fault) -> None:
    request = house.request(1_100)
    house.bank.fault(fault)
    assert house.ask(request) == []
    paying = Thread(target=house.teller.pay, args=(request.question,))
    paying.start()
    wait_until(lambda: house.bank.held == 1, what="the question at the bank")
    assert house.payment(request.question).state is State.DEBITING
    house.open()  # another process on the same books: the first one's step comes too late
    assert house.payment(request.question).state is State.IN_DOUBT
    house.mend()
    house.bank.release()
    paying.join(10)
    wait_until(lambda: house.bank.held == 0, what="the bank")
    if fault is Fault.HOLD_AFTER:
        paid_once(house, request, 1_100)
    else:
        given_back(house, request)


def test_B6_what_a_lane_withdrew_goes_back(house: House) -> None:
    """The answer was on its way, and the lane had given up."""
    house.select(1)
    request = house.request(1_100)
    assert house.pay(request).state is Settled.SETTLED
    house.withdraw(request.question)
    assert house.payment(request.question).state is State.REVERSING
    house.mend()
    assert house.bank.movements == [990, -990]
    never_again(house, request, 990)
    assert house.pay(house.request(1_100)).campaign == 1


def test_B6_what_a_lane_withdraws_while_the_bank_is_asked_goes_back(house: House) -> None:
    request = house.request(1_100)
    house.bank.fault(Fault.HOLD_AFTER)
    house.ask(request)
    paying = Thread(target=house.teller.pay, args=(request.question,))
    paying.start()
    wait_until(lambda: house.bank.held == 1, what="the debit")
    house.withdraw(request.question)
    house.bank.release()
    paying.join(10)
    assert house.payment(request.question).state is State.REVERSING
    house.mend()
    given_back(house, request)


def test_B6_what_a_lane_withdraws_in_doubt_goes_back(house: House) -> None:
    request = house.request(1_100)
    house.bank.fault(Fault.DROP_AFTER)
    house.pay(request)
    house.withdraw(request.question)
    house.mend()
    assert house.bank.movements == [1_100, -1_100]
    never_again(house, request, 1_100)


def test_B6_what_was_withdrawn_before_it_came_is_never_debited(house: House) -> None:
    request = house.request(1_100)
    house.withdraw(request.question)
    (answer,) = house.ask(request)
    assert answer.state is Settled.IN_DOUBT, "not void before the bank has said so"
    house.mend()
    assert house.bank.movements == []
    never_again(house, request, 1_100)


def test_B6_what_a_lane_withdrew_goes_back_though_the_centre_has_forgotten_it(house: House) -> None:
    """The centre's database was restored from a copy that is older than the payment."""
    request = house.request(1_100)
    house.pay(request)
    with house.database.write() as connection:
        for table in ("bank_settlements", "questions"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    house.withdraw(request.question)
    house.mend()
    assert house.bank.movements == [1_100, -1_100]
    never_again(house, request, 1_100)


def test_B6_a_reversal_that_gets_no_answer_is_tried_again_and_done_once(house: House) -> None:
    request = house.request(1_100)
    house.pay(request)
    house.withdraw(request.question)
    for fault in (Fault.DROP_BEFORE, Fault.DROP_AFTER, Fault.NONSENSE):
        house.bank.fault(fault)
        house.mend()
        assert house.payment(request.question).state is State.REVERSING
    assert house.payment(request.question).tries == 3
    house.mend()
    assert house.bank.movements == [1_100, -1_100]
    never_again(house, request, 1_100)


def test_a_bank_that_stays_away_is_asked_after_pauses_that_grow_to_a_bound(house: House) -> None:
    request = house.request(1_100)
    house.bank.fault(Fault.DROP_AFTER)
    house.pay(request)
    house.bank.kill()
    pauses = []
    for _ in range(13):
        house.mend()
        pauses.append(house.payment(request.question).next_ms - house.now_ms)
    assert pauses[:4] == [1_000, 2_000, 4_000, 8_000]
    assert pauses[-1] == pauses[-2] == 600_000


def test_a_lane_that_asks_for_another_payment_has_given_the_older_one_up(house: House) -> None:
    house.select(1)
    older, newer = house.request(1_100), house.request(2_200)
    house.bank.fault(Fault.DROP_AFTER)
    house.pay(older)
    answer = house.pay(newer)
    assert (answer.state, answer.campaign) == (Settled.SETTLED, 1)
    house.mend()
    assert house.payment(older.question).state is State.VOID
    assert house.bank.movements == [990, 2_090, -990]


def test_a_lane_that_has_no_more_time_is_not_made_to_wait_for_the_bank(house: House) -> None:
    request = house.request(1_100, wait_ms=200)
    house.ask(request)
    house.now_ms += 150
    house.teller.pay(request.question)
    assert house.told()[0].state is Settled.VOID
    assert house.bank.movements == []


def test_the_clerk_leaves_alone_what_waits_for_a_worker_until_its_lane_has_given_up(house: House) -> None:
    request = house.request(1_100)
    house.ask(request)
    house.now_ms += 4_000
    house.teller.mend()
    assert house.payment(request.question).state is State.ASKED
    house.now_ms += 2_000
    house.teller.mend()
    assert house.payment(request.question).state is State.VOID
    house.teller.pay(request.question)
    assert house.bank.movements == []


def test_more_payments_than_there_is_room_for_are_told_not_now(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.teller, "take", lambda question: False)
    request = house.request(1_100)
    (answer,) = house.ask(request)
    assert (answer.state, answer.reason) == (Settled.VOID, "not_now")
    given_back(house, request)


def test_threads_of_the_teller_bring_many_payments_to_an_end_beside_a_slow_one(house: House) -> None:
    house.bank.fault(Fault.HOLD_AFTER)
    house.teller.start()
    try:
        requests = [(house.request(100 + n), lane) for n, lane in enumerate((house.lane, house.kanda))]
        for request, lane in requests:
            assert house.ask(request, lane) == []
        told = {}

        def all_told() -> bool:
            told.update({one.question: one.state for one in house.told()})
            return len(told) == 2

        wait_until(all_told, 10, "two answers")
        assert sorted(told.values()) == [Settled.IN_DOUBT, Settled.SETTLED]
        house.bank.release()
        house.now_ms += 1_000_000
        wait_until(lambda: {house.payment(r.question).state for r, _ in requests} == {State.SETTLED}, 10, "the clerk")
        house.told()
        assert not house.teller.busy
    finally:
        house.teller.stop()
    assert sorted(house.bank.movements) == [100, 101]
