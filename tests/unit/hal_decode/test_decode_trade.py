"""Symbols of the trade through the lens: GS1's are told from plain ones, and older ones are taken where they are on."""

from __future__ import annotations

import pytest
import zxingcpp
from PIL import Image

from hal.decode.accept import plausible
from hal.decode.engines import WHOLE, zbar, zbar_missing, zxing
from hal.decode.formats import COUPONS, EVERY, OPTIONAL, Format, family
from hal.decode.watcher import Watcher
from hal.events import Scanned
from hal.virtual.lens import Pose
from loyalty.barcode import Member, Reading, Trade, read
from loyalty.barcode.check_rules import Check
from loyalty.barcode.instore import BarcodeSettings, CodeRule, Means, Symbol, shop
from tests.unit.hal_decode.barcode_pictures import Stream, Z, grey, page, symbol

EASY = Pose(scale=0.9, noise=4)
GCN = "(255)4912345678904000123(17)261231"
RULES = BarcodeSettings(
    rules=(
        CodeRule(means=Means.MEMBER, pattern="AmmmmmmmmcA", symbol=Symbol.CODABAR, check=Check.DR7),
        CodeRule(means=Means.MEMBER, pattern="MEMBER-mmmm", symbol=Symbol.CODE39),
        CodeRule(means=Means.MEMBER, pattern="mmmmmmmmmc", symbol=Symbol.ITF, check=Check.LUHN),
    )
)
SHOP = shop(RULES, 540)


def seen(picture: Image.Image, watcher: Watcher, frames: int = 3) -> list[Scanned]:
    stream = Stream()
    for frame in stream.of(None, EASY, 2):
        watcher.see(frame)
    return [scan for frame in stream.of(picture, EASY, frames) for scan in watcher.see(frame)]


def meaning(scan: Scanned) -> Reading:
    return read(scan.text, scan.format, SHOP)


@pytest.mark.parametrize(("kind", "format"), [
    (Z.Code128, "gs1_128"), (Z.DataBarExp, "databar_expanded"), (Z.DataBarExpStk, "databar_expanded"),
    (Z.DataMatrix, "gs1_datamatrix"), (Z.QRCode, "gs1_qr"),
])  # fmt: skip
def test_K5_a_coupon_number_is_scanned_from_every_symbol_of_GS1(kind: zxingcpp.BarcodeFormat, format: str) -> None:
    (scan,) = seen(page(symbol(GCN, kind, scale=3, gs1=True)), Watcher())
    assert scan.format == format
    found = meaning(scan)
    assert isinstance(found, Trade)
    assert (found.key, found.serial, found.expires) == ("gcn:4912345678904", "000123", "261231")


def test_K5_the_same_digits_in_a_plain_symbol_are_none() -> None:
    (scan,) = seen(page(symbol("2554912345678904", Z.Code128)), Watcher())
    assert scan.format == "code128"
    assert not isinstance(meaning(scan), Trade)


@pytest.mark.skipif(bool(zbar_missing()), reason=zbar_missing())
def test_the_second_engine_speaks_of_the_same_code_and_never_takes_the_first_ones_place() -> None:
    """zbar does not tell GS1-128 from Code 128: both names are one family, and zxing-cpp's word stands."""
    picture = grey(page(symbol(GCN, Z.Code128, gs1=True)))
    one, other = zxing(picture, COUPONS, WHOLE), zbar(picture, frozenset({Format.CODE128}))
    assert [family(sighting.format) for sighting in (*one, *other)] == ["code128", "code128"]
    assert one[0].text == other[0].text
    assert len(plausible([*one, *other])) == 2


@pytest.mark.parametrize(("text", "kind", "number"), [
    ("A123456782A", Z.Codabar, "12345678"), ("MEMBER-0042", Z.Code39, "0042"), ("1234567897", Z.ITF, "123456789"),
])  # fmt: skip
def test_K5_an_older_membership_code_is_scanned_where_a_rule_names_its_symbol(
    text: str, kind: zxingcpp.BarcodeFormat, number: str
) -> None:
    picture = page(symbol(text, kind))
    assert seen(picture, Watcher()) == []
    on = frozenset(format for format in OPTIONAL if format.value in SHOP.symbols)
    assert on == OPTIONAL
    first = seen(picture, Watcher(also=on), frames=1)
    assert first == []  # as every linear code: two frames that agree
    (scan,) = seen(picture, Watcher(also=on))
    assert meaning(scan) == Member(number)


def test_only_linear_symbols_can_be_switched_on() -> None:
    watcher = Watcher(also=EVERY)
    assert seen(page(symbol("anything", Z.Aztec)), watcher) == []
