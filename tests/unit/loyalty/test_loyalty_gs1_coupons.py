"""The bodies of coupons: 8110 on paper and 8112 in a positive offer file, field by field and fault by fault."""

from __future__ import annotations

import pytest

from loyalty.barcode.gs1 import message
from loyalty.barcode.gs1.faults import Fault, Gs1Error, Trouble
from loyalty.barcode.gs1.paper import PaperCoupon
from loyalty.barcode.gs1.positive import PositiveCoupon
from loyalty.terms import Purchase, Rule, Save, Unit

# company 0614141, offer 654321, saves 500, 2 items of family 234
HEAD = "10614141" + "654321" + "3500" + "12" + "0" + "234"
FIRST = Purchase(value=2, unit=Unit.ITEMS, company="0614141", family="234")


def paper(body: str) -> PaperCoupon:
    found = message.read(f"8110{body}".encode())
    assert found is not None
    assert found.paper is not None
    return found.paper


def positive(body: str) -> PositiveCoupon:
    found = message.read(f"8112{body}".encode())
    assert found is not None
    assert found.positive is not None
    return found.positive


def trouble(text: str) -> Trouble:
    with pytest.raises(Gs1Error) as caught:
        message.read(text.encode())
    return caught.value.trouble


def test_K5_the_fields_that_every_paper_coupon_has() -> None:
    assert paper(HEAD) == PaperCoupon(company="0614141", offer="654321", save_value=500, purchases=(FIRST,))


def test_K5_every_optional_field_is_read_in_its_place() -> None:
    second, third = "1" + "2" + "11" + "0" + "110" + "9", "2" + "215" + "3" + "120" + "0" + "123456"
    found = paper(HEAD + second + third + "3261231" + "4260101")
    assert found.rule is Rule.FIRST_AND_ANOTHER
    assert found.purchases == (
        FIRST,
        Purchase(value=1, unit=Unit.ITEMS, company="0614141", family="110", slot=1),  # 9: of the one who pays
        Purchase(value=15, unit=Unit.POUNDS, company="123456", family="120", slot=2),
    )
    assert (found.expires, found.starts) == ("261231", "260101")
    found = paper(HEAD + "50123456" + "610614141" + "95111")
    assert (found.serial, found.retailer, found.save, found.saves_on) == ("123456", "0614141", Save.PERCENT, 1)
    assert (found.store_coupon, found.dont_multiply) == (True, True)


@pytest.mark.parametrize(("digit", "save"), [
    ("0", Save.AMOUNT), ("1", Save.ITEM), ("2", Save.ITEMS), ("5", Save.PERCENT), ("6", Save.TOTAL),
])  # fmt: skip
def test_what_the_save_value_means(digit: str, save: Save) -> None:
    assert paper(f"{HEAD}9{digit}000").save is save


@pytest.mark.parametrize(("digit", "unit"), [
    ("0", Unit.ITEMS), ("1", Unit.SPENT), ("2", Unit.TOTAL), ("3", Unit.POUNDS), ("4", Unit.KILOGRAMS),
    ("9", Unit.CLERK),
])  # fmt: skip
def test_what_a_purchase_is_counted_in(digit: str, unit: Unit) -> None:
    assert paper(f"10614141654321350012{digit}234").purchases[0].unit is unit


@pytest.mark.parametrize("length", range(7))
def test_a_company_prefix_has_6_to_12_digits(length: int) -> None:
    company = "614141123456"[: 6 + length]
    assert paper(f"{length}{company}654321350012" + "0234").company == company


