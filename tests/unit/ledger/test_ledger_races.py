"""Many at once: real threads with connections of their own. Nothing is spent, restored or settled twice."""

from __future__ import annotations

import threading
from collections.abc import Callable

from central.ledger.transfer import Booked, Outcome
from tests.unit.ledger.conftest import Make
from tests.unit.ledger.ledger_kit import ALICE, BOB, GIFTS, Ledger, done

MANY = 6


def together(work: Callable[[int], Outcome]) -> int:
    """Starts MANY at the same moment; gives how many were booked. Raises what one of them raised."""
    outcomes: list[Outcome | BaseException] = []
    start = threading.Barrier(MANY)

    def one(number: int) -> None:
        start.wait()
        try:
            outcomes.append(work(number))
        except BaseException as error:  # noqa: BLE001 - raised again below
            outcomes.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    assert len(outcomes) == MANY
    return sum(isinstance(outcome, Booked) for outcome in outcomes)


def name(what: bytes, number: int) -> bytes:
    return what.ljust(15, b".") + bytes([number])


def test_no_more_is_spent_than_there_is(ledger: Ledger) -> None:
    ledger.earn(10 * MANY)
    assert together(lambda number: ledger.spend(20, name=name(b"spend", number))[1]) == MANY // 2
    assert ledger.usable() == 0


def test_one_name_told_by_many_is_one_transfer(ledger: Ledger) -> None:
    ledger.earn(10)
    assert together(lambda _: ledger.spend(3, name=name(b"spend", 0))[1]) == MANY
    assert ledger.usable() == 7


def test_a_new_account_is_opened_once(ledger: Ledger) -> None:
    def earn(number: int) -> Outcome:
        ledger.earn(5, name=name(b"earn", number))
        return Booked(0)

    assert together(earn) == MANY
    assert ledger.usable() == 5 * MANY
    assert ledger.query("SELECT count(*) FROM accounts") == [(2,)]


def test_a_spending_comes_back_once(ledger: Ledger) -> None:
    ledger.earn(10)
    spent, outcome = ledger.spend(8)
    done(outcome)
    assert together(lambda number: ledger.restore(spent, name=name(b"back", number))) == 1
    assert ledger.usable() == 10


def test_what_waits_is_posted_or_voided_once(ledger: Ledger) -> None:
    ledger.earn(10)
    waits, outcome = ledger.spend(8, waits=True)
    done(outcome)

    def settle(number: int) -> Outcome:
        return (ledger.post if number % 2 else ledger.void)(waits, name(b"settle", number))

    assert together(settle) == 1


def test_G3_gifts_both_ways_stop_nobody_and_lose_nothing(make: Make) -> None:
    shop = make(**GIFTS)
    for person in (ALICE, BOB):
        done(shop.gift("buy", 100, holder=person))

    def give(number: int) -> Outcome:
        giver, taker = (ALICE, BOB) if number % 2 else (BOB, ALICE)
        for turn in range(5):
            done(shop.gift("give", 3, holder=giver, to=taker, name=name(b"give%d" % turn, number)))
            done(shop.gift("exchange", 1, holder=giver, company="bakery", name=name(b"take%d" % turn, number)))
        return Booked(0)

    assert together(give) == MANY
    assert shop.usable(ALICE) + shop.usable(BOB) == 200 - 5 * MANY
