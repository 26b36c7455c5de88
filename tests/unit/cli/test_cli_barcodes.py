"""The table of a shop's own codes in the settings, and what the commands say of codes of the trade (issue 3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import zxingcpp
from PIL import Image
from typer.testing import CliRunner

from central.settings import CentralSettings
from cli.main import app
from cli.settings import SettingsError, load
from edge_agent.settings import UnitSettings
from loyalty.barcode import Member, Priced, read
from loyalty.barcode.explain import explain

TABLE = """
[unit]
device = "lane-1"
site = "ginza"
utc_offset_min = 540

[unit.barcodes]
retailers = ["4912345", "4912345000003"]

[[unit.barcodes.rules]]
means = "priced"
pattern = "02iiiiikyyyyc"

[[unit.barcodes.rules]]
means = "member"
pattern = "AmmmmmmmmcA"
symbol = "codabar"
check = "7dr"

[[central.barcodes.rules]]
means = "coupon"
pattern = "99iiiiiiyyyyc"
"""
Z = zxingcpp.BarcodeFormat


def settings_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tokuten.toml"
    path.write_text(text)
    return path


def drawn(path: Path, text: str, kind: zxingcpp.BarcodeFormat, **how: bool) -> Path:
    image = np.asarray(zxingcpp.create_barcode(text, kind, **how).to_image(scale=4))
    Image.fromarray(np.pad(image, 40, constant_values=255)).save(path)
    return path


def scanned(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["scan", "--json", *words])
    assert done.exit_code == 0, done.output
    row: dict[str, Any] = msgspec.json.decode(done.stdout)
    return row


def test_K5_a_shop_sets_its_table_in_the_settings_file(tmp_path: Path) -> None:
    path = settings_file(tmp_path, TABLE)
    unit = load("unit", UnitSettings, path, {})
    assert unit.shop.retailers == {"4912345", "4912345000003"}
    assert unit.shop.symbols == {"ean13", "codabar"}
    assert read(b"0212345712986", "ean13", unit.shop) == Priced("12345", 1298)
    assert read(b"A123456782A", "codabar", unit.shop) == Member("12345678")
    central = load("central", CentralSettings, path, {})
    assert central.shop.symbols == {"ean13"}


def test_a_table_can_come_from_the_environment(tmp_path: Path) -> None:
    environ = {"TOKUTEN_UNIT__BARCODES__RULES": '[{means = "item", pattern = "20iiiiiiiiiic"}]'}
    unit = load("unit", UnitSettings, settings_file(tmp_path, TABLE), environ)
    assert [rule.pattern for rule in unit.barcodes.rules] == ["20iiiiiiiiiic"]


@pytest.mark.parametrize(("wrong", "words"), [
    ('pattern = "02iiiiikyyyyc"', 'pattern = "02iiiiikyyyyz"'),
    ('means = "priced"', 'means = "price"'),
    ('check = "7dr"', 'checks = "7dr"'),
    ('"4912345"', '"49-12345"'),
])  # fmt: skip
def test_a_table_that_can_not_be_is_refused_with_its_place(tmp_path: Path, wrong: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load("unit", UnitSettings, settings_file(tmp_path, TABLE.replace(wrong, words)), {})
    assert "barcodes" in str(caught.value)


def test_K5_scan_says_in_words_what_a_coupon_of_the_trade_says(tmp_path: Path) -> None:
    picture = drawn(tmp_path / "a.png", "(8110)106141416543213500120234111201109326123142601019" + "1011", Z.DataBarExp)
    row = scanned(str(picture))
    assert (row["kind"], row["verdict"]) == ("trade", "unconfirmed")
    assert row["says"] == [
        "a North American coupon: 0614141, offer 654321  (trade key offer:0614141:654321)",
        "first day '26-01-01",
        "last day '26-12-31",
        "one item of the first purchase free, up to 500",
        "first purchase: 2 items of family 234 of company 0614141",
        "second purchase: 2 items of family 110 of company 0614141",
        "all of the purchases are needed",
        "the store's own coupon",
        "not to be multiplied",
        "(8110) COUPON: 1061414165432135001202341112011093261231426010191011",
    ]


def test_K5_scan_says_what_is_wrong_with_a_misprinted_code_and_where(tmp_path: Path) -> None:
    picture = drawn(tmp_path / "a.png", "https://shop.example/255/4912345678905?17=261231", Z.QRCode)
    row = scanned(str(picture))
    assert (row["kind"], row["verdict"]) == ("other", "check_digit")
    assert row["says"] == ["GS1: (255) at character 37: the check digit does not fit [check_digit]"]


def test_K5_scan_reads_a_shops_own_codes_with_its_settings(tmp_path: Path) -> None:
    picture = drawn(tmp_path / "a.png", "A123456782A", Z.Codabar)
    config = settings_file(tmp_path, TABLE)
    assert scanned(str(picture))["kind"] == "other"
    row = scanned("--config", str(config), str(picture))
    assert (row["kind"], row["verdict"], row["says"]) == ("member", "not_a_coupon", ["a member's number"])


@pytest.mark.parametrize("text", [
    b"2554912345678904\x1d39421250", b"2554912345678904\x1d3902012345", b"2554912345678904\x1d81110100",
    b"8110" + b"10614141" + b"654321" + b"15" + b"2125" + b"3" + b"120" + b"95000",
    b"8110" + b"10614141" + b"654321" + b"12" + b"15" + b"9" + b"000" + b"92000",
    b"81120106141416543219000123456789012", b"0104912345678904" + b"21A", b"801849123456789012345" + b"1\x1d80191",
])  # fmt: skip
def test_every_kind_of_code_has_words(text: bytes) -> None:
    lines = explain(read(text, "gs1_128"))
    assert lines
    assert all(line and line.isprintable() for line in lines), lines
