"""The codes that a shop numbers itself: coupons, goods, goods with their price, membership cards of older days.

A shop sets a table of rules. The pattern of a rule is as long as its code: small letters stand for what is read,
everything else for itself.

    i  the number of the goods or of the coupon        m  the number of the member
    y  the price or the value, in yen                  k  the check digit of the price
    c  the check digit of the code                     n  anything, which means nothing

    02iiiiikyyyyc    goods, a price of four digits with its check digit
    02iiiiiyyyyyc    goods, a price of five digits
    99iiiiiiyyyyc    a coupon worth so many yen
    AmmmmmmmmcA      a member's number in NW-7, start and stop letters included

The first rule that fits a code is the one that counts. Nothing here is a regular expression of the shop's: a code is
looked at once for each rule.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from loyalty.barcode import check_rules
from loyalty.barcode.check_rules import Check
from loyalty.barcode.kinds import Item, Member, NotACoupon, Priced, Trade
from loyalty.reason import Reason
from loyalty.terms import NO_TERMS, Save, Terms

RULES_MAX: Final = 100
PATTERN_CHARS_MAX: Final = 48
RETAILERS_MAX: Final = 100
_LETTERS: Final = frozenset("imykcn")
_EAN_LENGTHS: Final = {"ean13": 13, "ean8": 8}


class Means(StrEnum):
    """What a rule's codes are."""

    COUPON = "coupon"
    MEMBER = "member"
    PRICED = "priced"
    ITEM = "item"


_NEEDS: Final = {Means.COUPON: "i", Means.MEMBER: "m", Means.PRICED: "iy", Means.ITEM: "i"}
_MAY: Final = {Means.COUPON: "iykcn", Means.MEMBER: "mcn", Means.PRICED: "iykcn", Means.ITEM: "icn"}


class Symbol(StrEnum):
    """The symbols that such codes come in (`hal.decode.Format` values)."""

    EAN13 = "ean13"
    EAN8 = "ean8"
    CODE128 = "code128"
    CODE39 = "code39"
    ITF = "itf"
    CODABAR = "codabar"
    QR = "qr"


class CodeRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule. Raises ValueError for one that can't be."""

    means: Annotated[Means, Meta(description="coupon, member, priced or item.")]
    pattern: Annotated[str, Meta(description="What such a code looks like; see the page on barcodes.")]
    symbol: Annotated[Symbol, Meta(description="The symbol it comes in; naming one switches its decoding on.")] = (
        Symbol.EAN13
    )
    check: Annotated[Check, Meta(description="How the digit c is worked out; in EAN codes it is always mod10.")] = (
        Check.NONE
    )

    def __post_init__(self) -> None:
        pattern, letters = self.pattern, [letter for letter in self.pattern if letter in _LETTERS]
        if not 1 <= len(pattern) <= PATTERN_CHARS_MAX or not pattern.isascii() or not pattern.isprintable():
            raise ValueError(f"pattern {pattern!r}: 1 to {PATTERN_CHARS_MAX} visible characters")
        if any(letter.islower() for letter in pattern if letter not in _LETTERS):
            raise ValueError(f"pattern {pattern!r}: small letters are i, m, y, k, c and n")
        if missing := [letter for letter in _NEEDS[self.means] if letter not in letters]:
            raise ValueError(f"pattern {pattern!r}: a {self.means} code needs {' and '.join(missing)}")
        if surplus := [letter for letter in letters if letter not in _MAY[self.means]]:
            raise ValueError(f"pattern {pattern!r}: {surplus[0]!r} means nothing in a {self.means} code")
        if letters.count("k") > 1 or letters.count("c") > 1:
            raise ValueError(f"pattern {pattern!r}: a check digit is one digit")
        if "k" in letters and letters.count("y") not in check_rules.PRICE_LENGTHS:
            raise ValueError(f"pattern {pattern!r}: a price with a check digit has 4 or 5 digits")
        if self.check is not Check.NONE and "c" not in letters:
            raise ValueError(f"pattern {pattern!r}: check {self.check} needs a digit c")
        length = _EAN_LENGTHS.get(self.symbol)
        if length is not None and (len(pattern) != length or pattern[-1] != "c" or self.check is not Check.NONE):
            raise ValueError(f"pattern {pattern!r}: an {self.symbol} code has {length} digits and ends with c, mod10")


class BarcodeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[unit.barcodes], [central.barcodes]: codes of the shop's own, and whose coupons it honours."""

    rules: Annotated[
        tuple[CodeRule, ...],
        Meta(
            max_length=RULES_MAX,
            description="Codes that the shop numbers itself: means, pattern, symbol, check. The first to fit counts.",
        ),
    ] = ()
    retailers: Annotated[
        tuple[Annotated[str, Meta(pattern="^[0-9]{6,13}$")], ...],
        Meta(
            max_length=RETAILERS_MAX,
            description="GS1 company prefixes and location numbers of this shop: whose coupons it honours.",
        ),
    ] = ()


class _Compiled(NamedTuple):
    rule: CodeRule
    head: str  # what stands before the first small letter
    literal: tuple[tuple[int, str], ...]
    places: dict[str, tuple[int, ...]]


class Shop(NamedTuple):
    """A shop's settings, ready for reading: rules by symbol and length, retailers, and where midnight is."""

    rules: dict[tuple[str, int], tuple[_Compiled, ...]] = {}  # noqa: RUF012 - never written to
    retailers: frozenset[str] = frozenset()
    utc_offset_min: int = 540
    symbols: frozenset[str] = frozenset()  # that the rules name


def shop(settings: BarcodeSettings, utc_offset_min: int) -> Shop:
    """`settings` for a shop whose clocks are `utc_offset_min` minutes ahead of UTC."""
    rules: dict[tuple[str, int], tuple[_Compiled, ...]] = {}
    for rule in settings.rules:
        pattern = rule.pattern
        places = {letter: tuple(i for i, c in enumerate(pattern) if c == letter) for letter in _LETTERS}
        literal = tuple((i, c) for i, c in enumerate(pattern) if c not in _LETTERS)
        head = pattern[: min((place[0] for place in places.values() if place), default=len(pattern))]
        key = (rule.symbol.value, len(pattern))
        rules[key] = (*rules.get(key, ()), _Compiled(rule, head, literal, places))
    return Shop(
        rules,
        frozenset(settings.retailers),
        utc_offset_min,
        frozenset(rule.symbol.value for rule in settings.rules),
    )


def read(text: bytes, format: str, rules: tuple[_Compiled, ...]) -> Trade | Member | Priced | Item | NotACoupon | None:
    """What `text` is by the first of these rules that fits it (`Shop.rules`); None: by none.

    A code that fits but for a check digit is CHECK_DIGIT: it was misread, and no other rule is asked.
    """
    if not text.isascii():
        return None
    code = text.decode("ascii")
    for compiled in rules:
        if not code.startswith(compiled.head) or not _fits(code, compiled):
            continue
        return _meaning(code, compiled, ean=format in _EAN_LENGTHS)
    return None


def _fits(code: str, compiled: _Compiled) -> bool:
    if any(code[place] != character for place, character in compiled.literal):
        return False
    return all(code[place].isdigit() for letter in "iyk" for place in compiled.places[letter]) and all(
        code[place].isalnum() or code[place] == "-" for place in compiled.places["m"]
    )


def _meaning(code: str, compiled: _Compiled, *, ean: bool) -> Trade | Member | Priced | Item | NotACoupon:
    rule, places = compiled.rule, compiled.places

    def taken(letter: str) -> str:
        return "".join(code[place] for place in places[letter])

    if places["c"]:
        at = places["c"][0]
        check = Check.MOD10 if ean else rule.check
        if not check_rules.fits(check, code[:at] + code[at + 1 :], code[at]):
            return NotACoupon(Reason.CHECK_DIGIT, f"the check digit of a code of the shop's own ({rule.means})")
    if places["k"] and check_rules.price_check_digit(taken("y")) != taken("k"):
        return NotACoupon(Reason.CHECK_DIGIT, "the check digit of the price in a code of the shop's own")
    if rule.means is Means.MEMBER:
        return Member(taken("m"))
    if rule.means is Means.PRICED:
        return Priced(taken("i"), int(taken("y")))
    if rule.means is Means.ITEM:
        return Item(taken("i"))
    key = "".join(code[place] for place, letter in enumerate(rule.pattern) if letter == "i" or letter not in _LETTERS)
    terms = Terms(save=Save.AMOUNT, value=int(taken("y"))) if places["y"] else NO_TERMS
    return Trade(key=f"store:{key}", terms=terms)
