"""The checker of receipts finds what is wrong: in what a till was told, and in the facts of its sale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator.world.checks.payments import PaidOnce
from simulator.world.checks.receipts import SoldOnce
from simulator.world.observe import AtRest, DiskRestored, Receipt, UnitAtRest, Violation
from tests.unit.central.test_central_reversals import HOLDER, OTHER, SALE, Mall
from wire.facts import Earned, Redeemed

PAYMENT = b"p" * 16


def receipt(**changes: Any) -> Receipt:
    plain = Receipt(1_000, "lane-1", SALE, True, PAYMENT, None, 900, 1, 0, 9)
    return plain._replace(**changes)


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a centre that heard of one sale, with a coupon and nine points that were earned."""
    folder = tmp_path_factory.mktemp("receipts")
    mall = Mall(folder)
    lane = mall.lane
    at = lane.stamp()
    lane.journal(Redeemed(at, 1, 7, 0, 1, "signed", lane.site, 1_000, 100, 1, sale=SALE))
    lane.journal(Earned(at, mall.id(), 1, HOLDER, 9, lane.site, 900, sale=SALE))
    mall.sell(lane, 8, OTHER)
    mall.earn(lane, 9, sale=OTHER)  # at another moment
    mall.tell(lane)
    mall.close()
    return folder / "centre.db"


def rest(file: Path) -> AtRest:
    return AtRest(9_000, (UnitAtRest("lane-1", "ginza", file.parent / "none.db", True, True),), file)


def checked(file: Path, *seen: Receipt | DiskRestored) -> None:
    checker = SoldOnce()
    for one in seen:
        checker.saw(one)
    checker.at_rest(rest(file))


def test_H2_a_receipt_that_is_told_again_and_stands_in_the_facts_is_fine(centre: Path) -> None:
    checked(centre, receipt(), receipt(at_ms=5_000))


@pytest.mark.parametrize(
    "changes",
    [{"payment": b"q" * 16}, {"total_yen": 901}, {"coupons": 0}, {"points": 5}, {"earned": 8}, {"paid": False}],
)
def test_H2_a_sale_that_is_over_is_told_in_one_way_only(changes: dict[str, Any]) -> None:
    checker = SoldOnce()
    checker.saw(receipt())
    with pytest.raises(Violation, match="lane-1 said of sale"):
        checker.saw(receipt(**changes))


def test_H2_a_sale_that_was_given_up_is_not_paid_later() -> None:
    checker = SoldOnce()
    checker.saw(receipt(paid=False))
    with pytest.raises(Violation, match="given up, and then: paid 900 yen"):
        checker.saw(receipt())


def test_a_lane_whose_disk_is_an_old_copy_may_have_forgotten_that_a_sale_is_over(centre: Path) -> None:
    checked(centre, receipt(), DiskRestored(2_000, "lane-1", 500), receipt(paid=False))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (receipt(coupons=2), r"has 2 coupons, 0 points that paid and 9 earned, and its facts \(1, 0, 9\)"),
        (receipt(points=3), r"3 points that paid"),
        (receipt(earned=0), r"and 0 earned"),
        (receipt(paid=False), r"\(given up\) has 0 coupons"),
        (receipt(sale=b"z" * 16), r"its facts \(0, 0, 0\)"),
        (receipt(sale=OTHER), "was paid in 2 moments"),
    ],
)
def test_H2_a_receipt_is_what_the_facts_of_its_sale_say(centre: Path, told: Receipt, words: str) -> None:
    with pytest.raises(Violation, match=words):
        checked(centre, told)


def test_B6_what_a_receipt_says_is_debited_is_held_against_the_bank(centre: Path) -> None:
    checker = PaidOnce()
    checker.saw(receipt(debit_yen=900))
    with pytest.raises(Violation, match="lane-1 said that 900 yen are settled"):
        checker.at_rest(rest(centre))
