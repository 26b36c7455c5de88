"""A campaign: what a provider issued, and the rules under which its coupons count (K1, K8, K9).

A `Campaign` travels in the change feed and lies in every cache, so it is a plain value. `problems` lists
everything that is wrong with one, in words for the person who issues it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, Literal

import msgspec

from loyalty import check_digit
from loyalty.cells import printable

Lang = Literal["ja", "en"]

CAMPAIGN_ID_MAX: Final = 2**32 - 1
NAME_CHARS_MAX: Final = 60  # of the name, the provider and the gift
SHOPS_MAX: Final = 200
SHOP_ID: Final = re.compile(r"[a-z0-9_-]{1,32}")  # the rule of `wire.topics` for a site
YEN_MAX: Final = 99_999_999  # of an amount and of a minimum spend
COUNT_MAX: Final = 1_000_000_000  # of the stock, the cap and an exposure
BUDGET_YEN_MAX: Final = 10**15
EXPOSURE_YEN_MAX: Final = 1_000_000_000_000
PER_PERSON_MAX: Final = 9_999
NUMBER_MAX: Final = 999_999_999_999  # of an identification number
DAYS_MAX: Final = 3_650
DAY_MS: Final = 86_400_000
TIME_MS_MAX: Final = (2**32 - 1) * 1000  # the last instant that a coupon's text can name, in 2106
JAN_LENGTHS: Final = (8, 13)
TRADE_KEYS: Final = {
    "gcn": re.compile(r"[0-9]{13}"),
    "gtin": re.compile(r"[0-9]{14}"),
    "offer": re.compile(r"[0-9]{6,12}:[0-9]{6}"),
    "store": re.compile(r"[0-9A-Z$:/.+-]{1,32}"),
}
"""What may follow each kind of key of a code of the trade (`loyalty.barcode.trade`)."""


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


HOLDING: Final = frozenset({Policy.ONLINE, Policy.LEASE})
"""The policies under which a cap and a budget hold in sum, whoever is cut off from whom."""


class ClockRule(StrEnum):
    """What a date rule does while the unit's clock can't be trusted (DESIGN, 'Clocks')."""

    ACCEPT = "accept"  # go by the clock as it is and flag the fact
    REFUSE = "refuse"


class ConflictRule(StrEnum):
    """Who pays where two facts can't both be right, or a use came that nobody should have been given (K6)."""

    OPERATOR = "operator"  # a person decides
    ISSUER = "issuer"  # both are honoured, the issuer pays
    SHOP = "shop"  # the shop that gave the second one pays
    CLAIM = "claim"  # it is claimed back from the person


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
    budget_yen: int | None = None  # how much all uses together may take off; held like the cap
    per_person: int | None = None  # how many count for each holder
    shops: tuple[str, ...] = ()  # sites where it counts; empty: everywhere (K9)
    min_spend_yen: int = 0
    jan: str = ""  # an EAN/JAN code that stands for this coupon, 8 or 13 digits; policy 'open' only
    trade: str = ""  # the key of a code of the trade that stands for it: 'gcn:4912345678904', 'offer:0614141:654321'
    value_in_code: bool = False  # a code of the trade says how much; amount_yen or percent is the most it may say
    needs_card: bool = False  # counts with the holder's card in the slot only
    moving: bool = False  # its codes carry a time step that the phone signs, against screenshots
    first_number: int | None = None  # the first 'identification number' people see (figure 2 of document K)
    strong_auth: bool = False  # a ticket: the download needs a password (K3)
    stopped: bool = False
    clock_rule: ClockRule = ClockRule.ACCEPT
    revision: int = 1  # counts up with each change
    conflict: ConflictRule = ConflictRule.OPERATOR
    value_yen: int = 0  # kinds 'gift' and 'ticket': what one use costs whoever pays for it; 0: not known
    exposure_limit: int | None = None  # policy 'signed': so many doubled uses are borne; past it, 'online'
    exposure_limit_yen: int | None = None  # the same in yen

    @property
    def found_by(self) -> str:
        """The unsigned code that stands for it: its JAN, or the key of a code of the trade; empty: none does."""
        return self.jan or self.trade


def benefit(campaign: Campaign, lang: Lang) -> str:
    """What the shopper gets, in a few words: '100円引き', '100 yen off'."""
    words = _BENEFIT[lang][campaign.kind].format(
        amount=f"{campaign.amount_yen:,}", percent=campaign.percent, gift=campaign.gift or campaign.name
    )
    return _AT_MOST[lang] + words if campaign.value_in_code else words


_AT_MOST: Final[dict[Lang, str]] = {"ja": "最大", "en": "Up to "}


_BENEFIT: Final[dict[Lang, dict[Kind, str]]] = {
    "ja": {
        Kind.AMOUNT: "{amount}円引き",
        Kind.PERCENT: "{percent}%引き",
        Kind.GIFT: "{gift}プレゼント",
        Kind.TICKET: "{gift}",
    },
    "en": {
        Kind.AMOUNT: "{amount} yen off",
        Kind.PERCENT: "{percent}% off",
        Kind.GIFT: "Gift: {gift}",
        Kind.TICKET: "Ticket: {gift}",
    },
}


