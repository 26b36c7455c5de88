"""Consumption tax with a discount: the figures of the tax office, and sums that add up whatever is bought."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loyalty.tax import (
    REDUCED_BP,
    STANDARD_BP,
    YEN_MAX,
    Basis,
    Bill,
    Off,
    Part,
    Price,
    Rounding,
    bill,
    problems,
    rounded,
    tax_in,
    tax_on,
)

FLOOR, CEILING, HALF_UP = Rounding
EACH_RULE = pytest.mark.parametrize("rule", Rounding)


def both(standard_yen: int, reduced_yen: int) -> list[Price]:
    return [Price(STANDARD_BP, standard_yen), Price(REDUCED_BP, reduced_yen)]


def test_tax_is_rounded_once_for_a_rate_and_not_for_each_line() -> None:
    assert tax_on(105 * 3, STANDARD_BP, FLOOR) == 31
    assert 3 * tax_on(105, STANDARD_BP, FLOOR) == 30
    one = bill([Price(STANDARD_BP, 115)] * 3, basis=Basis.NET, rounding=FLOOR)
    assert one.tax_yen == tax_in(345, STANDARD_BP, FLOOR) == 31
    assert 3 * tax_in(115, STANDARD_BP, FLOOR) == 30


@pytest.mark.parametrize(("rule", "tax"), [(FLOOR, 90), (HALF_UP, 91), (CEILING, 91)])
def test_the_tax_in_1000_yen_depends_on_the_rule(rule: Rounding, tax: int) -> None:
    assert tax_in(1_000, STANDARD_BP, rule) == tax  # 90.909


def test_half_a_yen_goes_up_and_less_does_not() -> None:
    assert [rounded(value, 10, HALF_UP) for value in (4, 5, 14, 15, 20)] == [0, 1, 1, 2, 2]
    assert [rounded(value, 10, FLOOR) for value in (0, 9, 10)] == [0, 0, 1]
    assert [rounded(value, 10, CEILING) for value in (0, 1, 10)] == [0, 1, 1]


def test_a_discount_over_both_rates_is_shared_by_gross_amount() -> None:
    """FACTS: gross 1,595 at 10 % and 7,398 at 8 %, discount 92, half-up: shares 16 and 76."""
    one = bill(both(1_595, 7_398), Off(92), basis=Basis.GROSS, rounding=HALF_UP)
    assert [part.discount_yen for part in one.parts] == [16, 76]
    assert one.gross_yen == 1_595 + 7_398 - 92


def test_the_remainder_of_a_discount_goes_to_the_standard_rate() -> None:
    """FACTS: gross 2,970 and 1,080, discount 2: totals 2,969 and 1,079."""
    one = bill(both(2_970, 1_080), Off(2), basis=Basis.GROSS, rounding=HALF_UP)
    assert [part.gross_yen for part in one.parts] == [2_969, 1_079]
    floor = bill(both(2_970, 1_080), Off(2), basis=Basis.GROSS, rounding=FLOOR)
    assert [part.gross_yen for part in floor.parts] == [2_968, 1_080]  # 0.53 of it is nothing, the rest is standard


def test_B4_without_liability_for_tax_the_discount_is_taken_off_the_price() -> None:
    one = bill(both(1_100, 540), Off(100), basis=Basis.PRICE, rounding=FLOOR)
    assert one == Bill((Part(0, 1_540, 0, 1_540, 100, 1_640),))
    assert one.debit_yen == 1_540


def test_B5_an_amount_is_taken_off_the_net_and_the_tax_of_the_rest_is_added() -> None:
    """1,100 holds 100 of tax; 1,000 - 100 = 900, and 90 of tax: 990. Off the price it would have been 1,000."""
    one = bill([Price(STANDARD_BP, 1_100)], Off(100), basis=Basis.NET, rounding=FLOOR)
    assert one == Bill((Part(STANDARD_BP, 900, 90, 990, 100, 1_100),))
    assert (one.saved_yen, one.debit_yen) == (110, 990)


def test_B5_a_rate_is_taken_off_the_net_of_each_rate() -> None:
    one = bill(both(1_100, 1_080), Off(percent=15), basis=Basis.NET, rounding=FLOOR)
    assert one.parts == (
        Part(STANDARD_BP, 850, 85, 935, 150, 1_100),
        Part(REDUCED_BP, 850, 68, 918, 150, 1_080),
    )


def test_B5_an_amount_over_both_rates() -> None:
    """The worked example of docs/bank.md."""
    one = bill(both(3_300, 2_160), Off(500), basis=Basis.NET, rounding=FLOOR)
    assert one.parts == (
        Part(STANDARD_BP, 2_697, 269, 2_966, 303, 3_300),  # 500 - 197, the remainder
        Part(REDUCED_BP, 1_803, 144, 1_947, 197, 2_160),  # 500 * 2160 / 5460 = 197.8
    )
    assert (one.price_yen, one.net_yen, one.tax_yen, one.debit_yen) == (5_460, 4_500, 413, 4_913)


@EACH_RULE
@pytest.mark.parametrize("basis", Basis)
def test_a_discount_larger_than_the_price_ends_at_zero(rule: Rounding, basis: Basis) -> None:
    one = bill(both(105, 52), Off(1_000), basis=basis, rounding=rule)
    assert (one.net_yen, one.tax_yen, one.gross_yen, one.debit_yen) == (0, 0, 0, 0)
    whole = bill(both(105, 52), Off(percent=100), basis=basis, rounding=rule)
    assert whole.debit_yen == 0


def test_a_share_that_finds_no_room_goes_to_the_other_rate() -> None:
    """By gross amount each would bear 60 of 120; but of goods that are taxed at 100 %, half the price is tax."""
    one = bill([Price(10_000, 100), Price(0, 100)], Off(120), basis=Basis.NET, rounding=FLOOR)
    assert [(part.discount_yen, part.net_yen) for part in one.parts] == [(50, 0), (70, 30)]


def test_what_the_shop_wrote_on_it_stays_where_nothing_is_taken_off() -> None:
    """The tax in 1,000 is 90 by the floor rule, and of 910 it is 91: adding it again would make 1,001."""
    one = bill([Price(STANDARD_BP, 1_000)], basis=Basis.NET, rounding=FLOOR)
    assert one.parts == (Part(STANDARD_BP, 910, 90, 1_000, 0, 1_000),)


def test_points_pay_and_change_neither_price_nor_tax() -> None:
    lines = both(1_100, 1_080)
    without = bill(lines, Off(100), basis=Basis.NET, rounding=FLOOR)
    one = bill(lines, Off(100), basis=Basis.NET, rounding=FLOOR, points_yen=500)
    assert one.parts == without.parts
    assert one.debit_yen == without.debit_yen - 500
    over = bill(lines, basis=Basis.NET, rounding=FLOOR, points_yen=9_999)
    assert (over.points_yen, over.debit_yen) == (2_180, 0)


@pytest.mark.parametrize(
    ("lines", "off", "points"),
    [
        ([Price(STANDARD_BP, -1)], Off(), 0),
        ([Price(-1, 100)], Off(), 0),
        ([Price(10_001, 100)], Off(), 0),
        ([Price(STANDARD_BP, YEN_MAX + 1)], Off(), 0),
        ([Price(STANDARD_BP, 1)] * 1_001, Off(), 0),
        ([Price(STANDARD_BP, 100)], Off(-1), 0),
        ([Price(STANDARD_BP, 100)], Off(percent=101), 0),
        ([Price(STANDARD_BP, 100)], Off(1, 1), 0),
        ([Price(STANDARD_BP, 100)], Off(), -1),
    ],
)
def test_a_purchase_that_cannot_be_one_is_refused(lines: list[Price], off: Off, points: int) -> None:
    (sentence,) = problems(lines, off, points)
    with pytest.raises(ValueError, match=sentence[:20]):
        bill(lines, off, basis=Basis.NET, rounding=FLOOR, points_yen=points)


rates = st.sampled_from([STANDARD_BP, REDUCED_BP, 500, 300, 0, 825, 2_000, 10_000])
purchases = st.lists(st.builds(Price, rates, st.integers(0, 60_000)), max_size=12)
offs = st.one_of(
    st.builds(Off, st.integers(0, 5_000)), st.builds(Off, st.integers(0, YEN_MAX)),
    st.builds(lambda percent: Off(percent=percent), st.integers(0, 100)),
)  # fmt: skip


@given(purchases, offs, st.sampled_from(Basis), st.sampled_from(Rounding), st.integers(0, 3_000))
@example([Price(10_000, 100), Price(0, 100)], Off(120), Basis.NET, FLOOR, 0)
def test_B5_the_parts_always_add_up(
    lines: list[Price], off: Off, basis: Basis, rule: Rounding, points_yen: int
) -> None:
    one = bill(lines, off, basis=basis, rounding=rule, points_yen=points_yen)
    for part in one.parts:
        assert min(part.net_yen, part.tax_yen, part.gross_yen, part.discount_yen) >= 0
        assert part.net_yen + part.tax_yen == part.gross_yen
        assert part.gross_yen <= part.price_yen - part.discount_yen, "no discount saves less than it says"
        if not part.discount_yen:
            assert part.gross_yen == part.price_yen
    assert one.price_yen == sum(line.yen for line in lines)
    assert one.net_yen + one.tax_yen == one.gross_yen == one.debit_yen + one.points_yen
    assert one.saved_yen >= one.discount_yen
    room = one.price_yen
    if basis is Basis.NET:
        room = bill(lines, basis=basis, rounding=rule).net_yen
    assert one.discount_yen == min(off.yen, room) or off.percent
    if basis is not Basis.NET:
        assert one.saved_yen == one.discount_yen
    if basis is Basis.PRICE:
        assert one.tax_yen == 0


@given(purchases, st.integers(0, 5_000), st.integers(0, 500), st.sampled_from(Basis), st.sampled_from(Rounding))
def test_a_larger_discount_never_costs_more_than_its_rounding(
    lines: list[Price], off: int, more: int, basis: Basis, rule: Rounding
) -> None:
    """Each rate is rounded by itself, so moving a yen from one to the other may turn by one yen for each rate."""
    less = bill(lines, Off(off), basis=basis, rounding=rule)
    greater = bill(lines, Off(off + more), basis=basis, rounding=rule)
    assert greater.gross_yen <= less.gross_yen + (len(less.parts) if basis is Basis.NET else 0)


@given(purchases, st.sampled_from(Rounding))
def test_the_order_of_the_lines_means_nothing(lines: list[Price], rule: Rounding) -> None:
    off = Off(77)
    assert bill(lines, off, basis=Basis.NET, rounding=rule) == bill(lines[::-1], off, basis=Basis.NET, rounding=rule)
