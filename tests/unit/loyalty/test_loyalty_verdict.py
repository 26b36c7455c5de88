"""The verdict: every answer that the rules can give, their order, and the instants between them (K5, K6, K8, K9)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from loyalty.basket import Basket
from loyalty.campaign import DAY_MS, Campaign, ClockRule, Kind, Policy
from loyalty.coupon import EXPIRES_S_MAX, Coupon, Home, Known, Now, Seen, Verdict, expires_s, judge, of_code
from loyalty.lease import NOTHING, Amount, Limits, Part
from loyalty.reason import Reason
from loyalty.terms import Purchase, Terms, Unit

STARTS_MS, ENDS_MS = 1_780_000_000_000, 1_790_000_000_000
NOW = Now(wall_ms=1_785_000_000_000)
CAMPAIGN = Campaign(
    id=7, name="S楽器 1000円券", kind=Kind.AMOUNT, policy=Policy.SIGNED, provider="S楽器", amount_yen=1000,
    starts_ms=STARTS_MS, ends_ms=ENDS_MS, shops=("ginza", "shinjuku"), per_person=2, min_spend_yen=3000,
)  # fmt: skip
COUPON = Coupon(campaign=7, serial=98338, holder=11, key=1)
SEEN = Seen(at_ms=STARTS_MS + 5, site="shinjuku")


class Scan(msgspec.Struct, frozen=True):
    """All that a verdict depends on; as it stands, everything is in order."""

    campaign: Campaign | None = CAMPAIGN
    coupon: Coupon = COUPON
    seen: Seen | None = None
    person_count: int = 0
    total: Amount = NOTHING
    part: Part | None = None
    home: Home | None = None
    card_holder: int = 0
    revoked: bool = False
    site: str = "ginza"
    spend_yen: int | None = 5000
    now: Now = NOW

    def but(self, **changes: Any) -> Scan:
        return msgspec.structs.replace(self, **changes)

    def ruled(self, **changes: Any) -> Scan:
        assert self.campaign is not None
        return self.but(campaign=msgspec.structs.replace(self.campaign, **changes))

    def holding(self, **changes: Any) -> Scan:
        return self.but(coupon=msgspec.structs.replace(self.coupon, **changes))

    def at(self, wall_ms: int, *, trusted: bool = True, error_ms: int = 0) -> Scan:
        return self.but(now=Now(wall_ms=wall_ms, trusted=trusted, error_ms=error_ms))

    @property
    def verdict(self) -> Verdict:
        known = Known(
            campaign=self.campaign,
            seen=self.seen,
            person_count=self.person_count,
            total=self.total,
            part=self.part,
            home=self.home,
            card_holder=self.card_holder,
            revoked=self.revoked,
        )
        basket = None if self.spend_yen is None else Basket()
        return judge(self.coupon, known, site=self.site, spend_yen=self.spend_yen, now=self.now, basket=basket)

    @property
    def reason(self) -> Reason:
        return self.verdict.reason


def asks(unit: Unit) -> Terms:
    return Terms(purchases=(Purchase(value=1, unit=unit, company="4912345", family="000"),))


SCAN = Scan()
OPEN = SCAN.ruled(policy=Policy.OPEN, serials=False, per_person=None).holding(serial=0, holder=0)

IN_ORDER: list[tuple[Reason, Callable[[Scan], Scan]]] = [
    (Reason.OK_AGAIN, lambda s: s.but(seen=Seen(at_ms=5, here=True, shown=False))),
    (Reason.UNKNOWN_CAMPAIGN, lambda s: s.holding(campaign=8)),
    (Reason.NOT_GENUINE, lambda s: s.holding(key=0)),
    (Reason.NOT_DOWNLOADED, lambda s: s.holding(serial=0)),
    (Reason.MISPRINTED, lambda s: s.ruled(value_in_code=True)),
    (Reason.USED, lambda s: s.but(seen=SEEN)),
    (Reason.STOPPED, lambda s: s.ruled(stopped=True)),
    (Reason.REVOKED, lambda s: s.but(revoked=True)),
    (Reason.NOT_YET, lambda s: s.at(STARTS_MS - 1)),
    (Reason.EXPIRED, lambda s: s.at(ENDS_MS)),
    (Reason.CLOCK_UNTRUSTED, lambda s: s.ruled(clock_rule=ClockRule.REFUSE).but(now=Now(wall_ms=5, trusted=False))),
    (Reason.WRONG_SHOP, lambda s: s.but(site="ueno")),
    (Reason.WRONG_HOLDER, lambda s: s.but(card_holder=12)),
    (Reason.PERSON_LIMIT, lambda s: s.but(person_count=2)),
    (Reason.CAP_REACHED, lambda s: s.ruled(cap=10).but(total=Amount(10))),
    (Reason.NEEDS_CARD, lambda s: s.ruled(needs_card=True)),
    (Reason.NEEDS_BASKET, lambda s: s.but(spend_yen=None)),
    (Reason.MIN_SPEND, lambda s: s.but(spend_yen=2999)),
    (Reason.NEEDS_STAFF, lambda s: s.holding(terms=asks(Unit.CLERK))),
    (Reason.NEEDS_GOODS, lambda s: s.holding(terms=asks(Unit.ITEMS))),
    (Reason.NO_PART, lambda s: s.but(part=Part())),
    (Reason.NOT_HOME, lambda s: s.but(home=Home(number=3, site="ueno"))),
    (Reason.OK, lambda s: s),
]
ALTERNATIVES = {
    Reason.NOT_YET, Reason.EXPIRED, Reason.CLOCK_UNTRUSTED, Reason.NEEDS_BASKET, Reason.WRONG_HOLDER, Reason.NEEDS_CARD,
    Reason.NEEDS_STAFF, Reason.NEEDS_GOODS,
}  # fmt: skip
"""Reasons that can't hold together: one clock shows one time, a basket that is not open holds too little, a slot holds
one card or none, and a code asks for one thing."""


@pytest.mark.parametrize(("reason", "wrong"), IN_ORDER, ids=[reason for reason, _ in IN_ORDER])
def test_K5_each_answer_is_given_when_nothing_else_is_wrong(reason: Reason, wrong: Callable[[Scan], Scan]) -> None:
    verdict = wrong(SCAN).verdict
    assert verdict.reason == reason
    assert verdict.accepted == (reason in (Reason.OK, Reason.OK_AGAIN))
    assert verdict.coupon == wrong(SCAN).coupon


@pytest.mark.parametrize("first", range(len(IN_ORDER)), ids=[reason for reason, _ in IN_ORDER])
def test_K5_of_several_reasons_the_first_in_the_documented_order_is_the_answer(first: int) -> None:
    scan = SCAN
    for reason, wrong in reversed(IN_ORDER[first + 1 :]):
        if reason not in ALTERNATIVES or IN_ORDER[first][0] not in ALTERNATIVES:
            scan = wrong(scan)
    scan = IN_ORDER[first][1](scan.ruled(clock_rule=ClockRule.ACCEPT))
    assert scan.reason == IN_ORDER[first][0]


def test_the_order_stands_in_the_documentation_as_it_is_tested() -> None:
    assert judge.__doc__ is not None
    steps = judge.__doc__[judge.__doc__.index(" 1.") : judge.__doc__.index("The unit asks")]
    documented = [Reason[word] for word in re.findall(r"\b[A-Z_]{2,}\b", steps) if word in Reason.__members__]
    assert documented == [reason for reason, _ in IN_ORDER]


def test_K6_a_used_serial_says_when_and_where() -> None:
    verdict = SCAN.but(seen=SEEN).verdict
    assert (verdict.reason, verdict.at_ms, verdict.site) == (Reason.USED, SEEN.at_ms, "shinjuku")


def test_K6_what_this_unit_showed_itself_is_used_too() -> None:
    assert SCAN.but(seen=Seen(at_ms=5, site="ginza", here=True, shown=True)).reason == Reason.USED
    assert SCAN.but(seen=Seen(at_ms=5, site="ginza", here=False, shown=False)).reason == Reason.USED


def test_a_yes_that_a_power_cut_hid_is_said_again_whatever_has_changed_since() -> None:
    verdict = SCAN.but(campaign=None, seen=Seen(at_ms=5, site="ginza", here=True, shown=False)).verdict
    assert (verdict.reason, verdict.accepted, verdict.at_ms) == (Reason.OK_AGAIN, True, 5)
    assert verdict.discount_yen is None


def test_K8_a_coupon_without_serials_counts_every_time() -> None:
    assert OPEN.reason == Reason.OK
    assert OPEN.but(seen=SEEN).reason == Reason.OK
    assert OPEN.holding(key=0).ruled(jan="4901234567894").reason == Reason.OK


def test_K8_a_JAN_stands_for_the_open_campaign_that_names_it_and_for_no_other() -> None:
    leaflet = msgspec.structs.replace(CAMPAIGN, policy=Policy.OPEN, serials=False, per_person=None, jan="4901234567894")
    coupon = of_code("4901234567894", leaflet)
    assert coupon == Coupon(campaign=7)
    assert SCAN.but(campaign=leaflet, coupon=coupon).reason == Reason.OK
    for wrong in (
        None,
        msgspec.structs.replace(leaflet, jan="4901234567887"),
        msgspec.structs.replace(leaflet, jan=""),
        msgspec.structs.replace(leaflet, policy=Policy.SIGNED),
    ):
        for code in ("4901234567894", ""):
            refused = SCAN.but(campaign=wrong, coupon=of_code(code, wrong))
            assert refused.reason == Reason.UNKNOWN_CAMPAIGN


@pytest.mark.parametrize("policy", [Policy.SIGNED, Policy.ONLINE])
def test_K5_an_unsigned_coupon_never_counts_where_a_signature_is_the_proof(policy: Policy) -> None:
    assert SCAN.ruled(policy=policy, jan="4901234567894").holding(key=0).reason == Reason.NOT_GENUINE


def test_K5_an_open_campaign_without_a_JAN_takes_signed_codes_only() -> None:
    assert OPEN.holding(key=0).reason == Reason.NOT_GENUINE


def test_a_limit_for_each_person_needs_a_holder_in_the_code() -> None:
    assert SCAN.holding(holder=0).reason == Reason.NOT_DOWNLOADED
    assert SCAN.holding(holder=0).ruled(per_person=None).reason == Reason.OK


@pytest.mark.parametrize(("count", "reason"), [(0, "ok"), (1, "ok"), (2, "person_limit"), (3, "person_limit")])
def test_a_person_may_use_it_as_often_as_the_limit_says(count: int, reason: str) -> None:
    assert SCAN.but(person_count=count).reason == reason


@pytest.mark.parametrize(("count", "reason"), [(9, "ok"), (10, "cap_reached"), (11, "cap_reached")])
def test_a_cap_holds_for_all_together(count: int, reason: str) -> None:
    assert SCAN.ruled(policy=Policy.ONLINE, cap=10).but(total=Amount(count)).reason == reason


@pytest.mark.parametrize(("spent", "reason"), [(9_000, "ok"), (9_001, "cap_reached")])
def test_a_budget_holds_for_all_together(spent: int, reason: str) -> None:
    assert SCAN.ruled(policy=Policy.ONLINE, budget_yen=10_000).but(total=Amount(9, spent)).reason == reason


@pytest.mark.parametrize(("left", "ends_ms", "reason"), [
    (Amount(1, 999), None, "ok"),  # the yen are not limited
    (Amount(0, 9_999), None, "no_part"),
    (Amount(1), NOW.wall_ms + 1, "ok"),
    (Amount(1), NOW.wall_ms, "no_part"),
])  # fmt: skip
def test_a_unit_spends_its_part_until_it_is_used_up_or_ends(left: Amount, ends_ms: int | None, reason: str) -> None:
    part = Part(left=left, limits=Limits(count=True, yen=False), ends_ms=ends_ms)
    assert SCAN.ruled(policy=Policy.LEASE, cap=10).but(part=part).reason == reason


def test_a_part_of_a_budget_must_cover_what_the_basket_takes_off() -> None:
    ten = SCAN.ruled(policy=Policy.LEASE, kind=Kind.PERCENT, percent=10, amount_yen=0, budget_yen=10_000)
    part = Part(left=Amount(0, 500), limits=Limits(count=False, yen=True))
    assert ten.but(part=part, spend_yen=5000).verdict.leased == Amount(1, 500)
    assert ten.but(part=part, spend_yen=5010).reason == Reason.NO_PART
    assert ten.ruled(min_spend_yen=0).but(part=part, spend_yen=None).reason == Reason.NEEDS_BASKET


def test_a_serial_is_decided_at_its_home_alone_and_the_shopper_is_told_where() -> None:
    by_home = SCAN.ruled(policy=Policy.HOME)
    assert by_home.but(home=Home(number=3, site="ueno", here=True)).reason == Reason.OK
    verdict = by_home.but(home=Home(number=3, site="ueno")).verdict
    assert (verdict.reason, verdict.site) == (Reason.NOT_HOME, "ueno")


@pytest.mark.parametrize(("site", "reason"), [("ginza", "ok"), ("shinjuku", "ok"), ("gin", "wrong_shop")])
def test_K9_it_counts_in_every_shop_of_its_list(site: str, reason: str) -> None:
    assert SCAN.but(site=site).reason == reason


def test_K9_without_a_list_it_counts_everywhere() -> None:
    assert SCAN.ruled(shops=()).but(site="anywhere").reason == Reason.OK


@pytest.mark.parametrize(("card", "holder", "reason"), [
    (0, 11, "ok"), (11, 11, "ok"), (12, 11, "wrong_holder"), (12, 0, "ok"),
])  # fmt: skip
def test_a_card_in_the_slot_must_be_its_holders(card: int, holder: int, reason: str) -> None:
    assert SCAN.ruled(per_person=None).holding(holder=holder).but(card_holder=card).reason == reason


@pytest.mark.parametrize(("spend", "reason", "needed"), [
    (None, "needs_basket", 3000), (0, "min_spend", 3000), (2999, "min_spend", 1), (3000, "ok", 0),
])  # fmt: skip
def test_a_minimum_spend_says_what_is_missing(spend: int | None, reason: str, needed: int) -> None:
    verdict = SCAN.but(spend_yen=spend).verdict
    assert (verdict.reason, verdict.needed_yen) == (reason, needed)


def test_without_a_minimum_no_basket_is_needed_and_no_discount_is_named() -> None:
    verdict = SCAN.ruled(min_spend_yen=0).but(spend_yen=None).verdict
    assert (verdict.reason, verdict.discount_yen) == (Reason.OK, None)


def test_with_a_basket_the_yes_names_the_discount() -> None:
    assert SCAN.verdict.discount_yen == 1000


@pytest.mark.parametrize(("wall_ms", "reason", "at_ms"), [
    (STARTS_MS - 1, "not_yet", STARTS_MS),
    (STARTS_MS, "ok", None),
    (ENDS_MS - 1, "ok", None),
    (ENDS_MS, "expired", ENDS_MS),
])  # fmt: skip
def test_K5_the_dates_hold_to_the_millisecond_by_an_exact_clock(wall_ms: int, reason: str, at_ms: int | None) -> None:
    verdict = SCAN.at(wall_ms).verdict
    assert (verdict.reason, verdict.at_ms, verdict.clock_doubted) == (reason, at_ms, False)


@pytest.mark.parametrize("rule", ClockRule)
@pytest.mark.parametrize(("wall_ms", "certain", "as_it_reads"), [
    (STARTS_MS - 501, "not_yet", None),
    (STARTS_MS - 500, None, "not_yet"),
    (STARTS_MS - 1, None, "not_yet"),
    (STARTS_MS, None, "ok"),
    (STARTS_MS + 499, None, "ok"),
    (STARTS_MS + 500, "ok", None),
    (ENDS_MS - 501, "ok", None),
    (ENDS_MS - 500, None, "ok"),
    (ENDS_MS - 1, None, "ok"),
    (ENDS_MS, None, "expired"),
    (ENDS_MS + 499, None, "expired"),
    (ENDS_MS + 500, "expired", None),
])  # fmt: skip
def test_inside_the_clocks_error_the_campaign_chooses_and_outside_it_is_certain(
    rule: ClockRule, wall_ms: int, certain: str | None, as_it_reads: str | None
) -> None:
    verdict = SCAN.ruled(clock_rule=rule).at(wall_ms, error_ms=500).verdict
    if certain is not None:
        assert (verdict.reason, verdict.clock_doubted) == (certain, False)
    elif rule is ClockRule.REFUSE:
        assert verdict.reason == Reason.CLOCK_UNTRUSTED
    else:
        assert verdict.reason == as_it_reads
        assert verdict.clock_doubted == (as_it_reads == "ok")


def test_an_untrusted_clock_is_in_doubt_about_every_date() -> None:
    for wall_ms, reason in [(STARTS_MS - DAY_MS, "not_yet"), (NOW.wall_ms, "ok"), (ENDS_MS + DAY_MS, "expired")]:
        scan = SCAN.at(wall_ms, trusted=False)
        assert scan.reason == reason
        assert scan.verdict.clock_doubted == (reason == "ok")
        assert scan.ruled(clock_rule=ClockRule.REFUSE).reason == Reason.CLOCK_UNTRUSTED


@pytest.mark.parametrize("rule", ClockRule)
def test_without_dates_the_clock_does_not_matter(rule: ClockRule) -> None:
    verdict = SCAN.ruled(starts_ms=None, ends_ms=None, clock_rule=rule).at(0, trusted=False).verdict
    assert (verdict.reason, verdict.clock_doubted) == (Reason.OK, False)


@pytest.mark.parametrize("ends_ms", [None, ENDS_MS])
def test_K5_a_coupons_own_end_holds_where_it_is_earlier(ends_ms: int | None) -> None:
    own_end_ms = ENDS_MS - 1000
    scan = SCAN.ruled(ends_ms=ends_ms).holding(expires_s=own_end_ms // 1000)
    assert scan.at(own_end_ms - 1).reason == Reason.OK
    assert (scan.at(own_end_ms).reason, scan.at(own_end_ms).verdict.at_ms) == (Reason.EXPIRED, own_end_ms)


def test_K5_the_campaigns_end_holds_where_that_is_earlier() -> None:
    scan = SCAN.holding(expires_s=ENDS_MS // 1000 + 1).at(ENDS_MS)
    assert (scan.reason, scan.verdict.at_ms) == (Reason.EXPIRED, ENDS_MS)


@pytest.mark.parametrize(("days", "downloaded_ms", "expected_s"), [
    (None, 1_000, 0),
    (1, 0, 86_400),
    (7, 1_785_000_000_000, 1_785_000_000 + 7 * 86_400),
    (7, 1_785_000_000_001, 1_785_000_000 + 7 * 86_400 + 1),
    (3650, 2**32 * 1000, EXPIRES_S_MAX),
])  # fmt: skip
def test_K1_the_validity_once_downloaded_is_written_into_the_text(
    days: int | None, downloaded_ms: int, expected_s: int
) -> None:
    assert expires_s(msgspec.structs.replace(CAMPAIGN, days_after_download=days), downloaded_ms) == expected_s
