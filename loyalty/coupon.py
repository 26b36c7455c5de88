"""The verdict: does this coupon count, here, now, for this person? (K5, K6)

`judge` is the one place that decides, for units, for the centre and for `tokuten scan`. It is given the
coupon that was read, the rows that are known about it, and the time; it gives a `Verdict`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from loyalty.campaign import DAY_MS, Campaign, ClockRule, Kind, Policy
from loyalty.lease import NOTHING, Amount, Limits, Part
from loyalty.reason import ACCEPTING, Reason

EXPIRES_S_MAX: Final = 2**32 - 1  # 32 bits in the text: until the year 2106

HOME_BITS: Final = 16  # of a serial under policy 'home': the number of its home site, in front
HOME_SHIFT: Final = 64 - HOME_BITS
USUAL_COST_YEN: Final = 500  # of a percentage, before any basket was seen
CENTRE_HOME: Final = 0  # the number that stands for the centre itself


class Coupon(msgspec.Struct, frozen=True, kw_only=True):
    """A coupon as read from a barcode, its signature already checked where it has one."""

    campaign: int
    serial: int = 0  # 64 random bits; 0: the campaign has no serials (K8)
    holder: int = 0  # 48 random bits, the pseudonym of the person; 0: whoever carries it
    expires_s: int = 0  # Unix seconds; 0: the campaign's own dates alone
    key: int = 0  # which key signed it; 0: unsigned (JAN)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an earlier redemption of the same serial."""

    at_ms: int
    site: str = ""
    here: bool = False  # decided by this unit
    shown: bool = True  # False: decided by this unit and never shown (promise 1)
    fact: int = 0  # its number in this unit's journal, where `here`


class Left(msgspec.Struct, frozen=True):
    """A serial that left its home: for which question, and for which unit ('': for the centre)."""

    question: bytes
    device: str


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """Where a serial under policy `home` may be decided."""

    number: int = CENTRE_HOME  # of the site
    site: str = ""  # as people call it; empty: the centre, or a site that is not known here
    keeper: str = ""  # the lane that decides there
    here: bool = False  # this unit is that lane, and the serial has not left
    left: Left | None = None  # it was here, and left


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The rows about a coupon: cache and the unit's own unsent facts together.

    `part` and `home` are None where somebody else has said yes (a question that was granted), and at the centre,
    which judges by the whole limit.
    """

    campaign: Campaign | None = None
    seen: Seen | None = None
    person_count: int = 0  # redemptions of this campaign by this holder
    basket_count: int = 0  # coupons of this campaign and holder that are in the basket and not yet paid
    total: Amount = NOTHING  # of the campaign's limits, what is used up or promised
    part: Part | None = None  # policy lease: what this unit may spend alone
    home: Home | None = None  # policy home: where the serial may be decided
    card_holder: int = 0  # pseudonym of the card in the slot; 0: none
    revoked: bool = False  # the stop list has this serial or this holder


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """The time as the unit has it."""

    wall_ms: int
    trusted: bool = True
    error_ms: int = 0  # the bound of its error, where trusted


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The answer, with all that its sentence needs."""

    reason: Reason
    campaign: Campaign | None = None
    coupon: Coupon | None = None
    discount_yen: int | None = None  # where a basket is open
    at_ms: int | None = None  # the instant that the reason speaks of: used at, expired at, starts at
    site: str = ""  # where it was used
    needed_yen: int = 0  # what is missing to the minimum spend
    clock_doubted: bool = False  # accepted by a clock that can't be trusted: the fact is flagged
    leased: Amount | None = None  # what it takes of this unit's part of the limits

    @property
    def accepted(self) -> bool:
        return self.reason in ACCEPTING


def of_jan(code: str, campaign: Campaign | None) -> Coupon:
    """The coupon that a JAN stands for, to be judged; `campaign` is the row found by that code, if there is one.

    Anybody can print a JAN, so it stands for nothing but an open campaign that names it. Otherwise the coupon is
    of campaign 0, which there is not, and the verdict is UNKNOWN_CAMPAIGN.
    """
    if campaign is not None and campaign.policy is Policy.OPEN and campaign.jan == code != "":
        return Coupon(campaign=campaign.id)
    return Coupon(campaign=0)


