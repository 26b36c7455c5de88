"""From the text of a barcode to its meaning, signatures apart, beside the check of one Ed25519 signature.

For each kind of code that a unit reads, the time of `loyalty.barcode.read`: everything between the bytes of the symbol
and a typed value with all rules kept. The signature of a code of ours is not checked here: it is what the others are
held against, turn by turn in the same run.

    text to meaning, each kind: below half an Ed25519 verification
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Final, NamedTuple

from nacl.signing import SigningKey

from benchmarks.figures import Limits, Size, given, percentile
from loyalty.barcode import Reading, Shop, moving, own, read
from loyalty.barcode.check_rules import Check
from loyalty.barcode.instore import BarcodeSettings, CodeRule, Means, Symbol, shop
from loyalty.barcode.kinds import Item, Jan, Member, NotACoupon, Own, Priced, Trade
from loyalty.coupon import Coupon

SHARE_MAX: Final = 0.5  # of an Ed25519 verification
ROUNDS: Final = {Size.QUICK: 300, Size.USUAL: 3_000, Size.FULL: 20_000}
SITE: Final = shop(
    BarcodeSettings(
        rules=(
            CodeRule(means=Means.PRICED, pattern="02iiiiikyyyyc"),
            CodeRule(means=Means.ITEM, pattern="20iiiiiiiiiic"),
            CodeRule(means=Means.COUPON, pattern="99iiiiiiyyyyc"),
            CodeRule(means=Means.MEMBER, pattern="AmmmmmmmmcA", symbol=Symbol.CODABAR, check=Check.DR7),
            CodeRule(means=Means.MEMBER, pattern="mmmmmmmmmc", symbol=Symbol.ITF, check=Check.LUHN),
        )
    ),
    540,
)
_ISSUER: Final = SigningKey(b"i" * 32)
_PHONE: Final = SigningKey(b"p" * 32)


class Kind(NamedTuple):
    """A code, and what it must turn out to be."""

    name: str
    text: bytes
    format: str
    is_a: type


def kinds() -> list[Kind]:
    """One code of each kind that a unit reads."""
    coupon = Coupon(campaign=7, serial=98338, holder=11, expires_s=1_800_000_000, key=1)
    ticket = moving.mint(_ISSUER, Coupon(campaign=7, holder=11, key=1, phone=_PHONE.verify_key.encode()))
    paper = "8110106141416543213500120234111201109211012093261231426010161061414190001"
    return [
        Kind("code of ours, TK1", own.mint(_ISSUER, coupon).encode(), "qr", Own),
        Kind("moving code, TK2", moving.show(ticket, _PHONE, 119_000_000).encode(), "qr", Own),
        Kind("JAN-13", b"4912345678904", "ean13", Jan),
        Kind("GS1 coupon number (255)", b"2554912345678904", "gs1_128", Trade),
        Kind("GS1 255 with serial, 17, 3900", b"2554912345678904000123\x1d172612313900500", "databar_expanded", Trade),
        Kind("GS1 paper coupon (8110), short", b"8110106141416543213500110000310123196000", "databar_expanded", Trade),
        Kind("GS1 paper coupon (8110), every field", paper.encode(), "databar_expanded", Trade),
        Kind("GS1 positive offer (8112)", b"81120106141416543219000123456789012", "gs1_datamatrix", Trade),
        Kind("GS1 product, 01 10 17 21", b"01049123456789041726123110LOT-4711\x1d21A0001", "gs1_qr", Trade),
        Kind("bracketed text", b"(255)4912345678904000123(17)261231(3900)500", "qr", Trade),
        Kind("GS1 Digital Link", b"https://shop.example/255/4912345678904000123?17=261231&3900=500", "qr", Trade),
        Kind("GS1 member (8018)", b"8018491234567890123451", "gs1_128", Member),
        Kind("misprinted GS1 (check digit)", b"2554912345678905", "gs1_128", NotACoupon),
        Kind("goods with their price", b"0212345712986", "ean13", Priced),
        Kind("goods of the shop", b"2012345678903", "ean13", Item),
        Kind("coupon of the shop", b"9912345605004", "ean13", Trade),
        Kind("member, NW-7", b"A123456782A", "codabar", Member),
        Kind("member, ITF", b"1234567897", "itf", Member),
        Kind("a web address", b"https://www.example.com/2026/11/25/a-page-about-something?x=1", "qr", NotACoupon),
        Kind("4 KiB of anything", bytes(range(256)) * 16, "qr", NotACoupon),
    ]


def _timed_us(work: Callable[[], object]) -> float:
    began_ns = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - began_ns) / 1e3


def measure(rounds: int) -> Limits:
    """The figures, printed."""
    limits = Limits()
    public = _ISSUER.verify_key.encode()
    signed = read(kinds()[0].text, "qr")
    assert isinstance(signed, Own), "a code of ours is one"
    verify: Callable[[], object] = partial(own.genuine, signed, public)
    for kind in kinds():
        meaning = read(kind.text, kind.format, SITE)
        assert isinstance(meaning, kind.is_a), f"{kind.name}: {meaning}"
        work: Callable[[], object] = partial[Reading](_read, kind.text, kind.format, SITE)
        ours_us, verify_us = [], []
        for _ in range(rounds):  # turn by turn, so that a busy machine is busy for both
            ours_us.append(_timed_us(work))
            verify_us.append(_timed_us(verify))
        ours, theirs = median(ours_us), median(verify_us)
        limits.below(
            kind.name,
            ours / theirs,
            SHARE_MAX,
            f"{ours:.1f} us, p99 {percentile(ours_us, 0.99):.1f}; one Ed25519 verification {theirs:.1f} us",
        )
    return limits


def _read(text: bytes, format: str, site: Shop) -> Reading:
    return read(text, format, site)


def main(arguments: list[str] | None = None) -> int:
    taken = given("Barcode text to meaning, beside an Ed25519 verification.", arguments)
    return measure(ROUNDS[taken.size]).code()


if __name__ == "__main__":
    sys.exit(main())
