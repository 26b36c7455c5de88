"""The auditor finds each kind of damage, and says where it is and how much is wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.ledger.ledger_kit import BOB, GIFTS, GINZA, Ledger, done


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Ledger]:
    """Points that were earned, bought, given, exchanged; some wait."""
    ledger = Ledger(tmp_path, **GIFTS)
    ledger.earn(50, site=GINZA)
    done(ledger.gift("buy", 10))
    done(ledger.gift("give", 55, to=BOB))
    done(ledger.gift("exchange", 3, holder=BOB, company="bakery"))
    done(ledger.spend(2, waits=True)[1])
    assert ledger.audit() == []
    yield ledger
    ledger.close()


# The damage, and a part of what the auditor must say of it.
DAMAGE = {
    "a balance": (
        "UPDATE accounts SET balance = balance + 7 WHERE kind = 'issued' AND place = 'ginza'",
        "account issued 1 at ginza: balance -43, should be -50 (+7)",
    ),
    "a balance of a person": (
        "UPDATE accounts SET balance = balance - 1 WHERE kind = 'member' AND holder = 2827",
        "account member 1 of 000000000b0b: balance 51, should be 52 (-1)",
    ),
    "what is held": (
        "UPDATE accounts SET held = 0 WHERE kind = 'member'",
        "held 0, should be 2 (-2)",
    ),
    "one leg": (
        "UPDATE postings SET amount = amount + 1 WHERE amount = 55",
        "its legs sum to 1, should be 0 (+1)",
    ),
    "a leg that is gone": (
        "DELETE FROM postings WHERE amount = 55",
        "its legs sum to -55, should be 0 (-55)",
    ),
    "a transfer whose legs are gone": (
        "DELETE FROM postings WHERE transfer = 1",
        "legs 0, should be 2 (-2)",
    ),
    "what is left of a lot": (
        "UPDATE lots SET rest = rest + 1 WHERE transfer = 3 AND number = 1",
        "/1: points left ",
    ),
    "what is left of a lot, against its account": (
        "UPDATE lots SET rest = rest + 1 WHERE transfer = 3 AND number = 1",
        "account member 1 of 000000000b0b: points left in its lots 53, should be 52 (+1)",
    ),
    "the yen of a lot": (
        "UPDATE lots SET rest_yen = rest_yen - 1 WHERE rest_yen > 0 AND transfer = 2",
        "yen left ",
    ),
    "a move of a lot": (
        "UPDATE lot_moves SET points = points + 1 WHERE transfer = 4",
        "points left ",
    ),
    "a move that is gone": ("DELETE FROM lot_moves WHERE transfer = 3", "points left "),
    "the deposits": (
        "UPDATE accounts SET balance = balance + 100 WHERE kind = 'deposits'",
        "money paid for points that are not used, kept here as 1,073, should be 973 (+100)",
    ),
    "a sign": (
        "UPDATE accounts SET balance = -balance WHERE kind = 'redeemed'",
        "its sign can't be: -3, should be 0",
    ),
    "a state": (
        "UPDATE transfers SET state = 'pending' WHERE kind = 'exchange'",
        "account retailer 1 at bakery: balance 240, should be 0 (+240)",
    ),
    "what was settled": (
        "UPDATE transfers SET settles = 1 WHERE id = 2",
        "settles one that was not pending",
    ),
    "more left than there was": (
        "UPDATE lots SET rest = points + 1 WHERE transfer = 1",
        "points left beyond its limits of 0 and 51, should be 50 (+1)",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_auditor_finds_a_wrong(books: Ledger, damage: str) -> None:
    sql, said = DAMAGE[damage]
    books.run(sql)
    words = [finding.words() for finding in books.audit()]
    assert any(said in line for line in words), words


def test_an_account_that_is_gone_is_missed(books: Ledger) -> None:
    """A database that keeps its foreign keys refuses this; a file that was damaged below it does not."""
    if books.database.path is None:
        pytest.skip("a server can't be damaged from below its foreign keys")
    with closing(sqlite3.connect(books.database.path)) as raw, raw:
        raw.execute("DELETE FROM accounts WHERE kind = 'retailer'")
    words = [finding.words() for finding in books.audit()]
    assert any("not there 1, should be 0" in line for line in words), words
