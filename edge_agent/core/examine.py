"""From a reading to its verdict, and from a verdict to its fact; the same for a unit and for `tokuten scan`. Pure."""

from __future__ import annotations

from edge_agent.core.visit import Moment, Row, Want
from loyalty import keys
from loyalty.barcode import Jan, NotACoupon, Own
from loyalty.coupon import Coupon, Now, Verdict, cost, judge, of_jan
from loyalty.reason import Reason
from wire.facts import Redeemed


def examine(
    reading: Own | Jan | NotACoupon, confirmed: bool, row: Row, *, site: str, spend_yen: int | None, now: Now
) -> Verdict:
    """The verdict about what was read; the same for a unit and for `tokuten scan`."""
    if isinstance(reading, NotACoupon):
        return Verdict(reason=reading.reason)
    if isinstance(reading, Jan):
        coupon = of_jan(reading.code, row.known.campaign)
        if not coupon.campaign:  # a product's code, not a coupon's
            return Verdict(reason=Reason.NOT_A_COUPON)
        if not confirmed:
            return Verdict(reason=Reason.UNCONFIRMED, campaign=row.known.campaign)
    else:
        coupon = reading.coupon
        trouble = keys.check(reading, row.key, now)
        if trouble is not None:
            return Verdict(reason=trouble)
    return judge(coupon, row.known, site=site, spend_yen=spend_yen, now=now)


def redeemed(
    verdict: Verdict, coupon: Coupon, *, question: bytes, site: str, spend_yen: int | None, at: Moment
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
        cost_yen=cost(campaign, spend_yen).yen if campaign.budget_yen is not None else 0,
    )


def wants(reading: Own | Jan | NotACoupon) -> tuple[Want, ...]:
    """The rows that a verdict about this reading needs: one, or none where there is nothing to look up."""
    if isinstance(reading, Own):
        return (Want(coupon=reading.coupon),)
    return (Want(jan=reading.code),) if isinstance(reading, Jan) else ()