def problems(campaign: Campaign) -> list[str]:
    """Everything that is impossible or contradicts itself, a sentence each, the field first. Empty: it can be issued.

    A campaign without problems can be kept by every unit under its policy, and every number in it fits the
    texts, messages and displays that will show it.
    """
    return [
        *_naming(campaign),
        *_giving(campaign),
        *_dates(campaign),
        *_counts(campaign),
        *_policy(campaign),
        *_exposure(campaign),
        *_jan(campaign),
        *_trade(campaign),
        *_holding(campaign),
        *_shops(campaign),
    ]


def _between(field: str, value: int | None, low: int, high: int) -> Iterator[str]:
    if value is not None and not low <= value <= high:
        yield f"{field}: {value:,} is not between {low:,} and {high:,}."


def _words(field: str, value: str) -> Iterator[str]:
    if not value:
        yield f"{field}: it is empty."
    elif len(value) > NAME_CHARS_MAX:
        yield f"{field}: it has {len(value)} characters, at most {NAME_CHARS_MAX} are shown."
    elif value != printable(value):
        yield f"{field}: it has invisible characters, stray spaces, or letters that are not composed (NFC)."


def _naming(campaign: Campaign) -> Iterator[str]:
    yield from _between("id", campaign.id, 1, CAMPAIGN_ID_MAX)
    yield from _between("revision", campaign.revision, 1, 2**32 - 1)
    yield from _words("name", campaign.name)
    yield from _words("provider", campaign.provider)


def _giving(campaign: Campaign) -> Iterator[str]:
    kind = campaign.kind
    if kind is Kind.AMOUNT:
        yield from _between("amount_yen", campaign.amount_yen, 1, YEN_MAX)
    elif campaign.amount_yen:
        yield f"amount_yen: a coupon of kind '{kind}' takes no amount off."
    if kind is Kind.PERCENT:
        yield from _between("percent", campaign.percent, 1, 100)
    elif campaign.percent:
        yield f"percent: a coupon of kind '{kind}' takes no percentage off."
    if kind in (Kind.GIFT, Kind.TICKET):
        yield from _words("gift", campaign.gift)
    elif campaign.gift:
        yield f"gift: a coupon of kind '{kind}' hands nothing over."
    yield from _between("min_spend_yen", campaign.min_spend_yen, 0, YEN_MAX)
    yield from _between("value_yen", campaign.value_yen, 0, YEN_MAX)
    if campaign.value_yen and kind not in (Kind.GIFT, Kind.TICKET):
        yield f"value_yen: what a coupon of kind '{kind}' costs is what it takes off."


def _dates(campaign: Campaign) -> Iterator[str]:
    starts_ms, ends_ms, download_ends_ms = campaign.starts_ms, campaign.ends_ms, campaign.download_ends_ms
    yield from _between("starts_ms", starts_ms, 0, TIME_MS_MAX)
    yield from _between("ends_ms", ends_ms, 1, TIME_MS_MAX)
    yield from _between("download_ends_ms", download_ends_ms, 1, TIME_MS_MAX)
    yield from _between("days_after_download", campaign.days_after_download, 1, DAYS_MAX)
    if starts_ms is not None and ends_ms is not None and starts_ms >= ends_ms:
        yield "ends_ms: it ends before it starts, or at the same instant, so it would never count."
    if download_ends_ms is not None and ends_ms is not None and download_ends_ms > ends_ms:
        yield "download_ends_ms: it could still be downloaded after it has ended."


def _counts(campaign: Campaign) -> Iterator[str]:
    yield from _between("stock", campaign.stock, 1, COUNT_MAX)
    yield from _between("cap", campaign.cap, 1, COUNT_MAX)
    yield from _between("budget_yen", campaign.budget_yen, 1, BUDGET_YEN_MAX)
    yield from _between("per_person", campaign.per_person, 1, PER_PERSON_MAX)
    first = campaign.first_number
    if first is None:
        return
    yield from _between("first_number", first, 1, NUMBER_MAX)
    if not campaign.serials:
        yield "first_number: coupons without serial numbers have no numbers to show."
    if campaign.stock is not None and first <= NUMBER_MAX < first + campaign.stock - 1:
        yield f"first_number: the last of {campaign.stock:,} numbers would be above {NUMBER_MAX:,}."


