"""Codes of the trade as coupons: what a campaign makes of them, and what the one verdict says (issue 3)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from loyalty.barcode import Member, NotACoupon, Trade, read
from loyalty.barcode.trade import coupon_of, serial_number
from loyalty.basket import Basket, Line, counts_for, missing, saved_yen
from loyalty.campaign import Campaign, Kind, Policy, benefit, problems
from loyalty.coupon import Coupon, Known, Now, Seen, Verdict, discount_yen, judge
from loyalty.lease import Amount
from loyalty.reason import Reason, sentence
from loyalty.terms import Purchase, Rule, Save, Terms, Unit

GCN = "4912345678904"
NOW_MS = 1_790_000_000_000  # September 2026
JST_MIN = 540
COUPON = Campaign(
    id=7, name="お茶100円引き", kind=Kind.AMOUNT, amount_yen=100, policy=Policy.OPEN, provider="maker", serials=False,
    trade=f"gcn:{GCN}",
)  # fmt: skip
CAPPED = msgspec.structs.replace(COUPON, policy=Policy.ONLINE, serials=True, cap=1000)
NAMED = msgspec.structs.replace(COUPON, value_in_code=True, amount_yen=500)
OFFER = msgspec.structs.replace(COUPON, trade="offer:0614141:654321")
HEAD = "8110" + "10614141" + "654321" + "3500" + "12" + "0" + "234"  # saves 500, 2 items of family 234
TEA = Line(gtin="0614141000012", yen=300, quantity=2, family="234")


def trade(text: str) -> Trade:
    found = read(text.encode(), "gs1_128")
    assert isinstance(found, Trade), found
    return found


def verdict(text: str, campaign: Campaign | None, *, known: dict[str, Any] | None = None, **how: Any) -> Verdict:
    coupon = coupon_of(trade(text), campaign, NOW_MS, JST_MIN)
    basket = how.pop("basket", None)
    spend_yen = how.pop("spend_yen", None if basket is None else sum(line.yen for line in basket.lines))
    rows = Known(campaign=campaign, **(known or {}))
    return judge(coupon, rows, site="ginza", spend_yen=spend_yen, now=Now(wall_ms=NOW_MS, **how), basket=basket)


# --- what a code stands for -----------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "key", "serial"), [
    (f"255{GCN}", f"gcn:{GCN}", ""),
    (f"255{GCN}000123", f"gcn:{GCN}", "000123"),
    (HEAD, "offer:0614141:654321", ""),
    (HEAD + "51" + "0123456", "offer:0614141:654321", "0123456"),
    ("8112" + "0" + "10614141" + "654321" + "0123456", "offer:0614141:654321", "123456"),
    ("0104912345678904" + "21AB/7", "gtin:04912345678904", "AB/7"),
])  # fmt: skip
def test_a_campaign_names_a_code_by_its_key(text: str, key: str, serial: str) -> None:
    found = trade(text)
    assert (found.key, found.serial) == (key, serial)


def test_a_members_number_is_a_member_and_a_message_without_a_coupon_is_none() -> None:
    assert read(b"8018491234567890123451\x1d801912", "gs1_128") == Member("491234567890123451", "12")
    found = read(b"00006141411234567890", "gs1_128")
    assert isinstance(found, NotACoupon)
    assert found.reason is Reason.NOT_A_COUPON


@pytest.mark.parametrize(("one", "other"), [
    ("1", "01"), ("0", "00"), ("123456789012345678", "0123456789012345678"), ("A", "a"), ("1" * 19, "1" * 20),
])  # fmt: skip
def test_no_two_serials_are_the_same_number(one: str, other: str) -> None:
    assert serial_number(one) != serial_number(other)
    assert 0 < serial_number(one) < 2**64
    assert serial_number("") == 0


def test_K8_an_open_campaign_counts_every_copy_and_keeps_no_serial() -> None:
    answer = verdict(f"255{GCN}000123", COUPON)
    assert (answer.reason, answer.coupon) == (Reason.OK, Coupon(campaign=7))


def test_K6_with_a_cap_the_serial_counts_once() -> None:
    first = verdict(f"255{GCN}000123", CAPPED)
    assert first.reason is Reason.OK
    assert first.coupon is not None
    assert first.coupon.serial == serial_number("000123")
    assert verdict(f"255{GCN}000123", CAPPED, known={"seen": Seen(at_ms=5)}).reason is Reason.USED
    assert verdict(f"255{GCN}", CAPPED).reason is Reason.NOT_DOWNLOADED  # a copy that has no serial
    assert verdict(f"255{GCN}000124", CAPPED, known={"total": Amount(1000)}).reason is Reason.CAP_REACHED


@pytest.mark.parametrize("campaign", [
    None,
    msgspec.structs.replace(COUPON, trade="gcn:9501101530003"),
    msgspec.structs.replace(COUPON, trade=""),
    msgspec.structs.replace(COUPON, policy=Policy.SIGNED),
    msgspec.structs.replace(COUPON, policy=Policy.HOME),
])  # fmt: skip
def test_K5_a_code_that_anybody_can_print_stands_for_nothing_else(campaign: Campaign | None) -> None:
    assert verdict(f"255{GCN}", campaign).reason is Reason.UNKNOWN_CAMPAIGN


# --- dates ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dates", "reason"), [
    ("3261231", Reason.OK),
    ("3260921", Reason.OK),  # its last day is today, in Japan
    ("3260920", Reason.EXPIRED),
    ("3261231" + "4260921", Reason.OK),
    ("3261231" + "4260922", Reason.NOT_YET),
    ("3991231", Reason.EXPIRED),  # 1999
])  # fmt: skip
def test_K5_the_days_in_a_paper_coupon_are_its_own_dates(dates: str, reason: Reason) -> None:
    campaign = msgspec.structs.replace(OFFER, starts_ms=1, ends_ms=4_000_000_000_000)
    answer = verdict(HEAD + dates, campaign, basket=Basket((TEA,)))
    assert answer.reason is reason


def test_K5_the_earlier_of_two_ends_and_the_later_of_two_beginnings_hold() -> None:
    late = msgspec.structs.replace(COUPON, ends_ms=NOW_MS)
    assert verdict(f"255{GCN}\x1d17261231", late).reason is Reason.EXPIRED
    assert verdict(f"255{GCN}\x1d17260920", COUPON).reason is Reason.EXPIRED
    assert verdict(f"255{GCN}\x1d17260900", COUPON).reason is Reason.OK  # the last day of September
    early = msgspec.structs.replace(OFFER, starts_ms=NOW_MS + 1)
    assert verdict(HEAD + "4260101", early, basket=Basket((TEA,))).reason is Reason.NOT_YET


def test_a_date_in_a_code_follows_the_clock_rule_as_any_other() -> None:
    answer = verdict(f"255{GCN}\x1d17261231", COUPON, trusted=False)
    assert (answer.reason, answer.clock_doubted) == (Reason.OK, True)


# --- what it is worth ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "worth_yen"), [
    ("3900" + "300", 300), ("3900" + "99999", 500), ("3902" + "12345", 123), ("3900" + "0", 0),
])  # fmt: skip
def test_K5_the_code_says_how_much_up_to_what_the_campaign_allows(value: str, worth_yen: int) -> None:
    answer = verdict(f"255{GCN}\x1d{value}", NAMED, spend_yen=10_000)
    assert (answer.reason, answer.discount_yen) == (Reason.OK, worth_yen)
    assert answer.worth is not None
    assert answer.worth.amount_yen == worth_yen
    assert f"{worth_yen:,}円引き" in sentence(answer, "ja", JST_MIN).detail or worth_yen == 0


def test_K5_a_percentage_in_the_code_is_exact_to_its_decimals_and_rounded_down_to_yen() -> None:
    tenth = msgspec.structs.replace(NAMED, kind=Kind.PERCENT, amount_yen=0, percent=20)
    assert verdict(f"255{GCN}\x1d39410125", tenth, spend_yen=999).discount_yen == 124  # 12.5 %
    assert verdict(f"255{GCN}\x1d39400050", tenth, spend_yen=1000).discount_yen == 200  # 50 %, at most 20


@pytest.mark.parametrize("text", [f"255{GCN}", f"255{GCN}\x1d39401000", f"255{GCN}\x1d81110100"])
def test_K5_a_code_that_says_nothing_that_the_campaign_can_give_is_misprinted(text: str) -> None:
    assert verdict(text, NAMED).reason is Reason.MISPRINTED
    assert verdict(text, COUPON).reason is Reason.OK  # the campaign's own amount


def test_what_can_still_be_more_is_said_as_at_most() -> None:
    assert benefit(NAMED, "ja") == "最大500円引き"
    assert benefit(NAMED, "en") == "Up to 500 yen off"


LINES = (
    Line(gtin="0614141000012", yen=900, quantity=3, family="234"),
    Line(gtin="0614141000029", yen=150, quantity=1, family="231"),
    Line(gtin="4912345000017", yen=2000, quantity=1, family="234"),
)


@pytest.mark.parametrize(("save", "value", "yen"), [
    (Save.AMOUNT, 500, 500),
    (Save.TOTAL, 5000, 3050),  # never more than the basket
    (Save.ITEM, 0, 300),  # one item of the family, whatever it costs
    (Save.ITEM, 200, 200),
    (Save.ITEMS, 2, 600),
    (Save.ITEMS, 99, 900),
    (Save.PERCENT, 50, 450),  # of the goods that count
    (None, 0, 0),
])  # fmt: skip
def test_K5_what_each_save_value_takes_off(save: Save | None, value: int, yen: int) -> None:
    goods = Purchase(value=1, unit=Unit.ITEMS, company="0614141", family="234")
    terms = Terms(save=save, value=value, purchases=(goods,))
    assert saved_yen(terms, Basket(LINES), 3050) == yen
    most = msgspec.structs.replace(NAMED, amount_yen=400)
    assert discount_yen(most, 3050, Coupon(campaign=7, terms=terms), Basket(LINES)) == min(400, yen)


# --- what must be bought -----------------------------------------------------------------------------------------


def bought(**changes: Any) -> Basket:
    return Basket((msgspec.structs.replace(TEA, **changes),))


@pytest.mark.parametrize(("basket", "reason"), [
    (bought(), Reason.OK),
    (bought(quantity=1), Reason.NEEDS_GOODS),
    (bought(family="235"), Reason.NEEDS_GOODS),
    (bought(family=""), Reason.NEEDS_GOODS),
    (bought(gtin="4912345000017"), Reason.NEEDS_GOODS),
    (Basket(), Reason.NEEDS_GOODS),
    (None, Reason.NEEDS_BASKET),
])  # fmt: skip
def test_K5_a_paper_coupon_asks_for_its_goods(basket: Basket | None, reason: Reason) -> None:
    assert verdict(HEAD, OFFER, basket=basket).reason is reason


def test_a_total_alone_does_not_show_what_lies_in_the_basket() -> None:
    assert verdict(HEAD, OFFER, spend_yen=5000).reason is Reason.NEEDS_BASKET
    total = HEAD.replace("3500120234", "3500" + "41000" + "2" + "000")
    assert verdict(total, OFFER, spend_yen=1000).reason is Reason.OK
    short = verdict(total, OFFER, spend_yen=900)
    assert (short.reason, short.needed_yen) == (Reason.MIN_SPEND, 100)


def test_K5_what_is_missing_is_said_in_its_unit() -> None:
    lack = verdict(HEAD, OFFER, basket=bought(quantity=1))
    assert "あと1点" in sentence(lack, "ja", JST_MIN).detail
    assert "1 more items" in sentence(lack, "en", JST_MIN).detail


def test_what_a_person_must_look_at_is_not_decided_by_a_machine() -> None:
    assert verdict(HEAD.replace("120234", "129234"), OFFER, basket=Basket((TEA,))).reason is Reason.NEEDS_STAFF


@pytest.mark.parametrize(("family", "asked", "counts"), [
    ("234", "234", True), ("234", "230", True), ("234", "200", True), ("234", "000", True), ("234", "235", False),
    ("234", "240", False), ("", "000", True), ("", "200", False), ("104", "104", True), ("100", "104", False),
])  # fmt: skip
def test_zeros_at_the_end_of_a_family_stand_for_any_digit(family: str, asked: str, counts: bool) -> None:
    goods = Purchase(value=1, unit=Unit.ITEMS, company="0614141", family=asked)
    assert counts_for(Line(gtin="0614141000012", yen=1, family=family), goods) is counts


@pytest.mark.parametrize(("gtin", "company", "counts"), [
    ("0614141000012", "0614141", True),
    ("614141000012", "0614141", True),  # UPC-A
    ("10614141000019", "0614141", True),  # a case of them
    ("614141000012", "614141", True),  # a prefix of the U.P.C. system
    ("0614142000011", "0614141", False),
    ("4912345000017", "491234", True),
])  # fmt: skip
def test_goods_are_a_companys_by_the_prefix_in_their_number(gtin: str, company: str, counts: bool) -> None:
    goods = Purchase(value=1, unit=Unit.ITEMS, company=company, family="000")
    assert counts_for(Line(gtin=gtin, yen=1), goods) is counts


A, B, C = (
    Purchase(value=1, unit=Unit.ITEMS, company="0614141", family=family, slot=slot)
    for slot, family in enumerate(("100", "200", "300"))
)


@pytest.mark.parametrize(("rule", "there", "enough"), [
    (None, "a", True), (None, "bc", False),
    (Rule.ANY, "a", True), (Rule.ANY, "c", True), (Rule.ANY, "", False),
    (Rule.ALL, "abc", True), (Rule.ALL, "ab", False),
    (Rule.FIRST_AND_ANOTHER, "ab", True), (Rule.FIRST_AND_ANOTHER, "ac", True), (Rule.FIRST_AND_ANOTHER, "a", False),
    (Rule.FIRST_AND_ANOTHER, "bc", False),
    (Rule.ANOTHER, "b", True), (Rule.ANOTHER, "c", True), (Rule.ANOTHER, "a", False),
])  # fmt: skip
def test_how_purchases_belong_together(rule: Rule | None, there: str, enough: bool) -> None:
    lines = tuple(
        Line(gtin="0614141000012", yen=100, family={"a": "110", "b": "210", "c": "310"}[name]) for name in there
    )
    lack = missing(Terms(purchases=(A, B, C), rule=rule), Basket(lines), 100 * len(lines))
    assert (lack is None) is enough


@pytest.mark.parametrize(("unit", "value", "enough"), [
    (Unit.ITEMS, 3, True), (Unit.ITEMS, 4, False),
    (Unit.SPENT, 900, True), (Unit.SPENT, 901, False),
    (Unit.TOTAL, 3000, True), (Unit.TOTAL, 3001, False),
    (Unit.KILOGRAMS, 1500, True), (Unit.KILOGRAMS, 1501, False),
    (Unit.POUNDS, 330, True), (Unit.POUNDS, 331, False),  # 1.5 kg are 3.3069 lb
])  # fmt: skip
def test_purchases_are_counted_in_their_unit(unit: Unit, value: int, enough: bool) -> None:
    basket = Basket((Line(gtin="0614141000012", yen=900, quantity=3, grams=1500, family="234"),))
    goods = Purchase(value=value, unit=unit, company="0614141", family="234")
    assert (missing(Terms(purchases=(goods,)), basket, 3000) is None) is enough


def test_K9_a_coupon_of_one_retailer_counts_in_its_shops_alone() -> None:
    text = HEAD + "6" + "1" + "4912345"
    ours = {"retailers": frozenset({"4912345"})}
    assert verdict(text, OFFER, basket=Basket((TEA,))).reason is Reason.WRONG_SHOP
    assert verdict(text, OFFER, basket=Basket((TEA,)), known=ours).reason is Reason.OK


# --- what may be issued -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("campaign", [COUPON, CAPPED, NAMED, OFFER,
    msgspec.structs.replace(CAPPED, policy=Policy.LEASE),
    msgspec.structs.replace(COUPON, trade="gtin:04912345678904"),
    msgspec.structs.replace(COUPON, trade="store:991"),
])  # fmt: skip
def test_a_campaign_may_be_found_by_a_code_of_the_trade(campaign: Campaign) -> None:
    assert problems(campaign) == []


@pytest.mark.parametrize(("field", "changes"), [
    ("trade", {"trade": "gcn:4912345678905"}),
    ("trade", {"trade": "gcn:491234567890"}),
    ("trade", {"trade": "gtin:4912345678904"}),
    ("trade", {"trade": "offer:0614141"}),
    ("trade", {"trade": "offer:06141:654321"}),
    ("trade", {"trade": "qr:hello"}),
    ("trade", {"trade": "store:a b"}),
    ("trade", {"policy": Policy.SIGNED, "serials": True, "cap": None}),
    ("trade", {"jan": "4901234567894"}),
    ("cap", {"policy": Policy.ONLINE, "serials": True}),  # a serial that anybody can print holds nothing
    ("per_person", {"policy": Policy.ONLINE, "per_person": 1}),
    ("stock", {"stock": 5}),
    ("days_after_download", {"days_after_download": 5}),
    ("value_in_code", {"trade": "", "value_in_code": True}),
    ("value_in_code", {"value_in_code": True, "kind": Kind.GIFT, "gift": "tea", "amount_yen": 0}),
    ("needs_card", {"needs_card": True}),
    ("moving", {"moving": True}),
])  # fmt: skip
def test_K1_what_can_not_be_kept_is_not_issued(field: str, changes: dict[str, Any]) -> None:
    found = problems(msgspec.structs.replace(COUPON, **changes))
    assert any(problem.startswith(f"{field}:") for problem in found), found


def test_K1_an_open_coupon_is_bound_to_nobody() -> None:
    plain = msgspec.structs.replace(COUPON, trade="")
    for field in ("needs_card", "moving"):
        found = problems(msgspec.structs.replace(plain, **{field: True}))
        assert any(problem.startswith(f"{field}:") for problem in found)
        signed = msgspec.structs.replace(plain, policy=Policy.SIGNED, serials=True, **{field: True})
        assert problems(signed) == []
    assert problems(msgspec.structs.replace(plain, policy=Policy.SIGNED, moving=True)) == []  # counts each time, live
