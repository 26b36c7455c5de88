"""Lots: in which order points are spent, how they end, and how they come back."""

from __future__ import annotations

import pytest

from central.ledger.chart import Key, Kind
from central.ledger.sheet import Sheet
from central.ledger.transfer import Draft, Unbalanced
from tests.unit.ledger.conftest import Make
from tests.unit.ledger.ledger_kit import ALICE, DAY_MS, GINZA, NOW_MS, SHINJUKU, Ledger, done, why


def left(ledger: Ledger) -> list[tuple[object, ...]]:
    return ledger.query("SELECT points, rest FROM lots ORDER BY transfer, number")


def test_M5_points_are_kept_by_person_and_by_shop(ledger: Ledger) -> None:
    ledger.earn(30, site=GINZA)
    ledger.earn(12, site=SHINJUKU)
    assert (ledger.usable(place=GINZA), ledger.usable(place=SHINJUKU)) == (30, 12)
    assert why(ledger.spend(31, site=GINZA)[1]) == "balance"
    done(ledger.spend(30, site=GINZA)[1])
    assert (ledger.usable(place=GINZA), ledger.usable(place=SHINJUKU)) == (0, 12)
    assert ledger.sums() == {"member": 12, "issued": -42, "redeemed": 30}


def test_M5_a_shared_programme_has_one_balance_for_all_shops(make: Make) -> None:
    ledger = make(shared=True)
    ledger.earn(30, site=GINZA)
    done(ledger.spend(20, site=SHINJUKU)[1])
    assert ledger.usable() == 10
    assert ledger.query("SELECT kind, place, balance FROM accounts WHERE kind <> 'member' ORDER BY kind, place") == [
        ("issued", GINZA, -30),
        ("redeemed", SHINJUKU, 20),
    ]


def test_the_points_that_end_soonest_are_spent_first_then_the_oldest(make: Make) -> None:
    ledger = make(days=10)
    ledger.earn(10)  # ends after NOW + 10 days
    ledger.programme(days=5)
    ledger.earn(10, at_ms=NOW_MS + DAY_MS)  # ends sooner, though it was earned later
    ledger.earn(10, at_ms=NOW_MS + 1_000 + DAY_MS)  # ends with it, and is younger
    ledger.programme(days=None)
    ledger.earn(10, at_ms=NOW_MS - 9 * DAY_MS)  # the oldest of all, without an end
    ledger.now_ms += 2 * DAY_MS
    done(ledger.spend(5)[1])
    assert left(ledger) == [(10, 10), (10, 5), (10, 10), (10, 10)]
    done(ledger.spend(12)[1])
    assert left(ledger) == [(10, 10), (10, 0), (10, 3), (10, 10)]
    done(ledger.spend(14)[1])
    assert left(ledger) == [(10, 0), (10, 0), (10, 0), (10, 9)]


def test_points_that_ended_are_not_spent_and_are_written_off_after_the_grace(make: Make) -> None:
    ledger = make(days=1, grace_days=3)
    ledger.earn(10)
    ledger.now_ms += 2 * DAY_MS
    assert ledger.usable() == 0
    assert ledger.points() == 10, "a report that comes late may still say that they were spent in time"
    assert why(ledger.spend(1)[1]) == "balance"
    assert ledger.expire() == 0
    ledger.now_ms += 3 * DAY_MS
    assert ledger.expire() == 1
    assert ledger.expire() == 0
    assert ledger.sums() == {"breakage": 10, "issued": -10}


def test_a_step_writes_off_no_more_than_it_may(make: Make) -> None:
    ledger = make(days=1)
    for holder in range(1, 8):
        ledger.earn(holder, holder=holder)
    ledger.now_ms += 3 * DAY_MS
    assert [ledger.expire(3) for _ in range(4)] == [3, 3, 1, 0]
    assert ledger.sums() == {"breakage": 28, "issued": -28}


def test_a_refund_restores_the_very_lots_that_were_spent(make: Make) -> None:
    ledger = make(days=10)
    ledger.earn(10)
    ledger.earn(10, at_ms=NOW_MS + DAY_MS)
    name, outcome = ledger.spend(15)
    done(outcome)
    assert left(ledger) == [(10, 0), (10, 5)]
    done(ledger.restore(name, 7))
    assert left(ledger) == [(10, 2), (10, 10)], "the last ones come back first"
    assert why(ledger.restore(name, 9)) == "too_much"
    done(ledger.restore(name))
    assert left(ledger) == [(10, 10), (10, 10)]
    assert why(ledger.restore(name)) == "too_much"
    assert ledger.sums() == {"member": 20, "issued": -20}


def test_restored_points_that_had_ended_last_for_the_days_that_the_programme_names(make: Make) -> None:
    ledger = make(days=5, refund_days=3)
    ledger.earn(10)
    name, _ = ledger.spend(10)
    ledger.now_ms += 9 * DAY_MS
    done(ledger.restore(name, 4))
    done(ledger.restore(name))
    assert ledger.usable() == 10
    assert why(ledger.restore(name)) == "too_much"
    ledger.now_ms += 4 * DAY_MS
    assert ledger.usable() == 0
    assert ledger.expire() == 2
    assert ledger.sums() == {"breakage": 10, "issued": -10}


