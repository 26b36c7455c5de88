"""From a reading to its verdict, and from a verdict to its fact; the same for a unit and for `tokuten scan`. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from edge_agent.core.visit import Moment, Row, Want
from loyalty import freshness, keys
from loyalty.barcode import Jan, NotACoupon, Own, Reading, Shop, Trade
from loyalty.barcode.trade import coupon_of, serial_number
from loyalty.basket import Basket
from loyalty.campaign import Campaign, ClockRule
from loyalty.coupon import Coupon, Known, Now, Verdict, judge, of_code
from loyalty.reason import Reason
from wire.facts import Redeemed


def examine(
    reading: Reading,
    confirmed: bool,
    row: Row,
    *,
    site: str,
    spend_yen: int | None,
    now: Now,
    basket: Basket | None = None,
    shop: Shop | None = None,
    shown_at: Now | None = None,
) -> Verdict:
    """The verdict about what was read; the same for a unit and for `tokuten scan`.

    `shown_at`: when it was held up, if that was not now; a moving code is held against that.
    """
    shop = shop or Shop()
    known = row.known
    if isinstance(reading, NotACoupon):
        return Verdict(reason=reading.reason)
    if isinstance(reading, Own):
        coupon = reading.coupon
        trouble = keys.check(reading, row.key, now)
        if trouble is not None:
            return Verdict(reason=trouble)
    elif isinstance(reading, Jan | Trade):
        found = coupon_in(reading, known.campaign, now, shop)
        if found is None:  # a product's code, not a coupon's; or a coupon of somebody else's
            surely = isinstance(reading, Trade) and reading.surely_a_coupon
            return Verdict(reason=Reason.UNKNOWN_CAMPAIGN if surely else Reason.NOT_A_COUPON)
        if not confirmed:
            return Verdict(reason=Reason.UNCONFIRMED, campaign=known.campaign)
        coupon = found
        if coupon.terms.retailer:
            known = msgspec.structs.replace(known, retailers=shop.retailers)
    else:  # a member's number, or goods
        return Verdict(reason=Reason.NOT_A_COUPON)
    verdict = judge(coupon, known, site=site, spend_yen=spend_yen, now=now, basket=basket)
    return _fresh(verdict, coupon, known, shown_at or now) if coupon.step else verdict


_MAY_COUNT: Final = frozenset({Reason.OK, Reason.NO_PART, Reason.NOT_HOME})
"""A yes of this unit, or of another that is asked."""


def _fresh(verdict: Verdict, coupon: Coupon, known: Known, shown_at: Now) -> Verdict:
    """The same verdict, unless it may be a yes, and the moving code was not on the screen just now."""
    if verdict.reason not in _MAY_COUNT:
        return verdict
    rule = ClockRule.REFUSE if known.campaign is None else known.campaign.clock_rule
    reason, doubted = freshness.judge(coupon.step, known.last_step, rule, shown_at)
    if reason is not None:
        return Verdict(reason=reason, campaign=verdict.campaign, coupon=coupon)
    return msgspec.structs.replace(verdict, clock_doubted=verdict.clock_doubted or doubted)


def coupon_in(reading: Reading, campaign: Campaign | None, now: Now, shop: Shop) -> Coupon | None:
    """The coupon that a reading stands for, not yet believed; `campaign` is the row that was found for it."""
    if isinstance(reading, Own):
        return reading.coupon
    if isinstance(reading, Jan):
        coupon = of_code(reading.code, campaign)
    elif isinstance(reading, Trade):
        coupon = coupon_of(reading, campaign, now.wall_ms, shop.utc_offset_min)
    else:
        return None
    return coupon if coupon.campaign else None


def redeemed(
    verdict: Verdict,
    coupon: Coupon,
    *,
    question: bytes,
    site: str,
    spend_yen: int | None,
    at: Moment,
    sale: bytes = b"",
) -> Redeemed:
    """The fact that this verdict becomes."""
    campaign = verdict.campaign
    assert campaign is not None, "a yes without its campaign"
    return Redeemed(
        at=at.stamp,
        campaign=campaign.id,
        serial=coupon.serial,
        holder=coupon.holder,
        revision=campaign.revision,
        policy=campaign.policy,
        site=site,
        spend_yen=spend_yen or 0,
        discount_yen=verdict.discount_yen or 0,
        key=coupon.key,
        question=question,
        clock_doubted=verdict.clock_doubted,
        leased=verdict.leased is not None,
        cost_yen=verdict.cost_yen if campaign.budget_yen is not None else 0,
        sale=sale,
    )


def wants(reading: Reading, card: bytes = b"", holder: int = 0) -> tuple[Want, ...]:
    """The rows that a verdict about this reading needs: one, or none where there is nothing to look up.

    `card` is in the slot; `holder`: for whom it speaks by its record.
    """
    if isinstance(reading, Own):
        return (Want(coupon=reading.coupon, card=card, holder=holder),)
    if isinstance(reading, Jan):
        return (Want(found_by=reading.code),)
    if isinstance(reading, Trade):
        return (Want(found_by=reading.key, serial=serial_number(reading.serial)),)
    return ()