def _policy(campaign: Campaign) -> Iterator[str]:
    policy = campaign.policy
    if policy is Policy.OPEN:
        if campaign.serials:
            yield "serials: an open coupon counts each time, so it can have no serial that counts once."
        if campaign.per_person is not None:
            yield "per_person: an open coupon does not say who holds it, so nobody's uses can be counted."
        if campaign.strong_auth:
            yield "strong_auth: an open coupon can be copied by anyone, so a password at the download protects nothing."
    for field, limit in (("cap", campaign.cap), ("budget_yen", campaign.budget_yen)):
        if limit is not None and policy not in HOLDING:
            yield f"{field}: units under policy '{policy}' decide alone and can't hold it; use online or lease."
    if campaign.budget_yen is not None and campaign.kind not in (Kind.AMOUNT, Kind.PERCENT):
        yield f"budget_yen: a coupon of kind '{campaign.kind}' takes no yen off."
    if campaign.kind is Kind.AMOUNT and 0 < (campaign.budget_yen or 0) < campaign.amount_yen:
        yield "budget_yen: it is less than one use takes off, so the coupon would never count."
    if policy is Policy.SIGNED and not campaign.serials and campaign.per_person is None and not campaign.moving:
        yield "policy: signed coupons with neither serials nor a limit per person count each time: that is 'open'."
    if policy is Policy.HOME and not campaign.serials:
        yield "serials: under policy 'home' each serial has its home site, so there must be serials."
    if policy is Policy.LEASE and campaign.cap is None and campaign.budget_yen is None:
        yield "cap: under policy 'lease' the cap or the budget is what is leased, so there must be one."


def _exposure(campaign: Campaign) -> Iterator[str]:
    yield from _between("exposure_limit", campaign.exposure_limit, 0, COUNT_MAX)
    yield from _between("exposure_limit_yen", campaign.exposure_limit_yen, 0, EXPOSURE_YEN_MAX)
    for field, value in (
        ("exposure_limit", campaign.exposure_limit),
        ("exposure_limit_yen", campaign.exposure_limit_yen),
    ):
        if value is not None and campaign.policy is not Policy.SIGNED:
            yield f"{field}: under policy '{campaign.policy}' no unit gives a coupon twice alone; 'signed' has a limit."


def _jan(campaign: Campaign) -> Iterator[str]:
    jan = campaign.jan
    if not jan:
        return
    if len(jan) not in JAN_LENGTHS or not (jan.isascii() and jan.isdigit()):
        yield "jan: it must be 8 or 13 digits (a UPC-A code with a 0 in front)."
    elif not check_digit.fits(jan):
        yield f"jan: the last digit of {jan} should be {check_digit.check_digit(jan[:-1])}."
    if campaign.policy is not Policy.OPEN:
        yield "jan: anybody can print a JAN, so it can stand for coupons of policy 'open' only."
    if campaign.serials:
        yield "jan: a JAN is the same on every coupon and carries no serial number."
    if campaign.days_after_download is not None:
        yield "days_after_download: a JAN can't say when it was downloaded."


def _trade(campaign: Campaign) -> Iterator[str]:
    key = campaign.trade
    if campaign.value_in_code and not key:
        yield "value_in_code: only a code of the trade says what it is worth."
    if campaign.value_in_code and campaign.kind not in (Kind.AMOUNT, Kind.PERCENT):
        yield f"value_in_code: a coupon of kind '{campaign.kind}' is worth no amount."
    if not key:
        return
    if campaign.jan:
        yield "trade: a JAN stands for it already; a campaign is found by one code."
    kind, _, rest = key.partition(":")
    shape = TRADE_KEYS.get(kind)
    if shape is None or not shape.fullmatch(rest):
        yield (
            "trade: it must be gcn:<13 digits>, gtin:<14 digits>, offer:<company prefix>:<6 digits> or store:<number>."
        )
    elif kind in ("gcn", "gtin") and not check_digit.fits(rest):
        yield f"trade: the last digit of {rest} should be {check_digit.check_digit(rest[:-1])}."
    if campaign.policy not in (Policy.OPEN, Policy.LEASE, Policy.ONLINE):
        yield "trade: anybody can print such a code, so the policy must be open, lease or online."
    if campaign.serials and campaign.cap is None:
        yield "cap: anybody can print another serial, so serials of the trade hold nothing unless there is a cap."
    if campaign.per_person is not None:
        yield "per_person: a code of the trade does not say who holds it."
    if campaign.days_after_download is not None:
        yield "days_after_download: a code of the trade is printed, not downloaded."
    if campaign.stock is not None:
        yield "stock: a code of the trade is printed, not downloaded; use cap."


def _holding(campaign: Campaign) -> Iterator[str]:
    """Codes that belong to a person or to a phone."""
    for field, wanted in (("needs_card", campaign.needs_card), ("moving", campaign.moving)):
        if not wanted:
            continue
        if campaign.found_by:
            yield f"{field}: a printed code is the same for everybody."
        elif campaign.policy is Policy.OPEN:
            yield f"{field}: an open coupon may be used by anybody who has a copy."


def _shops(campaign: Campaign) -> Iterator[str]:
    if len(campaign.shops) > SHOPS_MAX:
        yield f"shops: {len(campaign.shops)} shops, at most {SHOPS_MAX} fit; leave it empty for everywhere."
    if len(set(campaign.shops)) < len(campaign.shops):
        yield "shops: a shop is named twice."
    for shop in campaign.shops:
        if not SHOP_ID.fullmatch(shop):
            yield f"shops: {shop[:40]!r} is no site; its id has 1 to 32 of the characters a-z, 0-9, _ and -."
            return
