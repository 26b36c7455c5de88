"""What is on offer in the world, and what else people hold before a camera.

A campaign of every policy and kind; codes of the trade that stand for some of them; and everything that is no coupon:
other people's codes, torn and misprinted ones, the posters beside the till.
"""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple

from loyalty.barcode.check_rules import Check
from loyalty.barcode.instore import BarcodeSettings, CodeRule, Means, Symbol
from loyalty.basket import Basket, Line
from loyalty.campaign import Campaign, ClockRule, ConflictRule, Kind, Policy
from simulator.world.clock import BEGIN_MS

HOUR_MS: Final = 3_600_000
PROGRAMME: Final = 1
CAPPED, BUDGET, LAST_ONE, HOME, SIGNED, JAN, ONLINE, BY_PERSON = 1, 2, 3, 4, 5, 6, 7, 8
MOVING, NUMBERED, PAPER, CARD, DATED, STORE, BORNE, FAMILY = 9, 10, 11, 12, 13, 14, 15, 16


def campaigns(sites: list[str]) -> list[Campaign]:
    """One of each kind. The first of `sites` issues those that count in one shop alone."""
    own = sites[0]
    return [
        Campaign(
            id=CAPPED, name="先着30名様", kind=Kind.AMOUNT, policy=Policy.LEASE, provider=own, amount_yen=100, cap=30
        ),
        Campaign(
            id=BUDGET,
            name="総額2000円",
            kind=Kind.AMOUNT,
            policy=Policy.LEASE,
            provider=own,
            amount_yen=100,
            serials=False,
            budget_yen=2_000,
        ),
        Campaign(
            id=LAST_ONE,
            name="一名様",
            kind=Kind.GIFT,
            policy=Policy.LEASE,
            provider=own,
            gift="皿",
            cap=1,
            value_yen=900,
        ),
        Campaign(id=HOME, name="発行店", kind=Kind.GIFT, policy=Policy.HOME, provider=own, gift="珈琲"),
        Campaign(
            id=SIGNED,
            name="共通券",
            kind=Kind.PERCENT,
            policy=Policy.SIGNED,
            provider=own,
            percent=10,
            exposure_limit=4,
            conflict=ConflictRule.ISSUER,
        ),
        Campaign(
            id=JAN,
            name="のぼり",
            kind=Kind.AMOUNT,
            policy=Policy.OPEN,
            provider=own,
            amount_yen=30,
            serials=False,
            jan="4912345678904",
        ),
        Campaign(id=ONLINE, name="抽選", kind=Kind.AMOUNT, policy=Policy.ONLINE, provider=own, amount_yen=500, cap=8),
        Campaign(
            id=BY_PERSON,
            name="お一人様二枚",
            kind=Kind.AMOUNT,
            policy=Policy.ONLINE,
            provider=own,
            amount_yen=50,
            serials=False,
            per_person=2,
        ),
        Campaign(
            id=MOVING,
            name="会員証",
            kind=Kind.TICKET,
            policy=Policy.SIGNED,
            provider=own,
            gift="入場",
            serials=True,
            moving=True,
        ),
        Campaign(
            id=NUMBERED,
            name="紙の券",
            kind=Kind.AMOUNT,
            policy=Policy.LEASE,
            provider=own,
            amount_yen=500,
            cap=12,
            trade="gcn:4912345678904",
            value_in_code=True,
        ),
        Campaign(
            id=PAPER,
            name="アメリカの券",
            kind=Kind.AMOUNT,
            policy=Policy.OPEN,
            provider=own,
            amount_yen=900,
            serials=False,
            trade="offer:0614141:654321",
            value_in_code=True,
        ),
        Campaign(
            id=CARD,
            name="会員限定",
            kind=Kind.AMOUNT,
            policy=Policy.SIGNED,
            provider=own,
            amount_yen=200,
            needs_card=True,
            conflict=ConflictRule.CLAIM,
        ),
        Campaign(
            id=DATED,
            name="朝市",
            kind=Kind.AMOUNT,
            policy=Policy.SIGNED,
            provider=own,
            amount_yen=80,
            starts_ms=BEGIN_MS + HOUR_MS // 20,
            ends_ms=BEGIN_MS + 40 * HOUR_MS,
            clock_rule=ClockRule.REFUSE,
            min_spend_yen=300,
            days_after_download=1,
        ),
        Campaign(
            id=STORE,
            name="店の券",
            kind=Kind.AMOUNT,
            policy=Policy.OPEN,
            provider=own,
            amount_yen=400,
            serials=False,
            trade="store:99123456",
            value_in_code=True,
            shops=(own,),
        ),
        Campaign(
            id=BORNE,
            name="二重可",
            kind=Kind.AMOUNT,
            policy=Policy.SIGNED,
            provider=own,
            amount_yen=150,
            exposure_limit=1,
            exposure_limit_yen=300,
            conflict=ConflictRule.SHOP,
        ),
        Campaign(
            id=FAMILY,
            name="割合の予算",
            kind=Kind.PERCENT,
            policy=Policy.LEASE,
            provider=own,
            percent=20,
            serials=False,
            budget_yen=3_000,
            per_person=3,
        ),
    ]


