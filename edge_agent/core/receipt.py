"""What the till is told of its sale: how it stands, what each coupon takes off, tax by rate, points. Pure values.

The same shape is the receipt of a sale that is paid: it is kept with the facts, so that a till which did not see the
answer is told the same one again. Money is whole yen. Words are in both languages; whoever shows them chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256
from typing import Final

import msgspec

from loyalty import tax
from loyalty.basket import Line
from loyalty.campaign import Lang
from loyalty.cells import printable
from loyalty.coupon import Coupon, Verdict
from loyalty.reason import Reason, sentence, short_benefit
from loyalty.tax import Basis, Bill, Off, Part, Price, Rounding

ID_BYTES: Final = 16


class TillRules(msgspec.Struct, frozen=True, kw_only=True):
    """How this shop writes its receipts."""

    basis: Basis = Basis.GROSS  # PRICE: the shop is not liable for tax
    rounding: Rounding = Rounding.FLOOR
    utc_offset_min: int = 540


class SaleState(StrEnum):
    OPEN = "open"
    ASKING = "asking"  # the centre is asked about a coupon
    PAYING = "paying"  # the bank is asked, or the points are taken from the card
    PAID = "paid"
    CANCELLED = "cancelled"


class TillReason(StrEnum):
    """Why the till's wish is not done. What is wrong with a coupon or a payment is a `loyalty.reason.Reason`."""

    NOT_A_LANE = "not_a_lane"  # the unit is a kiosk: it has no basket
    OUT_OF_SERVICE = "out_of_service"  # money can't be stored
    BUSY = "busy"  # the step before is not done yet
    OTHER_SALE = "other_sale"  # another sale is open: one at a time
    UNKNOWN_SALE = "unknown_sale"  # not open here: open it (again), and show the coupons again
    SALE_OPEN = "sale_open"  # it can't be taken back: cancel it
    SALE_PAID = "sale_paid"
    SALE_CANCELLED = "sale_cancelled"
    BAD_LINES = "bad_lines"  # no purchase can be like that (loyalty.tax)
    PAYMENT_UNDER_WAY = "payment_under_way"
    NO_MEMBER = "no_member"  # points, and no member's card is in the slot
    NO_WORTH = "no_worth"  # points of that kind buy nothing here
    TOO_MANY_POINTS = "too_many_points"  # they are worth more than what is to be paid
    POINTS_AND_ACCOUNT = "points_and_account"  # one or the other
    NO_REVERSAL = "no_reversal"  # it can't be, or its id stands for another one
    REFUSED = "refused"  # the payment; its reason says why


class Words(msgspec.Struct, frozen=True):
    ja: str
    en: str


class CouponView(msgspec.Struct, frozen=True, kw_only=True):
    """A coupon in the sale, or one that was refused."""

    id: str  # 32 hexadecimal digits; empty: no coupon could be read
    campaign: int  # 0: not known
    name: str
    reason: Reason
    counts: bool  # it takes its discount off, or gives what it gives, as the sale is now
    discount_yen: int
    words: Words


class TaxView(msgspec.Struct, frozen=True, kw_only=True):
    """What the receipt says of one rate: net and tax are the gross, which is what is to be paid for it."""

    rate_bp: int
    net_yen: int
    tax_yen: int
    gross_yen: int
    discount_yen: int
    price_yen: int  # before


class PointsView(msgspec.Struct, frozen=True, kw_only=True):
    """Points of the member whose card is in the slot."""

    programme: int
    name: str
    spendable: int  # here, now, without the centre
    yen: int  # what `points` of them buy; 0: nothing
    points: int
    earns: int  # what this sale gives, or gave


class PaidView(msgspec.Struct, frozen=True, kw_only=True):
    """How it was paid."""

    payment: str  # 32 hexadecimal digits
    tender: str
    yen: int  # in that tender
    programme: int = 0
    points: int = 0
    points_yen: int = 0
    campaign: int = 0  # of the coupon that had been selected for the account; 0: none
    name: str = ""


