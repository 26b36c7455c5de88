"""What operators type that can't be: campaigns that contradict themselves, and rules for codes that fit no code.

Each must be refused when it is entered, with words; a draft that is accepted ends the world (`extras`).
"""

from __future__ import annotations

from random import Random
from typing import Any, Final

import msgspec

from loyalty.barcode.check_rules import Check
from loyalty.barcode.instore import Means, Symbol
from loyalty.campaign import Campaign, Kind, Policy
from simulator.world.clock import BEGIN_MS

NUMBER: Final = 900  # of no campaign of the catalogue
SOUND: Final = Campaign(
    id=NUMBER, name="下書き", kind=Kind.AMOUNT, policy=Policy.LEASE, provider="ginza", amount_yen=100, cap=10
)

_OPEN: Final = {"policy": Policy.OPEN, "cap": None, "serials": False}
_TRADE: Final = {"trade": "gcn:4912345678904"}

DRAFTS: Final[tuple[dict[str, Any], ...]] = (
    {"id": 0xFFFF_FFFF + 1},
    {"name": ""},
    {"name": "長" * 61},
    {"name": " two  spaces "},
    {"amount_yen": 0},
    {"kind": Kind.GIFT, "gift": "皿"},
    {"percent": 10},
    {"kind": Kind.PERCENT, "amount_yen": 0, "percent": 101},
    {"kind": Kind.GIFT, "amount_yen": 0},
    {"gift": "皿"},
    {"value_yen": 100},
    {"starts_ms": BEGIN_MS, "ends_ms": BEGIN_MS},
    {"download_ends_ms": BEGIN_MS + 1, "ends_ms": BEGIN_MS},
    {"first_number": 1, "serials": False},
    {"first_number": 999_999_999_999, "stock": 5},
    _OPEN | {"serials": True},
    _OPEN | {"per_person": 1},
    _OPEN | {"strong_auth": True},
    {"policy": Policy.SIGNED},
    {"kind": Kind.GIFT, "amount_yen": 0, "gift": "皿", "budget_yen": 1_000},
    {"budget_yen": 99},
    {"policy": Policy.SIGNED, "cap": None, "serials": False},
    {"policy": Policy.HOME, "cap": None, "serials": False},
    {"cap": None},
    {"exposure_limit": 3},
    _OPEN | {"jan": "12345"},
    _OPEN | {"jan": "4912345678905"},
    {"jan": "4912345678904"},
    _OPEN | {"jan": "4912345678904", "days_after_download": 3},
    {"value_in_code": True},
    _OPEN | _TRADE | {"kind": Kind.GIFT, "amount_yen": 0, "gift": "皿", "value_in_code": True},
    _OPEN | _TRADE | {"jan": "4912345678904"},
    {"trade": "sku:17"},
    {"trade": "gcn:4912345678905"},
    _TRADE | {"policy": Policy.SIGNED, "cap": None},
    _TRADE | {"policy": Policy.ONLINE, "cap": None},
    _TRADE | {"per_person": 2},
    _TRADE | {"days_after_download": 2},
    _TRADE | {"stock": 30},
    _TRADE | {"needs_card": True},
    _OPEN | {"moving": True},
    {"shops": tuple(f"shop-{number}" for number in range(201))},
    {"shops": ("ginza", "ginza")},
    {"shops": ("Ginza 4-chome",)},
)
"""What each changes of `SOUND`, and why that can't be."""

RULES: Final[tuple[dict[str, Any], ...]] = (
    {"means": Means.COUPON, "pattern": ""},
    {"means": Means.COUPON, "pattern": "99iiiiiixyyyc"},
    {"means": Means.PRICED, "pattern": "02iiiiiiiiiic"},
    {"means": Means.MEMBER, "pattern": "mmmmyyyy", "symbol": Symbol.CODE39},
    {"means": Means.ITEM, "pattern": "20iiiiiiiiicc"},
    {"means": Means.PRICED, "pattern": "02iiiiiikyyyc"},
    {"means": Means.MEMBER, "pattern": "mmmmmmmm", "symbol": Symbol.ITF, "check": Check.LUHN},
    {"means": Means.ITEM, "pattern": "20iiiiiiiic"},
)
"""Rules of `instore.CodeRule` that can't be."""


def campaign(rng: Random) -> Campaign:
    """A draft that must be refused."""
    return msgspec.structs.replace(SOUND, **rng.choice(DRAFTS))


def rule(rng: Random) -> dict[str, Any]:
    """A rule that must be refused, as a settings file has it."""
    return rng.choice(RULES)
