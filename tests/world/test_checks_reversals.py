"""The checker of sales that were taken back finds what is wrong, and nothing where nothing is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from simulator.world.checks.ledger import LedgerBalances
from simulator.world.checks.reversals import ReversalsAreSettled
from simulator.world.observe import AtRest, ReversalSeen, UnitAtRest, Violation
from tests.unit.central.test_central_reversals import OTHER, SALE, THIRD, Mall
from tests.world.story import change

ID = b"r" * 16


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a centre that heard of three sales: the first came back whole, the second in part."""
    folder = tmp_path_factory.mktemp("reversals")
    mall = Mall(folder)
    for serial, sale in ((7, SALE), (8, OTHER), (9, THIRD)):
        mall.sell(mall.lane, serial, sale)
        mall.earn(mall.lane, 10, sale=sale)
    mall.back(mall.far, SALE, id=ID)
    mall.back(mall.far, OTHER, yen=500)
    mall.back(mall.far, b"x" * 16, yen=500)  # nobody knows this one
    mall.tell()
    mall.close()
    return folder / "centre.db"


def checked(file: Path, *seen: ReversalSeen) -> None:
    checker = ReversalsAreSettled()
    for one in seen:
        checker.saw(one)
    units = (UnitAtRest("lane-2", "shinjuku", file.parent / "none.db", True, True),)
    checker.at_rest(AtRest(10, units, file))


def test_nothing_is_wrong(centre: Path) -> None:
    checked(centre, ReversalSeen(1, "lane-2", ID))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("UPDATE redemptions SET state = 'cleared' WHERE serial = 7", "is 'cleared', and its sale was taken back"),
        ("UPDATE redemptions SET state = 'restored' WHERE serial = 8", "is 'restored', and its sale was not taken"),
        ("UPDATE sale_facts SET undone = 10 WHERE undone = 5", "10 points that holder abcdef earned: 10 are undone"),
        ("UPDATE sale_facts SET undone = 0 WHERE undone = 10", "0 are undone, and by what was taken back of the sale"),
        ("DELETE FROM sale_facts", "None are undone"),
        ("UPDATE reversals SET state = 'waits' WHERE yen = 0", "waits, and facts of its sale"),
    ],
)
def test_a_row_that_is_wrong_is_found(centre: Path, tmp_path: Path, query: str, words: str) -> None:
    for file in centre.parent.glob("centre.db*"):
        shutil.copy(file, tmp_path / file.name)
    change(tmp_path / centre.name, query)
    with pytest.raises(Violation) as found:
        checked(tmp_path / centre.name)
    assert words in found.value.what


def test_a_reversal_that_was_shown_and_is_not_booked_is_found(centre: Path) -> None:
    with pytest.raises(Violation, match="lane-2 took a sale back at 1, and the centre has not booked it"):
        checked(centre, ReversalSeen(1, "lane-2", b"q" * 16))


def test_points_that_were_spent_before_their_purchase_came_back_are_borne_by_the_shop(tmp_path: Path) -> None:
    mall = Mall(tmp_path)
    mall.earn(mall.lane, 10)
    mall.spend(mall.lane, 8, sale=OTHER)
    mall.tell(mall.lane)
    mall.back(mall.lane)
    mall.tell(mall.lane)
    assert mall.query("SELECT balance FROM accounts WHERE kind = 'exposure'") == [(-8,)]
    mall.close()
    LedgerBalances().at_rest(AtRest(10, (), tmp_path / "centre.db"))
    change(tmp_path / "centre.db", "UPDATE transfers SET kind = 'refund' WHERE kind = 'take_back'")
    with pytest.raises(Violation, match="has 0 points in programme 1, and by the facts -8"):
        LedgerBalances().at_rest(AtRest(10, (), tmp_path / "centre.db"))
