"""What the text of a barcode can turn out to be. `loyalty.barcode.read` gives one of these, always."""

from __future__ import annotations

import msgspec

from loyalty.coupon import Coupon
from loyalty.reason import Reason


class Own(msgspec.Struct, frozen=True):
    """A well-formed code of ours. Nothing in it may be believed before `loyalty.keys.check` has passed it."""

    coupon: Coupon
    body: bytes  # 24 bytes, what is signed
    signature: bytes  # 64 bytes, Ed25519


class Jan(msgspec.Struct, frozen=True):
    """An EAN/JAN code whose check digit is right. Unsigned: anybody can print one."""

    code: str  # 8 or 13 digits; UPC-A with a 0 in front


class NotACoupon(msgspec.Struct, frozen=True):
    """Neither. `reason` is for the shopper, `detail` for the log: it never repeats what the code says."""

    reason: Reason  # NOT_A_COUPON, CHECK_DIGIT, INCOMPLETE, DAMAGED, UNKNOWN_VERSION
    detail: str
