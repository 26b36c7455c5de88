"""A campaign: what a provider issued, and the rules under which its coupons count (K1, K8, K9).

A `Campaign` travels in the change feed and lies in every cache, so it is a plain value. `problems` lists
everything that is wrong with one, in words for the person who issues it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

CAMPAIGN_ID_MAX: Final = 2**32 - 1
NAME_CHARS_MAX: Final = 60
SHOPS_MAX: Final = 200
DAY_MS: Final = 86_400_000


class Kind(StrEnum):
    """What the shopper gets (K1)."""

    AMOUNT = "amount"  # so many yen off
    PERCENT = "percent"  # so many per cent off
    GIFT = "gift"  # a present
    TICKET = "ticket"  # a seat, a ride, an entry


class Policy(StrEnum):
    """What a unit may decide without the centre (DESIGN, 'What may be decided alone')."""

    ONLINE = "online"
    HOME = "home"
    LEASE = "lease"
    SIGNED = "signed"
    OPEN = "open"


class ClockRule(StrEnum):
    """What a date rule does while the unit's clock can't be trusted (DESIGN, 'Clocks')."""

    ACCEPT = "accept"  # go by the clock as it is and flag the fact
    REFUSE = "refuse"


class Campaign(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One coupon as it was issued. Times are milliseconds since 1970, UTC; money is whole yen."""

    id: int  # 1 .. 2**32-1
    name: str  # as the shopper reads it
    kind: Kind
    policy: Policy
    provider: str  # the shop that issues it
    amount_yen: int = 0  # kind 'amount'
    percent: int = 0  # kind 'percent', 1..100
    gift: str = ""  # kinds 'gift' and 'ticket': what is handed over
    serials: bool = True  # each coupon has a serial number that counts once (K6); False: K8
    starts_ms: int | None = None
    ends_ms: int | None = None  # first instant at which it no longer counts
    download_ends_ms: int | None = None  # first instant at which it can no longer be downloaded (K1)
    days_after_download: int | None = None  # validity once downloaded (K1); written into the coupon's text
    stock: int | None = None  # how many can be downloaded in all; None: unlimited (K1)
    cap: int | None = None  # how many count in all; needs a policy that can hold it
    per_person: int | None = None  # how many count for each holder
    shops: tuple[str, ...] = ()  # sites where it counts; empty: everywhere (K9)
    min_spend_yen: int = 0
    jan: str = ""  # an EAN/JAN code that stands for this coupon, 8 or 13 digits; policy 'open' only
    first_number: int | None = None  # the first 'identification number' people see (figure 2 of document K)
    strong_auth: bool = False  # a ticket: the download needs a password (K3)
    stopped: bool = False
    clock_rule: ClockRule = ClockRule.ACCEPT
    revision: int = 1  # counts up with each change
