"""The verdict: does this coupon count, here, now, for this person? (K5, K6)

`judge` is the one place that decides, for units, for the centre and for `tokuten scan`. It is given the
coupon that was read, the rows that are known about it, and the time; it gives a `Verdict`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from loyalty.basket import Basket, Missing, missing, saved_yen
from loyalty.campaign import DAY_MS, Campaign, ClockRule, Kind, Policy
from loyalty.lease import NOTHING, Amount, Limits, Part
from loyalty.reason import ACCEPTING, Reason
from loyalty.terms import NO_TERMS, Save, Terms, Unit

EXPIRES_S_MAX: Final = 2**32 - 1  # 32 bits in the text: until the year 2106

HOME_BITS: Final = 16  # of a serial under policy 'home': the number of its home site, in front
HOME_SHIFT: Final = 64 - HOME_BITS
USUAL_COST_YEN: Final = 500  # of a percentage, before any basket was seen
CENTRE_HOME: Final = 0  # the number that stands for the centre itself


UNSIGNED: Final = frozenset({Policy.OPEN, Policy.LEASE, Policy.ONLINE})
"""The policies under which codes of the trade may count: anybody can print them, so their number must not matter, or
a cap must hold it (`loyalty.campaign.problems`)."""

STRANGER: Final = -1
"""`Known.card_holder` for a card that nobody here knows."""

_VALUES: Final = {
    Kind.AMOUNT: frozenset({Save.AMOUNT, Save.ITEM, Save.ITEMS, Save.TOTAL}),
    Kind.PERCENT: frozenset({Save.PERCENT}),
}
"""What a code may say that it saves, by the kind of a campaign that leaves it to the code."""


class Coupon(msgspec.Struct, frozen=True, kw_only=True):
    """A coupon as read from a barcode, its signature already checked where it has one."""

    campaign: int
    serial: int = 0  # 64 random bits; 0: the campaign has no serials (K8)
    holder: int = 0  # 48 random bits, the pseudonym of the person; 0: whoever carries it
    expires_s: int = 0  # Unix seconds; 0: the campaign's own dates alone
    key: int = 0  # which key signed it; 0: unsigned (JAN, codes of the trade)
    starts_s: int = 0  # Unix seconds; 0: the campaign's own dates alone. In codes of the trade only
    terms: Terms = NO_TERMS  # what a code of the trade says about itself
    phone: bytes = b""  # a moving code: the public key of the phone that shows it
    step: int = 0  # a moving code: the time step that it showed; 0: it stands still

    def is_same(self, other: Coupon) -> bool:
        """Whether it is the same coupon, at whatever step it was shown."""
        return self == other or (
            self.step > 0 and other.step > 0 and self == msgspec.structs.replace(other, step=self.step)
        )


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
    card_holder: int = 0  # pseudonym of the card in the slot; 0: none; STRANGER: nobody's that is known here
    last_step: int = 0  # the newest step of this phone that counted here, for moving codes without serials
    retailers: frozenset[str] = frozenset()  # GS1 numbers under which this shop is known
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
    missing: Missing | None = None  # what the basket lacks of the goods that a code of the trade asks for
    clock_doubted: bool = False  # accepted by a clock that can't be trusted: the fact is flagged
    cost_yen: int = 0  # what it counts for in a budget
    leased: Amount | None = None  # what it takes of this unit's part of the limits

    @property
    def accepted(self) -> bool:
        return self.reason in ACCEPTING

    @property
    def worth(self) -> Campaign | None:
        """The campaign with what this very coupon gives (`worth`)."""
        return None if self.campaign is None else worth(self.campaign, self.coupon)


def may_be_unsigned(campaign: Campaign) -> bool:
    """Whether this campaign counts codes that anybody can print: a JAN is open, a code of the trade open or capped."""
    if campaign.jan:
        return campaign.policy is Policy.OPEN
    return campaign.trade != "" and campaign.policy in UNSIGNED


def of_code(code: str, campaign: Campaign | None, serial: int = 0) -> Coupon:
    """The coupon that an unsigned code stands for, to be judged; `campaign` is the row found by it, if there is one.

    `code` is a JAN, or the key of a code of the trade. It stands for nothing but a campaign that names it and may
    count what anybody can print. Otherwise the coupon is of campaign 0, which there is not, and the verdict is
    UNKNOWN_CAMPAIGN.
    """
    if campaign is not None and may_be_unsigned(campaign) and campaign.found_by == code != "":
        return Coupon(campaign=campaign.id, serial=serial if campaign.serials else 0)
    return Coupon(campaign=0)


def expires_s(campaign: Campaign, downloaded_ms: int) -> int:
    """`Coupon.expires_s` for a download at that time (K1, 'validity once downloaded'); 0 if the campaign sets none.

    Whole days of 24 hours, rounded up to a second. The campaign's own end is not written into the text: `judge` takes
    the earlier of the two, so an issuer can still move it.
    """
    if campaign.days_after_download is None:
        return 0
    return min(-(-(downloaded_ms + campaign.days_after_download * DAY_MS) // 1000), EXPIRES_S_MAX)


def worth(campaign: Campaign, coupon: Coupon | None) -> Campaign:
    """The campaign with what this very coupon gives, where the code says how much and the campaign lets it."""
    if not campaign.value_in_code or coupon is None or coupon.terms.save not in (Save.AMOUNT, Save.TOTAL, Save.PERCENT):
        return campaign
    terms = coupon.terms
    if campaign.kind is Kind.PERCENT:
        percent = min(campaign.percent, terms.value // 10**terms.decimals)
        exact = percent * 10**terms.decimals == terms.value or percent == campaign.percent
        return msgspec.structs.replace(campaign, percent=percent, value_in_code=False) if exact else campaign
    amount_yen = min(campaign.amount_yen, terms.value_yen)
    return msgspec.structs.replace(campaign, amount_yen=amount_yen, value_in_code=False)


def discount_yen(campaign: Campaign, spend_yen: int, coupon: Coupon | None = None, basket: Basket | None = None) -> int:
    """What the coupon takes off a basket of `spend_yen`: 0 to `spend_yen`.

    A percentage is rounded down to whole yen. A gift and a ticket take nothing off. Where the code says how much
    (`Campaign.value_in_code`), the campaign's own amount or percentage is the most that it may take.
    """
    if spend_yen <= 0:
        return 0
    if campaign.value_in_code and coupon is not None and campaign.kind in _VALUES:
        named_yen = saved_yen(coupon.terms, basket, spend_yen)
        most_yen = discount_yen(msgspec.structs.replace(campaign, value_in_code=False), spend_yen)
        return max(0, min(named_yen, most_yen))
    if campaign.kind is Kind.AMOUNT:
        return max(0, min(campaign.amount_yen, spend_yen))
    if campaign.kind is Kind.PERCENT:
        return max(0, min(spend_yen * campaign.percent // 100, spend_yen))
    return 0


def limits(campaign: Campaign) -> Limits:
    """Which quantities of the campaign are limited."""
    return Limits(count=campaign.cap is not None, yen=campaign.budget_yen is not None)


def cost(
    campaign: Campaign, spend_yen: int | None, coupon: Coupon | None = None, basket: Basket | None = None
) -> Amount:
    """What one use takes of the campaign's limits; without a basket, an amount counts in full.

    Where the code says how much, and no code is given, the most that it may say counts.
    """
    if spend_yen is None:
        return Amount(1, campaign.amount_yen if campaign.kind is Kind.AMOUNT else 0)
    return Amount(1, discount_yen(campaign, spend_yen, coupon, basket))


def unit_yen(campaign: Campaign) -> int:
    """What one use costs of the budget, as far as can be said without a basket; 0: the budget is not limited."""
    if campaign.budget_yen is None:
        return 0
    return campaign.amount_yen if campaign.kind is Kind.AMOUNT else min(USUAL_COST_YEN, campaign.budget_yen)


def home_number(serial: int) -> int:
    """The home that a serial was given out with; it may have moved since."""
    return serial >> HOME_SHIFT


def judge(
    coupon: Coupon, known: Known, *, site: str, spend_yen: int | None, now: Now, basket: Basket | None = None
) -> Verdict:
    """The verdict on a believed coupon at `site`, with a basket of `spend_yen` open (None: no basket).

    `basket`: what lies in it, where the till tells.

    The first of these that applies is the answer. What can never change comes first, what the shopper can still
    do something about comes last:

     1. OK_AGAIN            this unit said yes before a power cut and never showed it; whatever holds now, that is
                            decided. The discount is in the fact, not here: the basket may be another one
     2. UNKNOWN_CAMPAIGN    no campaign of that number
     3. NOT_GENUINE         unsigned, and the campaign is not one that counts what anybody can print
        NOT_DOWNLOADED      without the serial, holder or time step that each coupon of this campaign has
        MISPRINTED          the code should say what it is worth, and says nothing, or what this campaign can't give
     4. USED                the serial counted before
     5. STOPPED, REVOKED    by the issuer; this coupon alone, or all of its holder's (the stop list)
     6. NOT_YET, EXPIRED    the campaign's dates, and the coupon's own where those are narrower
        CLOCK_UNTRUSTED     ... where the clock can't tell and the campaign says refuse
     7. WRONG_SHOP          it counts elsewhere
     8. WRONG_HOLDER        the card in the slot is somebody else's
     9. PERSON_LIMIT        the holder has used it as often as allowed
    10. CAP_REACHED         nothing is left of the cap or the budget
    11. NEEDS_CARD          it counts with the holder's card in the slot, and none is
    12. NEEDS_BASKET, MIN_SPEND
    13. NEEDS_STAFF         the code asks for something that a person must look at
        NEEDS_GOODS         the basket lacks the goods that the code asks for
    14. NO_PART             something may be left, but not in this unit's part (policy lease)
        NOT_HOME            only the serial's home may decide, and that is not here (policy home)
    15. OK

    The unit asks the centre on top of an OK under policy `online`, and in place of NO_PART and NOT_HOME where it can.
    """
    campaign, seen = known.campaign, known.seen
    if seen is not None and seen.here and not seen.shown:
        return Verdict(reason=Reason.OK_AGAIN, campaign=campaign, coupon=coupon, at_ms=seen.at_ms, site=seen.site)
    if campaign is None or campaign.id != coupon.campaign:
        return Verdict(reason=Reason.UNKNOWN_CAMPAIGN, coupon=coupon)
    if coupon.key == 0 and not may_be_unsigned(campaign):
        return Verdict(reason=Reason.NOT_GENUINE, campaign=campaign, coupon=coupon)
    if _lacks_what_each_has(campaign, coupon):
        return Verdict(reason=Reason.NOT_DOWNLOADED, campaign=campaign, coupon=coupon)
    if campaign.value_in_code and coupon.terms.save not in _VALUES.get(campaign.kind, ()):
        return Verdict(reason=Reason.MISPRINTED, campaign=campaign, coupon=coupon)
    if campaign.serials and seen is not None:
        return Verdict(reason=Reason.USED, campaign=campaign, coupon=coupon, at_ms=seen.at_ms, site=seen.site)
    if campaign.stopped:
        return Verdict(reason=Reason.STOPPED, campaign=campaign, coupon=coupon)
    if known.revoked:
        return Verdict(reason=Reason.REVOKED, campaign=campaign, coupon=coupon)

    reason, at_ms, doubted = _by_date(campaign, coupon, now)
    if reason is not None:
        return Verdict(reason=reason, campaign=campaign, coupon=coupon, at_ms=at_ms)

    retailer = coupon.terms.retailer
    if (campaign.shops and site not in campaign.shops) or (retailer and retailer not in known.retailers):
        return Verdict(reason=Reason.WRONG_SHOP, campaign=campaign, coupon=coupon)
    card_holder = known.card_holder
    if card_holder == STRANGER and not campaign.needs_card:
        card_holder = 0  # some other card, which nobody asked for
    if coupon.holder and card_holder and coupon.holder != card_holder:
        return Verdict(reason=Reason.WRONG_HOLDER, campaign=campaign, coupon=coupon)
    if campaign.per_person is not None and known.person_count + known.basket_count >= campaign.per_person:
        return Verdict(reason=Reason.PERSON_LIMIT, campaign=campaign, coupon=coupon)
    costs = cost(campaign, spend_yen, coupon, basket)
    if not _left(campaign, known.total, costs):
        return Verdict(reason=Reason.CAP_REACHED, campaign=campaign, coupon=coupon)
    if campaign.needs_card and not card_holder:
        return Verdict(reason=Reason.NEEDS_CARD, campaign=campaign, coupon=coupon)

    minimum = campaign.min_spend_yen
    if minimum > 0 and spend_yen is None:
        return Verdict(reason=Reason.NEEDS_BASKET, campaign=campaign, coupon=coupon, needed_yen=minimum)
    if spend_yen is not None and spend_yen < minimum:
        return Verdict(reason=Reason.MIN_SPEND, campaign=campaign, coupon=coupon, needed_yen=minimum - spend_yen)
    if coupon.terms.purchases:
        refusal = _by_goods(campaign, coupon, spend_yen, basket)
        if refusal is not None:
            return refusal
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
        discount_yen=None if spend_yen is None else discount_yen(campaign, spend_yen, coupon, basket),
        clock_doubted=doubted,
        cost_yen=costs.yen,
        leased=costs if known.part is not None else None,
    )


def _left(campaign: Campaign, total: Amount, costs: Amount) -> bool:
    """Whether the cap and the budget, as far as they are limited, still have room for one more use."""
    return (campaign.cap is None or total.count + costs.count <= campaign.cap) and (
        campaign.budget_yen is None or total.yen + costs.yen <= campaign.budget_yen
    )


def _lacks_what_each_has(campaign: Campaign, coupon: Coupon) -> bool:
    """Whether the code is without something that every coupon of this campaign has."""
    holder = campaign.per_person is not None or campaign.needs_card
    return (
        (campaign.serials and coupon.serial == 0)
        or (holder and coupon.holder == 0)
        or (campaign.moving and coupon.step == 0)
    )


def _by_goods(campaign: Campaign, coupon: Coupon, spend_yen: int | None, basket: Basket | None) -> Verdict | None:
    """The refusal that the purchases in a code lead to, if they do."""
    terms = coupon.terms
    only_total = all(purchase.unit is Unit.TOTAL for purchase in terms.purchases)
    if any(purchase.unit is Unit.CLERK for purchase in terms.purchases):
        return Verdict(reason=Reason.NEEDS_STAFF, campaign=campaign, coupon=coupon)
    if spend_yen is None or (basket is None and not only_total):
        return Verdict(reason=Reason.NEEDS_BASKET, campaign=campaign, coupon=coupon)
    lack = missing(terms, basket or Basket(), spend_yen)
    if lack is None:
        return None
    if lack.purchase.unit is Unit.TOTAL:
        return Verdict(reason=Reason.MIN_SPEND, campaign=campaign, coupon=coupon, needed_yen=lack.value)
    return Verdict(reason=Reason.NEEDS_GOODS, campaign=campaign, coupon=coupon, missing=lack)


def _by_date(campaign: Campaign, coupon: Coupon, now: Now) -> tuple[Reason | None, int | None, bool]:
    """(the reason to refuse, the instant it speaks of, whether the clock left it open).

    A trusted clock is right within its error: a date outside that is certain. A date inside it, and any date while
    the clock is not trusted, is in doubt; then the campaign's clock rule says whether to refuse or to go by
    the clock as it reads and flag the fact. Without dates the clock does not matter.
    """
    starts_ms, ends_ms = campaign.starts_ms, campaign.ends_ms
    if coupon.starts_s and (starts_ms is None or coupon.starts_s * 1000 > starts_ms):
        starts_ms = coupon.starts_s * 1000
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
