"""Any rows, coupon and time: there is a verdict, it fits the display, and a yes means what a yes must (K5)."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.campaign import Campaign, ClockRule, Kind, Policy
from loyalty.cells import cells
from loyalty.coupon import Coupon, Home, Known, Now, Seen, judge
from loyalty.lease import Amount, Part
from loyalty.reason import HEADLINE_CELLS, LINE_CELLS, LINES_MAX, Reason, sentence

FEW = st.integers(0, 3)  # small, so that equal values meet
TIMES = st.none() | st.integers(0, 20)
SITES = st.sampled_from(["a", "b", "c"])

CAMPAIGNS = st.builds(
    Campaign,
    id=FEW,
    name=st.text(max_size=80),
    kind=st.sampled_from(Kind),
    policy=st.sampled_from([Policy.SIGNED, Policy.ONLINE, Policy.OPEN, Policy.HOME]),
    provider=st.just("p"),
    amount_yen=st.integers(-1, 10**12),
    percent=st.integers(-1, 200),
    gift=st.text(max_size=80),
    serials=st.booleans(),
    starts_ms=TIMES,
    ends_ms=TIMES,
    cap=st.none() | FEW,
    per_person=st.none() | FEW,
    shops=st.lists(SITES, max_size=2).map(tuple),
    min_spend_yen=FEW,
    jan=st.sampled_from(["", "4901234567894"]),
    stopped=st.booleans(),
    clock_rule=st.sampled_from(ClockRule),
)
COUPONS = st.builds(
    Coupon, campaign=FEW, serial=FEW, holder=FEW, expires_s=st.sampled_from([0, 0, 1, 2**32 - 1]), key=FEW
)
SEEN = st.builds(Seen, at_ms=st.integers(-(10**20), 10**20), site=st.text(max_size=40), here=st.booleans(),
                 shown=st.booleans())  # fmt: skip
KNOWN = st.builds(
    Known,
    campaign=st.none() | CAMPAIGNS,
    seen=st.none() | SEEN,
    person_count=FEW,
    total=st.builds(Amount, FEW, FEW),
    part=st.none() | st.builds(Part, left=st.builds(Amount, FEW, FEW)),
    home=st.none() | st.builds(Home, site=st.text(max_size=40), here=st.booleans()),
    card_holder=FEW,
)
NOWS = st.builds(Now, wall_ms=st.integers(0, 2000), trusted=st.booleans(), error_ms=FEW)
SPENDS = st.none() | st.integers(0, 10**12)


def aligned(known: Known, coupon: Coupon) -> Known:
    """The same rows with the coupon's own campaign among them: otherwise most verdicts are 'unknown'."""
    if known.campaign is None:
        return known
    return msgspec.structs.replace(known, campaign=msgspec.structs.replace(known.campaign, id=coupon.campaign))


@given(COUPONS, KNOWN, SITES, SPENDS, NOWS)
@settings(max_examples=400)
def test_K5_a_yes_means_that_every_rule_of_the_campaign_holds(
    coupon: Coupon, rows: Known, site: str, spend_yen: int | None, now: Now
) -> None:
    known = aligned(rows, coupon)
    verdict = judge(coupon, known, site=site, spend_yen=spend_yen, now=now)
    if verdict.reason is not Reason.OK:
        assert verdict.accepted == (verdict.reason is Reason.OK_AGAIN)
        assert verdict.accepted == (known.seen is not None and known.seen.here and not known.seen.shown)
        return
    campaign = known.campaign
    assert campaign is not None
    assert not campaign.stopped
    assert coupon.key != 0 or (campaign.policy is Policy.OPEN and campaign.jan)
    assert not campaign.serials or (coupon.serial != 0 and known.seen is None)
    assert campaign.starts_ms is None or campaign.starts_ms <= now.wall_ms
    assert campaign.ends_ms is None or now.wall_ms < campaign.ends_ms
    assert coupon.expires_s == 0 or now.wall_ms < coupon.expires_s * 1000
    assert not campaign.shops or site in campaign.shops
    assert campaign.per_person is None or (coupon.holder != 0 and known.person_count < campaign.per_person)
    assert campaign.cap is None or known.total.count < campaign.cap
    assert known.part is None or not known.part.limits.count or known.part.left.count >= 1
    assert known.home is None or known.home.here
    assert campaign.min_spend_yen == 0 or (spend_yen is not None and spend_yen >= campaign.min_spend_yen)
    assert (verdict.discount_yen is None) == (spend_yen is None)
    if verdict.discount_yen is not None and spend_yen is not None:
        assert 0 <= verdict.discount_yen <= spend_yen
    if verdict.clock_doubted:
        assert campaign.clock_rule is ClockRule.ACCEPT
    dated = not (campaign.starts_ms is None and campaign.ends_ms is None and coupon.expires_s == 0)
    assert verdict.clock_doubted or now.trusted or not dated


@given(COUPONS, KNOWN, SITES, SPENDS, NOWS, st.integers(-3000, 3000))
@settings(max_examples=200)
def test_K5_every_verdict_fits_the_display_in_both_languages(
    coupon: Coupon, rows: Known, site: str, spend_yen: int | None, now: Now, tz_offset_min: int
) -> None:
    verdict = judge(coupon, aligned(rows, coupon), site=site, spend_yen=spend_yen, now=now)
    for words in (sentence(verdict, "ja", tz_offset_min), sentence(verdict, "en", tz_offset_min)):
        assert 0 < cells(words.headline) <= HEADLINE_CELLS
        lines = words.detail.split("\n")
        assert 0 < len(lines) <= LINES_MAX
        assert all(0 < cells(line) <= LINE_CELLS for line in lines)
