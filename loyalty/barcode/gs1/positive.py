"""AI 8112, the serialised coupon of a positive offer file: who pays, which offer, which copy.

What it saves and what must be bought stand in the offer file, here in the campaign. Source: GS1 AI (8112) Coupon Data
Specification; GS1's linter 'couponposoffer'. Raises Gs1Error.
"""

from __future__ import annotations

import msgspec

from loyalty.barcode.gs1.body import Body
from loyalty.barcode.gs1.elements import Element


class PositiveCoupon(msgspec.Struct, frozen=True, kw_only=True):
    """What the body of an 8112 says."""

    format: int  # 0 or 1
    funder: str  # 6 to 12 digits
    offer: str  # 6 digits
    serial: str  # 6 to 15 digits


def decode(element: Element) -> PositiveCoupon:
    """The coupon in the value of an 8112."""
    body = Body(element)
    format = int(body.choice("01", "the format"))
    funder = body.counted("0123456", 6, "the funder")
    offer = body.take(6, "the offer code")
    serial = body.counted("0123456789", 6, "the serial number")
    body.end()
    return PositiveCoupon(format=format, funder=funder, offer=offer, serial=serial)
