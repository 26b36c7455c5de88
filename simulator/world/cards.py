"""Membership cards of other days, and what else a shop numbers itself: rules, and codes that fit them or do not.

Every rule has another check digit (`loyalty.barcode.check_rules`). The wrong digit beside the right one is what a worn
card looks like to a camera.
"""

from __future__ import annotations

from random import Random
from typing import Final

from loyalty.barcode import check_rules
from loyalty.barcode.check_rules import Check
from loyalty.barcode.instore import CodeRule, Means, Symbol
from simulator.world.catalogue import Code

RULES: Final = (
    CodeRule(means=Means.MEMBER, pattern="mmmmmmmc", symbol=Symbol.CODE39, check=Check.MOD43),
    CodeRule(means=Means.MEMBER, pattern="mmmmmmmmmmmc", symbol=Symbol.ITF, check=Check.MOD11),
    CodeRule(means=Means.MEMBER, pattern="Bmmmmmmmmmmmc", symbol=Symbol.CODABAR, check=Check.MOD16),
    CodeRule(means=Means.MEMBER, pattern="Pmmmmmmc", symbol=Symbol.CODE128, check=Check.DSR7),
    CodeRule(means=Means.MEMBER, pattern="Qmmmmmmmc", symbol=Symbol.CODE128, check=Check.DR9),
    CodeRule(means=Means.MEMBER, pattern="Rmmmmmmmmc", symbol=Symbol.CODE128, check=Check.DSR9),
    CodeRule(means=Means.ITEM, pattern="Siiiiiiiiiic", symbol=Symbol.CODE128, check=Check.MOD10),
    CodeRule(means=Means.PRICED, pattern="21iiiikyyyyyc"),
    CodeRule(means=Means.COUPON, pattern="SHOP-iiii", symbol=Symbol.QR),
)


def card(rng: Random) -> Code:
    """A code that fits a rule, but for a check digit perhaps; now and then with a letter that nobody knows."""
    rule = rng.choice(RULES)
    text = "".join(str(rng.randrange(10)) if letter in "imykc" else letter for letter in rule.pattern)
    if "k" in rule.pattern:
        price = "".join(digit for digit, letter in zip(text, rule.pattern, strict=True) if letter == "y")
        place = rule.pattern.index("k")
        text = text[:place] + check_rules.price_check_digit(price) + text[place + 1 :]
    if "c" in rule.pattern and rng.random() < 0.6:
        check = Check.MOD10 if rule.symbol is Symbol.EAN13 else rule.check
        fitting = [text[:-1] + last for last in "0123456789ABCDX" if check_rules.fits(check, text[:-1], last)]
        text = rng.choice(fitting or [text])
    if rng.random() < 0.1:
        text = text[:-2] + "x" + text[-1]
    return Code(text.encode(), rule.symbol.value)