def expires_s(campaign: Campaign, downloaded_ms: int) -> int:
    """`Coupon.expires_s` for a download at that time (K1, 'validity once downloaded'); 0 if the campaign sets none.

    Whole days of 24 hours, rounded up to a second. The campaign's own end is not written into the text: `judge` takes
    the earlier of the two, so an issuer can still move it.
    """
    if campaign.days_after_download is None:
        return 0
    return min(-(-(downloaded_ms + campaign.days_after_download * DAY_MS) // 1000), EXPIRES_S_MAX)


def discount_yen(campaign: Campaign, spend_yen: int) -> int:
    """What the coupon takes off a basket of `spend_yen`: 0 to `spend_yen`.

    A percentage is rounded down to whole yen. A gift and a ticket take nothing off.
    """
    if spend_yen <= 0:
        return 0
    if campaign.kind is Kind.AMOUNT:
        return max(0, min(campaign.amount_yen, spend_yen))
    if campaign.kind is Kind.PERCENT:
        return max(0, min(spend_yen * campaign.percent // 100, spend_yen))
    return 0


def limits(campaign: Campaign) -> Limits:
    """Which quantities of the campaign are limited."""
    return Limits(count=campaign.cap is not None, yen=campaign.budget_yen is not None)


def cost(campaign: Campaign, spend_yen: int | None) -> Amount:
    """What one use takes of the campaign's limits; without a basket, an amount counts in full."""
    if spend_yen is None:
        return Amount(1, campaign.amount_yen if campaign.kind is Kind.AMOUNT else 0)
    return Amount(1, discount_yen(campaign, spend_yen))


def unit_yen(campaign: Campaign) -> int:
    """What one use costs of the budget, as far as can be said without a basket; 0: the budget is not limited."""
    if campaign.budget_yen is None:
        return 0
    return campaign.amount_yen if campaign.kind is Kind.AMOUNT else min(USUAL_COST_YEN, campaign.budget_yen)


def home_number(serial: int) -> int:
    """The home that a serial was given out with; it may have moved since."""
    return serial >> HOME_SHIFT


def judge(coupon: Coupon, known: Known, *, site: str, spend_yen: int | None, now: Now) -> Verdict:
    """The verdict on a believed coupon at `site`, with a basket of `spend_yen` open (None: no basket).

    The first of these that applies is the answer. What can never change comes first, what the shopper can still
    do something about comes last:

     1. OK_AGAIN            this unit said yes before a power cut and never showed it; whatever holds now, that is
                            decided. The discount is in the fact, not here: the basket may be another one
     2. UNKNOWN_CAMPAIGN    no campaign of that number
     3. NOT_GENUINE         unsigned, and not the JAN of an open campaign
        NOT_DOWNLOADED      signed, but without the serial or holder that each download of this campaign has
     4. USED                the serial counted before
     5. STOPPED, REVOKED    by the issuer; this coupon alone, or all of its holder's (the stop list)
     6. NOT_YET, EXPIRED    the campaign's dates, and the coupon's own end where that is earlier
        CLOCK_UNTRUSTED     ... where the clock can't tell and the campaign says refuse
     7. WRONG_SHOP          it counts elsewhere
     8. WRONG_HOLDER        the card in the slot is somebody else's
     9. PERSON_LIMIT        the holder has used it as often as allowed
    10. CAP_REACHED         nothing is left of the cap or the budget
    11. NEEDS_BASKET, MIN_SPEND
    12. NO_PART             something may be left, but not in this unit's part (policy lease)
        NOT_HOME            only the serial's home may decide, and that is not here (policy home)
    13. OK

    The unit asks the centre on top of an OK under policy `online`, and in place of NO_PART and NOT_HOME where it can.
    """
    campaign, seen = known.campaign, known.seen
    if seen is not None and seen.here and not seen.shown:
        return Verdict(reason=Reason.OK_AGAIN, campaign=campaign, coupon=coupon, at_ms=seen.at_ms, site=seen.site)
    if campaign is None or campaign.id != coupon.campaign:
        return Verdict(reason=Reason.UNKNOWN_CAMPAIGN, coupon=coupon)
    if coupon.key == 0 and not (campaign.policy is Policy.OPEN and campaign.jan):
        return Verdict(reason=Reason.NOT_GENUINE, campaign=campaign, coupon=coupon)
    if (campaign.serials and coupon.serial == 0) or (campaign.per_person is not None and coupon.holder == 0):
        return Verdict(reason=Reason.NOT_DOWNLOADED, campaign=campaign, coupon=coupon)
    if campaign.serials and seen is not None:
        return Verdict(reason=Reason.USED, campaign=campaign, coupon=coupon, at_ms=seen.at_ms, site=seen.site)
    if campaign.stopped:
        return Verdict(reason=Reason.STOPPED, campaign=campaign, coupon=coupon)
    if known.revoked:
        return Verdict(reason=Reason.REVOKED, campaign=campaign, coupon=coupon)

    reason, at_ms, doubted = _by_date(campaign, coupon, now)
    if reason is not None:
        return Verdict(reason=reason, campaign=campaign, coupon=coupon, at_ms=at_ms)

    if campaign.shops and site not in campaign.shops:
        return Verdict(reason=Reason.WRONG_SHOP, campaign=campaign, coupon=coupon)
    if coupon.holder and known.card_holder and coupon.holder != known.card_holder:
        return Verdict(reason=Reason.WRONG_HOLDER, campaign=campaign, coupon=coupon)
    if campaign.per_person is not None and known.person_count + known.basket_count >= campaign.per_person:
        return Verdict(reason=Reason.PERSON_LIMIT, campaign=campaign, coupon=coupon)
    costs = cost(campaign, spend_yen)
    if not _left(campaign, known.total, costs):
        return Verdict(reason=Reason.CAP_REACHED, campaign=campaign, coupon=coupon)

    minimum = campaign.min_spend_yen
    if minimum > 0 and spend_yen is None:
        return Verdict(reason=Reason.NEEDS_BASKET, campaign=campaign, coupon=coupon, needed_yen=minimum)
    if spend_yen is not None and spend_yen < minimum:
        return Verdict(reason=Reason.MIN_SPEND, campaign=campaign, coupon=coupon, needed_yen=minimum - spend_yen)
    if campaign.budget_yen is not None and campaign.kind is Kind.PERCENT and spend_yen is None:
        return Verdict(reason=Reason.NEEDS_BASKET, campaign=campaign, coupon=coupon)  # what it costs is not known
    if known.part is not None and not known.part.covers(costs, now.wall_ms):
        return Verdict(reason=Reason.NO_PART, campaign=campaign, coupon=coupon)
    if known.home is not None and not known.home.here:
        return Verdict(reason=Reason.NOT_HOME, campaign=campaign, coupon=coupon, site=known.home.site)
    return Verdict(
        reason=Reason.OK,
        campaign=campaign,
        coupon=coupon,
        discount_yen=None if spend_yen is None else discount_yen(campaign, spend_yen),
        clock_doubted=doubted,
        leased=costs if known.part is not None else None,
    )


def _left(campaign: Campaign, total: Amount, costs: Amount) -> bool:
    """Whether the cap and the budget, as far as they are limited, still have room for one more use."""
    return (campaign.cap is None or total.count + costs.count <= campaign.cap) and (
        campaign.budget_yen is None or total.yen + costs.yen <= campaign.budget_yen
    )


def _by_date(campaign: Campaign, coupon: Coupon, now: Now) -> tuple[Reason | None, int | None, bool]:
    """(the reason to refuse, the instant it speaks of, whether the clock left it open).

    A trusted clock is right within its error: a date outside that is certain. A date inside it, and any date while
    the clock is not trusted, is in doubt; then the campaign's clock rule says whether to refuse or to go by
    the clock as it reads and flag the fact. Without dates the clock does not matter.
    """
    starts_ms, ends_ms = campaign.starts_ms, campaign.ends_ms
    if coupon.expires_s and (ends_ms is None or coupon.expires_s * 1000 < ends_ms):
        ends_ms = coupon.expires_s * 1000
    if starts_ms is None and ends_ms is None:
        return None, None, False

    wall_ms = now.wall_ms
    if now.trusted:
        earliest_ms, latest_ms = wall_ms - now.error_ms, wall_ms + now.error_ms
        if ends_ms is not None and earliest_ms >= ends_ms:
            return Reason.EXPIRED, ends_ms, False
        if starts_ms is not None and latest_ms < starts_ms:
            return Reason.NOT_YET, starts_ms, False
        doubted = (starts_ms is not None and earliest_ms < starts_ms) or (ends_ms is not None and latest_ms >= ends_ms)
    else:
        doubted = True
    if doubted:
        if campaign.clock_rule is ClockRule.REFUSE:
            return Reason.CLOCK_UNTRUSTED, None, True
        if ends_ms is not None and wall_ms >= ends_ms:
            return Reason.EXPIRED, ends_ms, True
        if starts_ms is not None and wall_ms < starts_ms:
            return Reason.NOT_YET, starts_ms, True
    return None, None, doubted