def test_restored_points_that_had_ended_are_written_off_where_no_days_are_named(make: Make) -> None:
    ledger = make(days=5)
    ledger.earn(10)
    name, _ = ledger.spend(10)
    ledger.now_ms += 9 * DAY_MS
    done(ledger.restore(name))
    assert ledger.usable() == 0
    assert ledger.expire() == 1
    assert ledger.sums() == {"breakage": 10, "issued": -10}


def test_a_refund_takes_back_what_the_purchase_earned(ledger: Ledger) -> None:
    first = ledger.earn(10)
    ledger.earn(5)
    done(ledger.spend(4)[1])  # of the first lot
    done(ledger.take_back(first, 3))
    assert left(ledger) == [(10, 3), (5, 5)]
    done(ledger.take_back(first))
    assert left(ledger) == [(10, 0), (5, 1)], "what was spent of it is taken of the others"
    assert why(ledger.take_back(first)) == "too_much"
    assert ledger.sums() == {"member": 1, "issued": -5, "redeemed": 4}


def test_what_is_not_there_any_more_is_exposure_of_the_shop(ledger: Ledger) -> None:
    earned = ledger.earn(10)
    done(ledger.spend(8)[1])
    done(ledger.take_back(earned))
    assert ledger.sums() == {"exposure": -8, "redeemed": 8}


def test_or_the_balance_becomes_negative_where_the_programme_allows_it(make: Make) -> None:
    ledger = make(overdraft=True)
    earned = ledger.earn(10)
    done(ledger.spend(8)[1])
    done(ledger.take_back(earned))
    assert ledger.points() == -8
    assert why(ledger.spend(1)[1]) == "balance"
    ledger.earn(5)
    assert (ledger.points(), ledger.usable()) == (-3, 0)
    ledger.earn(5)
    assert (ledger.points(), ledger.usable()) == (2, 2)
    assert left(ledger) == [(10, 0), (2, 2)], "what paid the debt back is in no lot"


def test_points_that_ended_are_taken_back_from_breakage_not_from_the_person(make: Make) -> None:
    ledger = make(days=1)
    earned = ledger.earn(10)
    ledger.now_ms += 3 * DAY_MS
    ledger.expire()
    ledger.earn(6)
    done(ledger.take_back(earned))
    assert ledger.usable() == 6
    assert ledger.sums() == {"member": 6, "issued": -6}


def test_points_that_wait_are_nobody_elses_and_come_back_when_voided(ledger: Ledger) -> None:
    ledger.earn(10)
    name, outcome = ledger.spend(7, waits=True)
    done(outcome)
    assert (ledger.points(), ledger.usable()) == (10, 3)
    assert why(ledger.spend(4)[1]) == "balance"
    done(ledger.void(name))
    assert (ledger.points(), ledger.usable()) == (10, 10)
    assert why(ledger.post(name)) == "settled"
    again, _ = ledger.spend(7, waits=True)
    done(ledger.post(again))
    assert (ledger.points(), ledger.usable()) == (3, 3)
    assert why(ledger.void(again)) == "settled"
    assert why(ledger.post(name[::-1])) == "unknown"
    assert ledger.query("SELECT state, count(*) FROM transfers GROUP BY state ORDER BY state") == [
        ("pending", 2),
        ("posted", 3),
    ]


def test_a_name_told_twice_is_one_transfer_and_with_other_content_none(ledger: Ledger) -> None:
    name = ledger.earn(10, name=b"n" * 16)
    ledger.earn(10, name=name)
    assert ledger.usable() == 10
    assert why(ledger.spend(1, name=name)[1]) == "other_content"
    assert why(ledger.spend(1, name=b"short")[1]) == "other_content"
    first, outcome = ledger.spend(3)
    number = done(outcome)
    assert done(ledger.spend(3, name=first)[1]) == number
    assert done(ledger.restore(first, 1, b"r" * 16)) == done(ledger.restore(first, 1, b"r" * 16))
    assert ledger.usable() == 8


def test_nothing_is_booked_for_nobody_or_nothing(ledger: Ledger) -> None:
    for points, holder in ((0, ALICE), (-1, ALICE), (2**60, ALICE), (1, 0)):
        assert why(ledger.spend(points, holder=holder)[1]) == "amount"


def test_a_transfer_that_does_not_sum_to_zero_is_never_written(ledger: Ledger) -> None:
    with ledger.database.write() as connection:
        sheet = Sheet(connection, NOW_MS)
        sheet.read([b"u" * 16], [])
        draft = sheet.open(b"u" * 16, "wrong", 1, NOW_MS, b"")
        assert isinstance(draft, Draft)
        sheet.leg(draft, Key(Kind.ISSUED.value, 1), -5)
        sheet.leg(draft, Key(Kind.FEES.value, 1), 5)  # as much, but of another unit
        with pytest.raises(Unbalanced, match="does not sum to zero"):
            sheet.write()
    assert ledger.query("SELECT count(*) FROM transfers") == [(0,)]
