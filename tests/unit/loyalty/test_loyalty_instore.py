"""Codes that a shop numbers itself: the table of rules, prices and check digits, older membership cards (issue 3)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty import check_digit
from loyalty.barcode import Item, Jan, Member, NotACoupon, Priced, Reading, Trade, check_rules, read
from loyalty.barcode.check_rules import Check
from loyalty.barcode.instore import RULES_MAX, BarcodeSettings, CodeRule, Means, Symbol, shop
from loyalty.reason import Reason
from loyalty.terms import Save, Terms

RULES = (
    CodeRule(means=Means.PRICED, pattern="02iiiiikyyyyc"),
    CodeRule(means=Means.PRICED, pattern="022iiiiyyyyyc"),  # never asked: the rule above fits first
    CodeRule(means=Means.PRICED, pattern="24iiiiiyyyyyc"),
    CodeRule(means=Means.PRICED, pattern="25iiiikyyyyyc"),
    CodeRule(means=Means.ITEM, pattern="20iiiiic", symbol=Symbol.EAN8),
    CodeRule(means=Means.COUPON, pattern="99iiiiiiyyyyc"),
    CodeRule(means=Means.COUPON, pattern="98iiiiiiiiiic"),
    CodeRule(means=Means.MEMBER, pattern="21mmmmmmmmmmc"),
    CodeRule(means=Means.MEMBER, pattern="AmmmmmmmmcA", symbol=Symbol.CODABAR, check=Check.DR7),
    CodeRule(means=Means.MEMBER, pattern="M-mmmmmc", symbol=Symbol.CODE39, check=Check.MOD43),
    CodeRule(means=Means.MEMBER, pattern="mmmmmmmnnc", symbol=Symbol.ITF, check=Check.LUHN),
    CodeRule(means=Means.MEMBER, pattern="P:mmmm", symbol=Symbol.QR),
)
SHOP = shop(BarcodeSettings(rules=RULES), 540)


def ean(digits: str) -> bytes:
    return (digits + str(check_digit.check_digit(digits))).encode()


def found(text: bytes, format: str) -> Reading:
    return read(text, format, SHOP)


@pytest.mark.parametrize(("text", "format", "meaning"), [
    (ean("02" + "12345" + "9" + "2875"), "ean13", Priced("12345", 2875)),
    (ean("24" + "12345" + "00980"), "ean13", Priced("12345", 980)),
    (ean("25" + "1234" + "6" + "14685"), "ean13", Priced("1234", 14685)),
    (ean("20" + "12345"), "ean8", Item("12345")),
    (ean("99" + "123456" + "0500"), "ean13", Trade(key="store:99123456", terms=Terms(save=Save.AMOUNT, value=500))),
    (ean("98" + "1234567890"), "ean13", Trade(key="store:981234567890")),
    (ean("21" + "0000123456"), "ean13", Member("0000123456")),
    (b"A123456782A", "codabar", Member("12345678")),
    (b"123456700" + check_rules._luhn("123456700").encode(), "itf", Member("1234567")),
    (b"P:00AZ", "qr", Member("00AZ")),
])  # fmt: skip
def test_K5_a_code_of_the_shops_own_means_what_its_rule_says(text: bytes, format: str, meaning: Reading) -> None:
    assert found(text, format) == meaning


@pytest.mark.parametrize(("text", "format"), [
    (ean("02" + "12345" + "8" + "2875"), "ean13"),  # the price's check digit
    (ean("25" + "1234" + "5" + "14685"), "ean13"),
    (ean("99" + "123456" + "0500")[:-1] + b"0", "ean13"),
    (b"A123456783A", "codabar"),
])  # fmt: skip
def test_K5_a_check_digit_that_does_not_fit_is_a_misreading(text: bytes, format: str) -> None:
    meaning = found(text, format)
    assert isinstance(meaning, NotACoupon)
    assert meaning.reason is Reason.CHECK_DIGIT


@pytest.mark.parametrize(("text", "format"), [
    (b"B123456782B", "codabar"),
    (b"A12345678A", "codabar"),
    (b"A123456782A", "code39"),
    (b"A123456782A", "qr"),
    (b"M-12\xc3\xa92", "code39"),
    (b"12345678", "itf"),
])  # fmt: skip
def test_what_no_rule_fits_is_no_code_of_the_shops(text: bytes, format: str) -> None:
    meaning = found(text, format)
    assert isinstance(meaning, NotACoupon)
    assert meaning.reason is Reason.NOT_A_COUPON


def test_without_rules_an_in_store_code_is_a_JAN_like_any_other() -> None:
    assert read(ean("02" + "12345" + "9" + "2875"), "ean13") == Jan(ean("02" + "12345" + "9" + "2875").decode())
    assert isinstance(found(b"4912345678904", "ean13"), Jan)


@pytest.mark.parametrize(("price", "digit"), [("2875", "9"), ("14685", "6"), ("0000", "0"), ("00000", "0")])
def test_the_check_digit_of_a_price_is_that_of_the_General_Specifications(price: str, digit: str) -> None:
    assert check_rules.price_check_digit(price) == digit


@given(st.sampled_from([4, 5]).flatmap(lambda n: st.text(st.sampled_from("0123456789"), min_size=n, max_size=n)),
       st.integers(0, 4), st.integers(1, 9))  # fmt: skip
def test_it_finds_every_single_wrong_digit_of_a_price(price: str, place: int, by: int) -> None:
    place %= len(price)
    wrong = price[:place] + str((int(price[place]) + by) % 10) + price[place + 1 :]
    assert check_rules.price_check_digit(price) != check_rules.price_check_digit(wrong)


@pytest.mark.parametrize(("check", "others", "digit"), [
    (Check.MOD10, "491234567890", "4"),
    (Check.LUHN, "7992739871", "3"),
    (Check.MOD11, "1234567", "4"),  # 7*2 + 6*3 + 5*4 + 4*5 + 3*6 + 2*7 + 1*2 = 106, 11 - 106 % 11 = 4
    (Check.MOD11, "0000001", "9"),
    (Check.DR7, "12345678", "2"),
    (Check.DSR7, "12345678", "5"),
    (Check.DR9, "12345678", "0"),
    (Check.DSR9, "12345678", "9"),
    (Check.DR7, "A12345678A", "2"),  # letters are none of the number
    (Check.MOD43, "CODE39", "W"),
    (Check.MOD16, "A123456A", "$"),  # 16 + 21 + 16 = 53, and 11 more are 64
])  # fmt: skip
def test_each_rule_works_out_its_digit(check: Check, others: str, digit: str) -> None:
    assert check_rules.fits(check, others, digit)
    assert not check_rules.fits(check, others, "1" if digit != "1" else "2")


@given(st.sampled_from(Check), st.text(max_size=40), st.text(min_size=1, max_size=1))
def test_a_check_rule_answers_whatever_stands_there(check: Check, others: str, digit: str) -> None:
    assert check_rules.fits(check, others, digit) in (True, False)


@given(st.binary(max_size=48), st.sampled_from(["ean13", "ean8", "codabar", "code39", "itf", "qr", ""]))
def test_any_bytes_get_an_answer_from_the_rules_too(text: bytes, format: str) -> None:
    assert found(text, format) is not None


@pytest.mark.parametrize(("wrong", "words"), [
    ({"pattern": ""}, "1 to 48"),
    ({"pattern": "02iiiiikyyyyz"}, "small letters"),
    ({"pattern": "02iiiiiiiiiic"}, "needs y"),
    ({"pattern": "02iiiimkyyyyc"}, "means nothing"),
    ({"pattern": "02iiiiikkyyyc"}, "one digit"),
    ({"pattern": "02iiiiiikyyyc"}, "4 or 5 digits"),
    ({"pattern": "02iiiiikyyyy1"}, "ends with c"),
    ({"pattern": "2iiiiikyyyyc"}, "13 digits"),
    ({"check": Check.LUHN}, "mod10"),
    ({"symbol": Symbol.CODE39, "pattern": "iiyyyy", "check": Check.MOD43}, "needs a digit c"),
    ({"pattern": "ｉｉｙｙ"}, "visible"),
])  # fmt: skip
def test_a_rule_that_can_not_be_says_why(wrong: dict[str, object], words: str) -> None:
    given = {"means": "priced", "pattern": "02iiiiikyyyyc"} | wrong
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert({"rules": [given]}, BarcodeSettings)


def test_the_table_has_a_bound() -> None:
    rule = {"means": "item", "pattern": "20iiiiiiiiiic"}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"rules": [rule] * (RULES_MAX + 1)}, BarcodeSettings)
