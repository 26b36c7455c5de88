"""The commands of points as a person types them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.central.central_kit import Centre, Lane
from tests.unit.central.test_central_cli import Shell
from wire.facts import Earned, Spent

HOLDER = 0xABCDEF


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    shell.run("central", "init")
    return shell


def enrolled(shell: Shell) -> tuple[Centre, Lane]:
    lane = Lane()
    shell.run("device", "add", "lane-1", "--site", "ginza", "--key", lane.key.verify_key.encode().hex())
    return Centre.reopened(shell.folder / "centre"), lane


def test_M4_M5_M6_from_a_programme_to_a_balance_and_a_conflict_that_is_settled(shell: Shell) -> None:
    centre, lane = enrolled(shell)
    lane.journal(Earned(lane.stamp(), b"e" * 16, 1, HOLDER, 30, "ginza", 3_000))
    centre.book(lane)
    assert "unknown programme" in shell.run("coupon", "conflicts")
    said = shell.run("programme", "add", "銀座ポイント", "--days", "36500", "--sell", "2")
    assert "programme 1: kept by each shop, last 36,500 days, sell 2, overspent: operator" in said
    assert "1 facts that had waited" in said
    assert "ginza: 1 for each 100 yen; revision 1" in shell.run(
        "programme", "rule", "1", "ginza", "--per-yen", "100", "--from", "2026-01-01"
    )
    shell.run("programme", "rule", "1", "ginza", "--per-yen", "50", "--rounding", "half_up")
    assert "1 for each 50 yen, rounded half up" in shell.run("programme", "list")

    lane.journal(Spent(lane.stamp(), b"s" * 16, 1, HOLDER, 50, "ginza"))
    centre.book(lane)
    said = shell.run("ledger", "balance", "000000abcdef", "--history")
    assert "銀座ポイント" in said
    assert "-30" in said
    assert "there is nobody called BBB" in shell.run("ledger", "balance", "BBB", code=1)
    said = shell.run("coupon", "conflicts")
    assert "overspent" in said
    assert "points 1, ginza" in said
    rows = centre.query("SELECT id FROM conflicts WHERE kind = 'overspent'")
    assert "settled" in shell.run("coupon", "settle", str(rows[0][0]), "--charge", "shop")
    assert centre.one("SELECT balance FROM accounts WHERE kind = 'exposure'") == -20
    centre.close()


def test_the_auditor_says_which_account_differs_and_by_how_much(shell: Shell) -> None:
    centre, lane = enrolled(shell)
    shell.run("programme", "add", "points")
    lane.journal(Earned(lane.stamp(), b"e" * 16, 1, HOLDER, 30, "ginza", 3_000))
    centre.book(lane)
    assert "the books are right: 1 transfers, 2 postings" in shell.run("ledger", "audit")
    with centre.office.database.write() as connection:
        connection.exec_driver_sql("UPDATE accounts SET balance = balance + 5 WHERE kind = 'member'")
    said = shell.run("ledger", "audit", code=1)
    assert "account member 1 of 000000abcdef at ginza: balance 35, should be 30 (+5)" in said
    assert centre.query("SELECT findings, postings FROM ledger_audits ORDER BY id") == [(0, 2), (2, 2)]
    centre.close()


def test_what_can_not_be_is_said_in_plain_words(shell: Shell) -> None:
    assert "is no rate" in shell.run("programme", "add", "points", "--buy", "dear", code=2)
    assert "is none of" in shell.run("programme", "add", "points", "--overspending", "never", code=2)
    assert "for days or for months" in shell.run("programme", "add", "p", "--days", "1", "--months", "1", code=2)
    assert "no programme 9" in shell.run("programme", "rule", "9", "ginza", "--per-yen", "100", code=2)
    assert "nobody called" in shell.run("ledger", "balance", "nobodyknows1", code=1)
    assert "has no points" in shell.run("ledger", "balance", "000000abcdef", code=1)
