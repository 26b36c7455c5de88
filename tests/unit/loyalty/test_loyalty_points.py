"""The arithmetic of points: whole numbers, monotone, rounded by a named rule; and when points end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty import points
from loyalty.points import EarnRule, Overspending, Programme, Rate, Rounding

RULES = st.builds(
    EarnRule,
    programme=st.just(1),
    site=st.just("ginza"),
    per_yen=st.integers(1, points.RATE_MAX),
    points=st.integers(1, points.RATE_MAX),
    rounding=st.sampled_from(Rounding),
)
YEN = st.integers(-(10**6), 10**12)
JST = timezone(timedelta(hours=9))


@given(RULES, YEN, YEN)
def test_M4_whoever_spends_more_earns_no_less(rule: EarnRule, one: int, other: int) -> None:
    less, more = sorted((one, other))
    assert 0 <= points.earned(rule, less) <= points.earned(rule, more)


@given(RULES, YEN)
def test_M4_the_points_are_the_exact_quotient_rounded_as_the_rule_says(rule: EarnRule, spend_yen: int) -> None:
    exact = Fraction(max(0, spend_yen) * rule.points, rule.per_yen)
    got = points.earned(rule, spend_yen)
    assert type(got) is int
    if rule.rounding is Rounding.DOWN:
        assert got <= exact < got + 1
    elif rule.rounding is Rounding.UP:
        assert got - 1 < exact <= got
    else:
        assert got - Fraction(1, 2) <= exact < got + Fraction(1, 2)


@given(RULES, st.integers(0, 10**9), st.integers(0, 10**9))
def test_M4_a_purchase_cut_in_two_earns_no_more_where_fractions_are_dropped(rule: EarnRule, one: int, two: int) -> None:
    if rule.rounding is Rounding.DOWN:
        assert points.earned(rule, one) + points.earned(rule, two) <= points.earned(rule, one + two)


@given(st.builds(Rate, st.integers(1, 10**6), st.integers(1, 10**6)), st.integers(0, 10**9), st.sampled_from(Rounding))
def test_G5_more_points_are_worth_no_less(rate: Rate, many: int, rounding: Rounding) -> None:
    assert points.worth_yen(rate, many, rounding) <= points.worth_yen(rate, many + 1, rounding)


def _ms(year: int, month: int, day: int, hour: int = 0, zone: timezone = JST) -> int:
    return int(datetime(year, month, day, hour, tzinfo=zone).timestamp()) * 1000


@pytest.mark.parametrize(
    ("terms", "earned_ms", "ends_ms"),
    [
        ({"days": 1}, _ms(2026, 7, 1, 23), _ms(2026, 7, 3)),
        ({"days": 365}, _ms(2026, 7, 1), _ms(2027, 7, 2)),
        ({"months": 1}, _ms(2026, 1, 31), _ms(2026, 3, 1)),  # there is no 31 February: its last day counts
        ({"months": 1}, _ms(2028, 1, 30), _ms(2028, 3, 1)),  # a leap year
        ({"months": 12}, _ms(2026, 12, 31, 23), _ms(2028, 1, 1)),
        ({"months": 6}, _ms(2026, 7, 1), _ms(2027, 1, 2)),
        ({"days": 1, "utc_offset_min": 0}, _ms(2026, 7, 1, 23, UTC), _ms(2026, 7, 3, 0, UTC)),
        ({}, _ms(2026, 7, 1), points.NEVER_MS),
    ],
)
def test_points_last_to_the_end_of_their_last_day(terms: dict[str, int], earned_ms: int, ends_ms: int) -> None:
    assert points.ends_ms(Programme(id=1, name="x", **terms), earned_ms) == ends_ms  # type: ignore[arg-type]


@given(
    st.integers(0, 4 * 10**12),
    st.integers(0, 10**9),
    st.one_of(
        st.builds(lambda days: {"days": days}, st.integers(1, points.DAYS_MAX)),
        st.builds(lambda months: {"months": months}, st.integers(1, points.MONTHS_MAX)),
    ),
)
def test_what_is_earned_later_ends_no_sooner(earned_ms: int, later_ms: int, life: dict[str, int]) -> None:
    programme = Programme(id=1, name="x", **life)  # type: ignore[arg-type]
    assert earned_ms < points.ends_ms(programme, earned_ms) <= points.ends_ms(programme, earned_ms + later_ms)


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"id": 0}, "id"),
        ({"name": " "}, "name"),
        ({"days": 1, "months": 1}, "months"),
        ({"days": 0}, "days"),
        ({"months": points.MONTHS_MAX + 1}, "months"),
        ({"grace_days": -1}, "grace_days"),
        ({"utc_offset_min": 900}, "utc_offset_min"),
        ({"buy": Rate(0)}, "buy"),
        ({"sell": Rate(1, 0)}, "sell"),
        ({"overspending": Overspending.NEGATIVE}, "overspending"),
    ],
)
def test_a_programme_that_can_not_be_is_refused_with_its_field(terms: dict[str, object], field: str) -> None:
    programme = Programme(**{"id": 1, "name": "x", **terms})  # type: ignore[arg-type]
    assert [line.partition(":")[0] for line in points.problems(programme)] == [field]
    assert points.problems(Programme(id=1, name="x")) == []


def test_a_rule_that_can_not_be_is_refused_with_its_field() -> None:
    rule = EarnRule(programme=1, site="", per_yen=0, points=0, from_ms=-1)
    assert [line.partition(":")[0] for line in points.rule_problems(rule)] == ["per_yen", "points", "site", "from_ms"]
