"""What the text of a barcode can turn out to be. `loyalty.barcode.read` gives one of these, always."""

from __future__ import annotations

import msgspec

from loyalty.barcode.gs1.faults import Trouble
from loyalty.coupon import Coupon
from loyalty.reason import Reason
from loyalty.terms import NO_TERMS, Terms


class Own(msgspec.Struct, frozen=True):
    """A well-formed code of ours. Nothing in it may be believed before `loyalty.keys.check` has passed it."""

    coupon: Coupon
    body: bytes  # what is signed: 24 bytes, or 56 with a phone's key
    signature: bytes  # 64 bytes, Ed25519
    step_signature: bytes = b""  # 64 bytes: the phone's, over the time step; empty: a code that stands still


class Jan(msgspec.Struct, frozen=True):
    """An EAN/JAN code whose check digit is right. Unsigned: anybody can print one."""

    code: str  # 8 or 13 digits; UPC-A with a 0 in front


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """A code of the trade that may stand for a coupon: GS1's, or one of a shop's own prefixes. Unsigned."""

    key: str  # what a campaign names it by (`Campaign.trade`): 'gcn:4912345678904', 'offer:0614141:654321' ...
    serial: str = ""  # as it stands in the code
    expires: str = ""  # its last day, YYMMDD
    starts: str = ""  # its first day
    terms: Terms = NO_TERMS
    elements: tuple[tuple[str, str], ...] = ()  # (AI, value), for people who want to know what it says

    @property
    def surely_a_coupon(self) -> bool:
        """False: the number of a product may be a coupon where a campaign names it, and is a product otherwise."""
        return not self.key.startswith("gtin:")


class Member(msgspec.Struct, frozen=True):
    """The number of a membership: GS1's 8018 or 8017, or a code of an older card."""

    number: str
    instance: str = ""  # 8019: which card of that member


class Priced(msgspec.Struct, frozen=True):
    """Goods of the shop's own numbering, with the price in the code."""

    item: str
    price_yen: int


class Item(msgspec.Struct, frozen=True):
    """Goods of the shop's own numbering."""

    item: str


class NotACoupon(msgspec.Struct, frozen=True):
    """None of them. `reason` is for the shopper, `detail` for the log: it never repeats what the code says."""

    reason: Reason  # NOT_A_COUPON, CHECK_DIGIT, INCOMPLETE, DAMAGED, MISPRINTED, UNKNOWN_VERSION
    detail: str
    trouble: Trouble | None = None  # of a GS1 message that breaks a rule: which, and where


Reading = Own | Jan | Trade | Member | Priced | Item | NotACoupon