@pytest.mark.parametrize(("body", "fault", "at"), [
    ("1", Fault.TOO_SHORT, 5),  # the company prefix
    ("7061414165", Fault.LENGTH_CODE, 4),
    ("1061414", Fault.TOO_SHORT, 5),
    ("10614141" + "65432", Fault.TOO_SHORT, 12),  # the offer code
    ("10614141" + "654321", Fault.TOO_SHORT, 18),  # the length of the save value
    ("10614141" + "654321" + "0", Fault.LENGTH_CODE, 18),
    ("10614141" + "654321" + "6123456", Fault.LENGTH_CODE, 18),
    ("10614141" + "654321" + "350", Fault.TOO_SHORT, 19),
    ("10614141" + "654321" + "3500" + "0", Fault.LENGTH_CODE, 22),  # the first purchase
    ("10614141" + "654321" + "3500" + "12" + "5234", Fault.CODE, 24),
    ("10614141" + "654321" + "3500" + "12" + "8234", Fault.CODE, 24),
    ("10614141" + "654321" + "3500" + "12" + "023", Fault.TOO_SHORT, 25),
    (HEAD + "14", Fault.CODE, 29),  # the rule of further purchases
    (HEAD + "1", Fault.TOO_SHORT, 29),
    (HEAD + "11" + "60", Fault.LENGTH_CODE, 30),
    (HEAD + "11" + "11" + "7110", Fault.CODE, 32),
    (HEAD + "11" + "11" + "0110" + "7", Fault.LENGTH_CODE, 36),
    (HEAD + "11" + "11" + "0110" + "012345", Fault.TOO_SHORT, 37),
    (HEAD + "3" + "26123", Fault.TOO_SHORT, 29),  # the last day
    (HEAD + "3" + "261331", Fault.DATE, 31),
    (HEAD + "3" + "261200", Fault.DATE, 33),  # no day 00 here
    (HEAD + "3261231" + "4270101", Fault.ENDS_BEFORE_START, 36),
    (HEAD + "4260101" + "3261231", Fault.EXCESS, 35),  # out of order
    (HEAD + "5" + "012345", Fault.TOO_SHORT, 30),  # the serial number
    (HEAD + "6" + "0614141", Fault.LENGTH_CODE, 29),  # the retailer
    (HEAD + "6" + "8123456789012345", Fault.LENGTH_CODE, 29),
    (HEAD + "93000", Fault.CODE, 29),
    (HEAD + "90300", Fault.CODE, 30),
    (HEAD + "90002", Fault.CODE, 32),
    (HEAD + "9000", Fault.TOO_SHORT, 32),
    (HEAD + "900001", Fault.EXCESS, 33),
    (HEAD + "7", Fault.EXCESS, 28),
    (HEAD[:-1] + "x", Fault.CHARACTER, 27),
])  # fmt: skip
def test_K5_what_is_wrong_with_a_paper_coupon_is_named_with_its_place(body: str, fault: Fault, at: int) -> None:
    found = trouble("8110" + body)
    assert (found.fault, found.ai, found.at) == (fault, "8110", at)


def test_the_place_is_that_of_the_scanned_text_whatever_stands_before() -> None:
    body = HEAD + "93000"
    assert trouble(f"]e08110{body}").at == 3 + 29
    assert trouble(f"(8110){body}").at == 2 + 29
    assert trouble(f"\x1d8110{body}").at == 1 + 29


def test_K5_a_coupon_of_a_positive_offer_file() -> None:
    assert positive("010614141" + "654321" + "0123456") == PositiveCoupon(
        format=0, funder="0614141", offer="654321", serial="123456"
    )
    assert positive("16" + "123456789012" + "000001" + "9" + "012345678901234").serial == "012345678901234"


@pytest.mark.parametrize(("body", "fault", "at"), [
    ("2", Fault.CODE, 4),
    ("0", Fault.TOO_SHORT, 5),
    ("07", Fault.LENGTH_CODE, 5),
    ("0012345", Fault.TOO_SHORT, 6),
    ("0012345612345", Fault.TOO_SHORT, 12),
    ("00123456123456", Fault.TOO_SHORT, 18),
    ("00123456123456012345", Fault.TOO_SHORT, 19),
    ("0012345612345601234567", Fault.EXCESS, 25),
    ("XYZ", Fault.CHARACTER, 4),
    ("0012345612345601234x6", Fault.CHARACTER, 23),
])  # fmt: skip
def test_K5_what_is_wrong_with_one_of_a_positive_offer_file(body: str, fault: Fault, at: int) -> None:
    found = trouble("8112" + body)
    assert (found.fault, found.ai, found.at) == (fault, "8112", at)
