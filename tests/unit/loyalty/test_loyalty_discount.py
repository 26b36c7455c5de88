"""What a coupon takes off a basket: whole yen, rounded down, never more than the basket (K1)."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.campaign import Campaign, Kind, Policy
from loyalty.coupon import discount_yen


def campaign(kind: Kind, *, amount_yen: int = 0, percent: int = 0) -> Campaign:
    return Campaign(
        id=1, name="n", kind=kind, policy=Policy.SIGNED, provider="p", amount_yen=amount_yen, percent=percent, gift="g"
    )


@pytest.mark.parametrize(
    ("amount_yen", "spend_yen", "expected_yen"),
    [(1000, 3000, 1000), (1000, 1000, 1000), (1000, 999, 999), (1000, 0, 0)],
)
def test_K1_an_amount_comes_off_up_to_the_whole_basket(amount_yen: int, spend_yen: int, expected_yen: int) -> None:
    assert discount_yen(campaign(Kind.AMOUNT, amount_yen=amount_yen), spend_yen) == expected_yen


@pytest.mark.parametrize(
    ("percent", "spend_yen", "expected_yen"),
    [(10, 1000, 100), (10, 1009, 100), (10, 9, 0), (33, 100, 33), (1, 99, 0), (100, 12_345, 12_345), (8, 105, 8)],
)
def test_K1_a_percentage_is_rounded_down_to_whole_yen(percent: int, spend_yen: int, expected_yen: int) -> None:
    assert discount_yen(campaign(Kind.PERCENT, percent=percent), spend_yen) == expected_yen


@pytest.mark.parametrize("kind", [Kind.GIFT, Kind.TICKET])
def test_K1_a_gift_and_a_ticket_take_nothing_off(kind: Kind) -> None:
    assert discount_yen(campaign(kind, amount_yen=100, percent=50), 1000) == 0


@given(st.integers(1, 100), st.integers(0, 10**15))
def test_a_percentage_is_exact_for_any_basket(percent: int, spend_yen: int) -> None:
    exact = (Decimal(spend_yen) * percent / 100).to_integral_value(ROUND_FLOOR)
    assert discount_yen(campaign(Kind.PERCENT, percent=percent), spend_yen) == int(exact)


WILD = st.integers(-(2**70), 2**70)


@given(st.sampled_from(Kind), WILD, WILD, WILD)
def test_whatever_the_rows_say_a_discount_is_between_nothing_and_the_basket(
    kind: Kind, amount_yen: int, percent: int, spend_yen: int
) -> None:
    off_yen = discount_yen(campaign(kind, amount_yen=amount_yen, percent=percent), spend_yen)
    assert 0 <= off_yen <= max(0, spend_yen)
