"""GS1 messages as coupons, and coupons as a campaign makes them of codes of the trade.

    255  a coupon number (GCN)            key gcn:<13 digits>, the digits behind it are the serial
    8110, 8112  a North American coupon   key offer:<company prefix>:<offer code>
    01   a product that is a coupon       key gtin:<14 digits>, its serial is 21

Serials are numbers of 64 bits everywhere else (`serial_number`); dates are days where the shop is (`coupon_of`).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from loyalty.barcode.gs1 import dates, message
from loyalty.barcode.gs1.faults import Fault, Gs1Error
from loyalty.barcode.gs1.message import Message
from loyalty.barcode.kinds import Member, NotACoupon, Trade
from loyalty.campaign import Campaign
from loyalty.coupon import EXPIRES_S_MAX, Coupon, of_code
from loyalty.reason import Reason
from loyalty.terms import NO_TERMS, Save, Terms

GCN_DIGITS: Final = 13
DIGITS_AS_NUMBER_MAX: Final = 18  # so many digits behind a 1 stay below 2**63
_SHOPPERS: Final = {
    Fault.CHECK_DIGIT: Reason.CHECK_DIGIT,
    Fault.TOO_SHORT: Reason.INCOMPLETE,
    Fault.EMPTY: Reason.INCOMPLETE,
}
"""What a fault means to a shopper; everything else is a misprint, which the shop must be asked about."""


def read(text: bytes) -> Trade | Member | NotACoupon:
    """What a text that `message.looks_gs1` says."""
    try:
        found = message.read(text)
    except Gs1Error as error:
        trouble = error.trouble
        return NotACoupon(_SHOPPERS.get(trouble.fault, Reason.MISPRINTED), f"GS1: {trouble}", trouble)
    if found is None:
        return NotACoupon(Reason.NOT_A_COUPON, "a web address")
    return of_message(found)


def of_message(found: Message) -> Trade | Member | NotACoupon:
    """The coupon or the member in a message."""
    elements = tuple((element.ai, element.value) for element in found.elements)
    if paper := found.paper:
        return Trade(
            key=f"offer:{paper.company}:{paper.offer}",
            serial=paper.serial,
            expires=paper.expires,
            starts=paper.starts,
            terms=Terms(
                save=paper.save,
                value=paper.save_value,
                purchases=paper.purchases,
                rule=paper.rule,
                saves_on=paper.saves_on,
                retailer=paper.retailer,
                store_coupon=paper.store_coupon,
                dont_multiply=paper.dont_multiply,
            ),
            elements=elements,
        )
    if positive := found.positive:
        return Trade(key=f"offer:{positive.funder}:{positive.offer}", serial=positive.serial, elements=elements)
    if gcn := found.value("255"):
        number, serial = gcn[:GCN_DIGITS], gcn[GCN_DIGITS:]
        return Trade(
            key=f"gcn:{number}", serial=serial, expires=found.value("17"), terms=_value(found), elements=elements
        )
    if gtin := found.value("01"):
        return Trade(key=f"gtin:{gtin}", serial=found.value("21"), expires=found.value("17"), elements=elements)
    if member := found.value("8018") or found.value("8017"):
        return Member(member, found.value("8019"))
    named = " ".join(f"({ai})" for ai, _ in elements)
    return NotACoupon(Reason.NOT_A_COUPON, f"a GS1 message without a coupon: {named}")


def _value(found: Message) -> Terms:
    """What a coupon number's companions say it is worth: 390n, 394n, 8111."""
    points = int(found.value("8111") or 0)
    for family, save in (("390", Save.AMOUNT), ("394", Save.PERCENT)):
        element = found.found.get(family)
        if element is not None:
            return Terms(save=save, value=int(element.value), decimals=int(element.ai[3]), points=points)
    return Terms(points=points) if points else NO_TERMS


def serial_number(serial: str) -> int:
    """A serial as the number of 64 bits that the rest of the system knows; 0: none.

    Digits keep their zeros by the 1 before them. Longer ones, and those with letters, are hashed, with the highest
    bit set so that none is the same as that of digits.
    """
    if not serial:
        return 0
    if len(serial) <= DIGITS_AS_NUMBER_MAX and serial.isdigit():
        return int("1" + serial)
    return int.from_bytes(blake2b(serial.encode(), digest_size=8, person=b"serial").digest(), "big") | 1 << 63


def coupon_of(trade: Trade, campaign: Campaign | None, now_ms: int, utc_offset_min: int) -> Coupon:
    """The coupon that a code of the trade stands for; `campaign` is the row found by its key, if there is one.

    Its last day ends at midnight where the shop is, `utc_offset_min` minutes ahead of UTC.
    """
    coupon = of_code(trade.key, campaign, serial_number(trade.serial))
    if not coupon.campaign:
        return coupon
    return Coupon(
        campaign=coupon.campaign,
        serial=coupon.serial,
        starts_s=_seconds(dates.begins_ms(trade.starts, now_ms, utc_offset_min)) if trade.starts else 0,
        expires_s=_seconds(dates.ends_ms(trade.expires, now_ms, utc_offset_min)) if trade.expires else 0,
        terms=trade.terms,
    )


def _seconds(at_ms: int) -> int:
    """As a coupon holds it: never 0, which would mean that there is no date."""
    return max(1, min(at_ms // 1000, EXPIRES_S_MAX))
