"""The verdict: does this coupon count, here, now, for this person? (K5, K6)

`judge` is the one place that decides, for units, for the centre and for `tokuten scan`. It is given the
coupon that was read, the rows that are known about it, and the time; it gives a `Verdict`.
"""

from __future__ import annotations

import msgspec

from loyalty.campaign import Campaign
from loyalty.reason import ACCEPTING, Reason


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


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The rows about a coupon: cache and the unit's own unsent facts together."""

    campaign: Campaign | None = None
    seen: Seen | None = None
    person_count: int = 0  # redemptions of this campaign by this holder
    total_count: int = 0  # redemptions of this campaign that are known here
    card_holder: int = 0  # pseudonym of the card in the slot; 0: none


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

    @property
    def accepted(self) -> bool:
        return self.reason in ACCEPTING