DOWNLOADED: Final = (CAPPED, BUDGET, LAST_ONE, HOME, SIGNED, ONLINE, BY_PERSON, MOVING, CARD, DATED, BORNE, FAMILY)
NEED_PERSON: Final = frozenset({BY_PERSON, CARD, FAMILY})

BARCODES: Final = BarcodeSettings(
    rules=(
        CodeRule(means=Means.PRICED, pattern="02iiiiikyyyyc"),
        CodeRule(means=Means.ITEM, pattern="20iiiiiiiiiic"),
        CodeRule(means=Means.COUPON, pattern="99iiiiiiyyyyc"),
        CodeRule(means=Means.MEMBER, pattern="AmmmmmmmmcA", symbol=Symbol.CODABAR, check=Check.DR7),
        CodeRule(means=Means.MEMBER, pattern="mmmmmmmmmc", symbol=Symbol.ITF, check=Check.LUHN),
    ),
    retailers=("0614141",),
)


class Code(NamedTuple):
    """What a symbol says, and which symbol it is."""

    text: bytes
    format: str


TRADE: Final = (
    Code(b"4912345678904", "ean13"),
    Code(b"96385074", "ean8"),
    Code(b"012345678905", "upca"),
    Code(b"2554912345678904", "gs1_128"),
    Code(b"2554912345678904000123\x1d172801313900500", "databar_expanded"),
    Code(b"2554912345678904000124\x1d3900200", "databar_expanded"),
    Code(b"255491234567890477\x1d3940010", "databar_expanded"),
    Code(b"2554912345678904000125\x1d3941012\x1d81110010", "gs1_128"),
    Code(b"8110106141416543213500110000310123196000", "databar_expanded"),
    Code(b"8110106141416543213500120234111201109211012093261231426010161061414190001", "databar_expanded"),
    Code(b"81101061414165432135001202341112011093261231426010191011", "databar_expanded"),
    Code(b"81120106141416543219000123456789012", "gs1_datamatrix"),
    Code(b"01049123456789041726123110LOT-4711\x1d21A0001", "gs1_qr"),
    Code(b"(255)4912345678904000126(17)280131(3900)500", "qr"),
    Code(b"https://shop.example/a/255/4912345678904000127?17=280131&3900=300#x", "qr"),
    Code(b"https://id.gs1.org/01/04912345678904/10/A%2FB/21/X?17=280200", "qr"),
    Code(b"8018491234567890123451\x1d80191", "gs1_128"),
    Code(b"0212345712986", "ean13"),
    Code(b"2012345678903", "ean13"),
    Code(b"9912345605004", "ean13"),
    Code(b"A123456782A", "codabar"),
    Code(b"1234567897", "itf"),
)

OTHERS: Final = (
    Code(b"", "qr"),
    Code(b"https://www.example.com/2026/11/25/a-page", "qr"),
    Code(b"WIFI:S:guest;T:WPA;P:12345678;;", "qr"),
    Code(b"BEGIN:VCARD", "qr"),
    Code(bytes(range(256)), "qr"),
    Code(b"12345", "code128"),
    Code("クーポン".encode(), "qr"),
    Code(b"x" * 5_000, "qr"),
    Code(b"2554912345678905", "gs1_128"),
    Code(b"https://a/255/491234567890", "qr"),
    Code(b"TK1:", "qr"),
    Code(b"TK9:" + b"0" * 128, "qr"),
)


def odd(rng: Random, known: list[Code]) -> Code:
    """A code as it is, or with something done to it: cut off, a character changed, another symbol."""
    code = rng.choice(known)
    luck, text = rng.random(), bytearray(code.text)
    if luck < 0.4 or not text:
        return code
    if luck < 0.6:
        return Code(bytes(text[: rng.randrange(len(text))]), code.format)
    if luck < 0.8:
        text[rng.randrange(len(text))] = rng.choice(b"0123456789ABC()\x1d/?&%=")
        return Code(bytes(text), code.format)
    return Code(code.text, rng.choice(("qr", "gs1_128", "ean13", "", "gs1_qr")))


GTINS: Final = ("00614141000036", "00614141999996", "04912345678904")


def basket(rng: Random) -> tuple[int, Basket | None]:
    """What lies in a till's basket: its total, and its lines where the till tells them."""
    if rng.random() < 0.4:
        return rng.randrange(1, 3_000), None
    lines = tuple(
        Line(
            gtin=rng.choice(GTINS),
            yen=rng.randrange(10, 900),
            quantity=rng.randrange(1, 5),
            grams=rng.choice((0, 250, 1_200)),
            family=rng.choice(("", "100", "123")),
        )
        for _ in range(rng.randrange(1, 5))
    )
    return sum(line.yen for line in lines), Basket(lines)
