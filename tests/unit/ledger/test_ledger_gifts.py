"""Gift points: three rates, and the spread between them in the books; sets of the law are in test_ledger_machine."""

from __future__ import annotations

import pytest

from central.ledger import gifts
from central.ledger.chart import Key
from loyalty.points import Rate
from tests.unit.ledger.conftest import Make
from tests.unit.ledger.ledger_kit import ALICE, BOB, DAY_MS, GIFTS, Ledger, done, why


@pytest.fixture
def shop(make: Make) -> Ledger:
    return make(**GIFTS)


def test_G2_points_are_credited_when_the_payment_is_confirmed(shop: Ledger) -> None:
    done(shop.gift("buy", 10, waits=True, name=b"invoice........1"))
    assert shop.usable() == 0
    assert shop.sums() == {}
    done(shop.post(b"invoice........1"))
    assert shop.usable() == 10
    assert shop.sums() == {"member": 10, "issued": -10, "bank": -1_000, "deposits": 1_000}


def test_G2_an_invoice_that_is_not_paid_credits_nothing(shop: Ledger) -> None:
    done(shop.gift("buy", 10, waits=True, name=b"invoice........1"))
    done(shop.void(b"invoice........1"))
    assert (shop.usable(), shop.sums()) == (0, {})


def test_G10_the_spread_between_the_rates_is_the_fee(shop: Ledger) -> None:
    """The worked example of docs/ledger.md."""
    done(shop.gift("buy", 10))
    done(shop.gift("give", 6, to=BOB))
    done(shop.gift("exchange", 5, holder=BOB, company="bakery"))
    assert shop.sums()["fees"] == 5 * (100 - 80)
    done(shop.gift("cash_out", 3))
    assert shop.sums() == {
        "member": 2,
        "issued": -10,
        "redeemed": 8,
        "bank": -1_000,
        "deposits": 200,
        "retailer": 400,
        "payout": 210,
        "fees": 5 * (100 - 80) + 3 * (100 - 70),
    }
    with shop.database.write() as connection:
        owed = Key("retailer", 1, 0, "bakery")
        assert why(gifts.remit(connection, b"r" * 16, owed, 401, shop.now_ms)) == "balance"
        done(gifts.remit(connection, b"r" * 16, owed, 400, shop.now_ms))
        done(gifts.remit(connection, b"p" * 16, Key("payout", 1, ALICE), 210, shop.now_ms))
        assert why(gifts.remit(connection, b"f" * 16, Key("fees", 1), 1, shop.now_ms)) == "amount"
    assert shop.sums() == {
        "member": 2, "issued": -10, "redeemed": 8, "bank": -390, "deposits": 200, "fees": 190,
    }  # fmt: skip


def test_G3_both_accounts_move_together_or_not_at_all(shop: Ledger) -> None:
    done(shop.gift("buy", 10))
    assert why(shop.gift("give", 11, to=BOB)) == "balance"
    assert (shop.usable(ALICE), shop.usable(BOB)) == (10, 0)
    done(shop.gift("give", 4, to=BOB, waits=True, name=b"w" * 16))
    assert (shop.usable(ALICE), shop.usable(BOB)) == (6, 0)
    done(shop.post(b"w" * 16))
    assert (shop.usable(ALICE), shop.usable(BOB)) == (6, 4)
    assert why(shop.gift("give", 1, to=ALICE)) == "same_person"


def test_G3_points_that_are_given_keep_their_end(make: Make) -> None:
    shop = make(**GIFTS, days=5)
    done(shop.gift("buy", 3))
    shop.now_ms += DAY_MS
    done(shop.gift("buy", 3))
    done(shop.gift("give", 4, to=BOB))
    shop.now_ms += 5 * DAY_MS  # the first are over
    assert (shop.usable(ALICE), shop.usable(BOB)) == (2, 1)
    assert shop.expire() == 1
    assert shop.sums()["forfeited"] == 300
    done(shop.gift("exchange", 1, holder=BOB, company="bakery"))


def test_P16_points_of_a_programme_that_says_so_can_not_be_given(make: Make) -> None:
    shop = make(**{**GIFTS, "transferable": False})
    done(shop.gift("buy", 10))
    assert why(shop.gift("give", 1, to=BOB)) == "not_transferable"


def test_G8_what_has_no_rate_can_not_be_had(make: Make) -> None:
    shop = make(shared=True, buy=Rate(100))
    done(shop.gift("buy", 10))
    assert why(shop.gift("cash_out", 1)) == "no_rate"
    assert why(shop.gift("exchange", 1)) == "no_rate"


def test_G10_the_fee_is_what_was_paid_for_these_points_though_the_rates_changed(shop: Ledger) -> None:
    done(shop.gift("buy", 10))
    shop.programme(**{**GIFTS, "buy": Rate(120)})
    done(shop.gift("buy", 10))
    done(shop.gift("exchange", 15, company="bakery"))
    assert shop.sums()["deposits"] == 5 * 120
    assert shop.sums()["fees"] == 10 * 20 + 5 * 40


def test_G10_rates_of_broken_yen_add_up_to_the_last_one(make: Make) -> None:
    shop = make(**{**GIFTS, "buy": Rate(10, 3), "sell": Rate(8, 3)})
    done(shop.gift("buy", 10))  # 33 yen
    for _ in range(10):
        done(shop.gift("exchange", 1, company="bakery"))  # 2 yen each
    assert shop.sums() == {"issued": -10, "redeemed": 10, "bank": -33, "retailer": 20, "fees": 13}


def test_an_exchange_that_is_taken_back_takes_the_fee_back(shop: Ledger) -> None:
    done(shop.gift("buy", 10))
    done(shop.gift("exchange", 5, company="bakery", name=b"e" * 16))
    done(shop.restore(b"e" * 16, 2))
    assert shop.sums() == {
        "member": 7, "issued": -10, "redeemed": 3, "bank": -1_000, "deposits": 700, "retailer": 240, "fees": 60,
    }  # fmt: skip
    done(shop.restore(b"e" * 16))
    assert shop.sums() == {"member": 10, "issued": -10, "bank": -1_000, "deposits": 1_000}