class FailedView(msgspec.Struct, frozen=True, kw_only=True):
    """The last payment that came to nothing."""

    payment: str
    reason: Reason
    words: Words


class SaleView(msgspec.Struct, frozen=True, kw_only=True):
    """A sale."""

    sale: str  # 32 hexadecimal digits
    state: SaleState
    lines: tuple[Line, ...] = ()
    coupons: tuple[CouponView, ...] = ()
    last: CouponView | None = None  # what was said of the coupon that was read last
    price_yen: int = 0  # before discounts
    discount_yen: int = 0
    total_yen: int = 0  # after discounts, tax included
    tax: tuple[TaxView, ...] = ()
    member: bool = False  # a member's card is in the slot
    points: tuple[PointsView, ...] = ()
    paid: PaidView | None = None
    failed: FailedView | None = None


class TillAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Refused for a reason, or done; and how the sale stands."""

    refusal: TillReason | None = None
    sale: SaleView | None = None
    coupon: CouponView | None = None  # AddCoupon: what is said of it
    asked: str = ""  # AddCoupon: the centre is asked about the coupon of this id


def coupon_id(coupon: Coupon) -> bytes:
    """The name of a coupon within its sale, which tells nothing of what is in it."""
    still = msgspec.structs.replace(coupon, step=0)
    return sha256(b"tokuten coupon" + msgspec.msgpack.encode(still)).digest()[:ID_BYTES]


def bill(lines: Sequence[Line], discount_yen: int, rules: TillRules, points_yen: int = 0) -> Bill:
    """The sale after its discounts. Raises ValueError for one that can't be (`loyalty.tax.problems`)."""
    prices = [Price(line.rate_bp, line.yen) for line in lines]
    return tax.bill(prices, Off(yen=discount_yen), basis=rules.basis, rounding=rules.rounding, points_yen=points_yen)


def tax_views(parts: Sequence[Part]) -> tuple[TaxView, ...]:
    return tuple(
        TaxView(
            rate_bp=part.rate_bp,
            net_yen=part.net_yen,
            tax_yen=part.tax_yen,
            gross_yen=part.gross_yen,
            discount_yen=part.discount_yen,
            price_yen=part.price_yen,
        )
        for part in parts
    )


def words(verdict: Verdict, rules: TillRules) -> Words:
    """What the display says of it, in one line, without the coupon's name."""
    return Words(ja=_line(verdict, "ja", rules), en=_line(verdict, "en", rules))


def _line(verdict: Verdict, lang: Lang, rules: TillRules) -> str:
    """A line of the display goes on in the next one; what the coupon gives stands for itself."""
    said, worth = sentence(verdict, lang, rules.utc_offset_min), verdict.worth
    lines = said.detail.split("\n")
    gives = short_benefit(worth, lang) if worth is not None else ""
    if worth is not None and lines[0][:1] == printable(worth.name)[:1]:
        lines = lines[1:]
    stop, gap = ("。", "") if lang == "ja" else (". ", " ")
    detail = gap.join(line + stop.strip() if line == gives else line for line in lines)
    return f"{said.headline}{stop}{detail}"


def coupon_view(coupon: Coupon | None, verdict: Verdict, rules: TillRules, *, reserved: bool = False) -> CouponView:
    """`reserved`: it lies in the sale, and its verdict is the one that it would have if the sale were paid now."""
    coupon = coupon or verdict.coupon
    counts = verdict.reason is Reason.OK if reserved else verdict.accepted
    campaign = verdict.campaign
    said = msgspec.structs.replace(verdict, reason=Reason.RESERVED) if reserved and counts else verdict
    return CouponView(
        id=coupon_id(coupon).hex() if coupon is not None else "",
        campaign=campaign.id if campaign is not None else 0,
        name=campaign.name if campaign is not None else "",
        reason=said.reason,
        counts=counts,
        discount_yen=(verdict.discount_yen or 0) if counts else 0,
        words=words(said, rules),
    )
