"""Coupons that people cut out of papers: North American offers of every form, and coupon numbers worth a percentage.

Unlike codes of ours they are unsigned, say themselves what they are worth and what must be bought, and meet a basket
that holds it, holds too little, or is not told. All dates are about the world's beginning (`clock.BEGIN_MS`).
"""

from __future__ import annotations

from random import Random
from typing import Final

from loyalty.campaign import Campaign, Kind, Policy
from simulator.world.catalogue import Code

COMPANY: Final = "0614141"  # who pays for the offers; the shops are known under it too
OFFER: Final = "654321"  # of `catalogue.PAPER`: an amount
SHARE_OFFER: Final = "777777"
SHARE_NUMBER: Final = "4912345678911"
PAPER_SHARE, NUMBER_SHARE, ITEMS_BONUS = 17, 18, 19
FAMILIES: Final = ("000", "100", "120", "123", "900")
SYMBOLS: Final = ("databar_expanded", "gs1_128", "gs1_datamatrix")
VALUES: Final = {"0": (1, 6), "1": (50, 900), "2": (100, 2_000), "3": (20, 400), "4": (100, 2_000), "9": (1, 9)}
"""How much must be bought, by the digit of its unit: items, yen, yen in all, pounds, kilograms, ask a clerk."""


def campaigns(own: str) -> list[Campaign]:
    """Those that such codes stand for, beside the ones of the catalogue; `own` issues them."""
    return [
        Campaign(
            id=PAPER_SHARE, name="割引の切り抜き", kind=Kind.PERCENT, policy=Policy.OPEN, provider=own, percent=30,
            serials=False, trade=f"offer:{COMPANY}:{SHARE_OFFER}", value_in_code=True,
        ),
        Campaign(
            id=NUMBER_SHARE, name="割引の番号", kind=Kind.PERCENT, policy=Policy.OPEN, provider=own, percent=20,
            serials=False, trade=f"gcn:{SHARE_NUMBER}", value_in_code=True,
        ),
        Campaign(
            id=ITEMS_BONUS, name="長い名前の商品をお買い上げのお客様への粗品", kind=Kind.GIFT, policy=Policy.OPEN,
            provider=own, gift="店主が選んだ季節の果物の詰め合わせと絵葉書", serials=False, trade="gtin:04912345678904",
        ),
    ]  # fmt: skip


def cutting(rng: Random) -> Code:
    """One of them, as a camera reads it."""
    luck = rng.random()
    if luck < 0.12:
        digits, decimals = rng.choice((("10", 0), ("125", 1), ("99", 0), ("1234", 2)))
        return Code(f"255{SHARE_NUMBER}\x1d394{decimals}{digits}".encode(), "gs1_128")
    if luck < 0.18:
        return Code(b"0104912345678904", "gs1_qr")
    return Code(_offer(rng).encode(), rng.choice(SYMBOLS))


def _offer(rng: Random) -> str:
    """The element string of an 8110 (North American Coupon Application Guideline)."""
    share = rng.random() < 0.25
    save = "5" if share != (rng.random() < 0.05) else rng.choice("0126")
    value = rng.randrange(1, 4) if save == "2" else rng.randrange(5, 60) if save == "5" else rng.randrange(0, 900)
    body = f"1{COMPANY}{SHARE_OFFER if share else OFFER}{_counted(value)}{_purchase(rng)}"
    others = rng.choices((0, 1, 2), (5, 3, 2))[0]
    if others:
        body += f"1{rng.randrange(4)}{_purchase(rng)}{_payer(rng)}"
    if others == 2:
        body += f"2{_purchase(rng)}{_payer(rng)}"
    if rng.random() < 0.5:
        body += rng.choice(("3280131", "3280229", "3270115", "3261231"))
    if rng.random() < 0.3:
        body += rng.choice(("4270101", "4270114", "4270201"))
    if rng.random() < 0.2:
        body += f"50{rng.randrange(1_000_000):06}"
    if rng.random() < 0.3:
        body += f"61{rng.choice((COMPANY, COMPANY, '4512345'))}"
    if save != "0" or rng.random() < 0.3:
        body += f"9{save}{rng.randrange(1 + others)}{rng.randrange(2)}{rng.randrange(2)}"
    return f"8110{body}"


def _purchase(rng: Random) -> str:
    unit = rng.choices("012349", (5, 3, 3, 2, 2, 1))[0]
    return f"{_counted(rng.randrange(*VALUES[unit]))}{unit}{rng.choice(FAMILIES)}"


def _payer(rng: Random) -> str:
    """Whose goods: of the one who pays, or of somebody else."""
    return rng.choice(("9", "9", f"1{COMPANY}", "0491234"))


def _counted(value: int) -> str:
    return f"{len(str(value))}{value}"
