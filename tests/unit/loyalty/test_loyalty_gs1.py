"""GS1 messages: split as scanned, in brackets and in addresses; every rule with the AI and the place that it names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty import check_digit
from loyalty.barcode.gs1 import dates, link, message
from loyalty.barcode.gs1.ais import AI_LENGTHS, AIS
from loyalty.barcode.gs1.elements import ELEMENTS_MAX
from loyalty.barcode.gs1.faults import Fault, Gs1Error, Trouble

GCN = "4912345678904"
GTIN = "04912345678904"
GSRN = "491234567890123451"
GLN = "4912345678904"


def told(text: str | bytes) -> list[tuple[str, str]]:
    found = message.read(text if isinstance(text, bytes) else text.encode())
    assert found is not None
    return [(element.ai, element.value) for element in found.elements]


def trouble(text: str | bytes) -> Trouble:
    with pytest.raises(Gs1Error) as caught:
        message.read(text if isinstance(text, bytes) else text.encode())
    return caught.value.trouble


# --- the ways in ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["", "]C1", "]e0", "]d2", "]Q3", "\x1d", "]C1\x1d", "]d2\x1d"])
def test_K5_symbology_identifiers_and_FNC1_in_the_first_place_mean_nothing_more(start: str) -> None:
    assert told(f"{start}255{GCN}123\x1d17261231") == [("255", f"{GCN}123"), ("17", "261231")]


@pytest.mark.parametrize(
    "text",
    [
        f"255{GCN}123\x1d17261231\x1d3900500",  # a separator behind a predefined length is borne
        f"17261231255{GCN}123\x1d3900500",
        f"3900500\x1d17261231255{GCN}123\x1d",  # and one at the end
        f"(255){GCN}123(17)261231(3900)500",
        f"(17)261231(255){GCN}123(3900)500",
        f"https://id.gs1.org/255/{GCN}123?17=261231&3900=500",
        f"HTTP://SHOP.EXAMPLE:8080/a/b/255/{GCN}123/?3900=500;utm=x&17=261231#top",
    ],
)
def test_K5_the_same_message_comes_in_many_forms(text: str) -> None:
    assert sorted(told(text)) == [("17", "261231"), ("255", f"{GCN}123"), ("3900", "500")]


def test_every_AI_is_found_by_its_digits_whatever_follows() -> None:
    assert len(AIS) > 500
    for ai, entry in AIS.items():
        assert AI_LENGTHS[ai[:2]] == len(ai) == len(entry.ai)
        assert 0 < entry.least <= entry.most <= 90
        assert entry.least == entry.most or not entry.predefined  # only an exact length can end without a separator


@pytest.mark.parametrize("ai", ["00", "01", "02", "11", "20", "3100", "3695", "410", "417"])
def test_a_predefined_length_ends_without_a_separator(ai: str) -> None:
    assert AIS[ai.encode()].predefined


@pytest.mark.parametrize("ai", ["10", "21", "255", "3900", "3940", "8018", "8110", "8111", "422"])
def test_any_other_length_ends_with_one(ai: str) -> None:
    assert not AIS[ai.encode()].predefined
    exact = "422" if ai == "422" else ai
    value = "9" * AIS[exact.encode()].most
    assert trouble(f"{ai}{value}9").fault in (Fault.TOO_LONG, Fault.EXCESS)


def test_values_may_hold_brackets_of_their_own() -> None:
    assert told(f"(01){GTIN}(10)A(B)(C(21)X") == [("01", GTIN), ("10", "A(B)(C"), ("21", "X")]
    assert told(rf"(01){GTIN}(10)A\(17)B") == [("01", GTIN), ("10", "A(17)B")]


def test_a_character_behind_an_escape_is_named_where_it_stands() -> None:
    text = rf"(01){GTIN}(10)A\(17)B~"
    assert trouble(text) == Trouble(Fault.CHARACTER, "10", text.index("~"), "a character that can't stand here")
    address = f"https://a/01/{GTIN}/10/A%2FB%20C"
    found = trouble(address)
    assert (found.fault, found.ai, found.at) == (Fault.CHARACTER, "10", address.index("%20"))


# --- addresses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/",
        "https://example.com",
        "https://blog.example/2024/01/15",  # somebody's diary
        "https://shop.example/414/x",
        f"https://shop.example/{GTIN}",
        f"https://shop.example/01/{GTIN}/more",  # the last pair is no AI
        "https://shop.example/gtin/04912345678904",  # the deprecated names
        "ftp://shop.example/255/4912345678904",
    ],
)
def test_an_ordinary_address_is_no_message(text: str) -> None:
    assert not link.looks_like_one(text.encode()) or message.read(text.encode()) is None


def test_of_several_keys_in_a_path_the_rightmost_one_counts() -> None:
    assert told(f"https://a/255/{GCN}/01/{GTIN}/21/x") == [("01", GTIN), ("21", "x")]


@pytest.mark.parametrize(("text", "fault", "ai", "where"), [
    ("https:///255/{gcn}", Fault.ADDRESS, "", "/255"),
    ("https://a_b/255/{gcn}", Fault.ADDRESS, "", "_b"),
    ("https://a/255/{gcn}?10= x", Fault.ADDRESS, "", " x"),
    ("https://a/255/{gcn}?17=26123%1", Fault.ADDRESS, "17", "%1"),
    ("https://a/255/{gcn}?17=26123%zz", Fault.ADDRESS, "17", "%zz"),
    ("https://a/255/{gcn}?17=261231&17=261231", Fault.REPEATED, "17", "17=261231&17="),
    ("https://a/255/{gcn}?255={gcn}", Fault.REPEATED, "255", "255={gcn}"),
    ("https://a/255/{gcn}?01={gtin}", Fault.PLACE, "01", "01={gtin}"),
    ("https://a/01/{gtin}?21=x", Fault.PLACE, "21", "21=x"),
    ("https://a/01/{gtin}/21/x/10/y", Fault.PLACE, "10", "y"),
    ("https://a/01/{gtin}/235/x/21/y", Fault.PLACE, "21", "y"),
    ("https://a/255/{gcn}?9999=1", Fault.UNKNOWN_AI, "", "9999"),
    ("https://a/255/{gcn}?17=", Fault.TOO_SHORT, "17", ""),
    ("https://a/255/491234567890", Fault.TOO_SHORT, "255", "4912"),
])  # fmt: skip
def test_K5_what_is_wrong_with_an_address_is_named_with_its_place(text: str, fault: Fault, ai: str, where: str) -> None:
    text, where = text.format(gcn=GCN, gtin=GTIN), where.format(gcn=GCN, gtin=GTIN)
    found = trouble(text)
    place = len(text) if not where else text.rindex(where) if where in ("y", "4912") else text.index(where)
    if where == "17=261231&17=":
        place += len("17=261231&")
    assert (found.fault, found.ai, found.at) == (fault, ai, place)


# --- one value -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "fault", "ai", "at"), [
    ("", Fault.EMPTY, "", 0),
    ("]C1", Fault.EMPTY, "", 3),
    ("0512345678901234", Fault.UNKNOWN_AI, "", 0),
    ("8113x", Fault.UNKNOWN_AI, "", 0),
    (f"255{GCN}\x1d\x1d17261231", Fault.UNKNOWN_AI, "", 17),
    (f"255{GCN}\x1d99", Fault.TOO_SHORT, "99", 19),
    ("(17)9(90)217", Fault.TOO_SHORT, "17", 4),
    ("(05)1", Fault.UNKNOWN_AI, "", 1),
    ("]C1(17)261231", Fault.UNKNOWN_AI, "", 3),
    ("(255", Fault.BRACKETS, "", 0),
    ("255" + GCN[:-1], Fault.TOO_SHORT, "255", 3),
    ("255" + GCN[:-1] + "5", Fault.CHECK_DIGIT, "255", 15),
    (f"255{GCN}1234567890123", Fault.TOO_LONG, "255", 28),
    (f"255{GCN}12a", Fault.CHARACTER, "255", 18),
    ("01" + GTIN[:-1] + "5", Fault.CHECK_DIGIT, "01", 15),
    ("8018" + GSRN[:-1] + "9", Fault.CHECK_DIGIT, "8018", 21),
    ("8017" + GSRN[:-1] + "9", Fault.CHECK_DIGIT, "8017", 21),
    (f"01{GTIN}17261331", Fault.DATE, "17", 20),
    (f"01{GTIN}17260000", Fault.DATE, "17", 20),
    (f"01{GTIN}17260231", Fault.DATE, "17", 22),
    (f"01{GTIN}17250229", Fault.DATE, "17", 22),
    (f"01{GTIN}1726023x", Fault.CHARACTER, "17", 23),
    (f"01{GTIN}10A~", Fault.CHARACTER, "10", 19),
    (f"01{GTIN}10A B", Fault.CHARACTER, "10", 19),
    (f"01{GTIN}21" + "1" * 21, Fault.TOO_LONG, "21", 38),
    ("800" + "3" + "1" + GTIN, Fault.CHARACTER, "8003", 4),
    (f"255{GCN}\x1d394112", Fault.TOO_SHORT, "3941", 21),
    (f"255{GCN}\x1d811112", Fault.TOO_SHORT, "8111", 21),
])  # fmt: skip
def test_K5_what_is_wrong_with_a_value_is_named_with_AI_and_place(text: str, fault: Fault, ai: str, at: int) -> None:
    found = trouble(text)
    assert (found.fault, found.ai, found.at) == (fault, ai, at)
    assert GCN not in found.words


@pytest.mark.parametrize("date", ["261200", "260200", "240229", "000229", "991231"])
def test_day_00_is_the_last_of_the_month_and_leap_years_have_their_day(date: str) -> None:
    assert told(f"01{GTIN}17{date}")[1] == ("17", date)


@given(st.sampled_from([3, 9]), st.integers(0, 12), st.integers(1, 9))
def test_a_coupon_number_with_any_single_wrong_digit_is_told(seed: int, place: int, by: int) -> None:
    head = f"{seed}" * 12
    number = head + str(check_digit.check_digit(head))
    wrong = number[:place] + str((int(number[place]) + by) % 10) + number[place + 1 :]
    assert told("255" + number)
    assert trouble("255" + wrong).fault is Fault.CHECK_DIGIT


# --- values together ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "fault", "ai"), [
    ("17261231", Fault.MISSING, "17"),
    ("10LOT", Fault.MISSING, "10"),
    ("21X", Fault.MISSING, "21"),
    ("3900500", Fault.MISSING, "3900"),
    (f"01{GTIN}3900500", Fault.MISSING, "3900"),
    ("39401000", Fault.MISSING, "3940"),
    ("81110100", Fault.MISSING, "8111"),
    ("8019123", Fault.MISSING, "8019"),
    ("8020REF", Fault.MISSING, "8020"),
    (f"415{GLN}", Fault.MISSING, "415"),
    (f"255{GCN}\x1d01{GTIN}", Fault.EXCLUDED, "255"),
    (f"01{GTIN}02{GTIN}37{1}", Fault.EXCLUDED, "01"),
    (f"255{GCN}\x1d415{GLN}8020REF", Fault.EXCLUDED, "255"),
    (f"255{GCN}\x1d3900500\x1d3941125", Fault.TOO_SHORT, "3941"),
    (f"255{GCN}\x1d3900500\x1d39411250", Fault.EXCLUDED, "3900"),
    (f"255{GCN}\x1d3900500\x1d39015000", Fault.EXCLUDED, "3901"),
    (f"255{GCN}\x1d3900500\x1d81110100", Fault.EXCLUDED, "3900"),
    (f"255{GCN}\x1d39401000\x1d81110100", Fault.EXCLUDED, "3940"),
    (f"8018{GSRN}\x1d8017{GSRN}", Fault.EXCLUDED, "8018"),
    (f"01{GTIN}21A\x1d235B", Fault.EXCLUDED, "21"),
    (f"255{GCN}\x1d255{GCN}1", Fault.REPEATED, "255"),
    (f"01{GTIN}1726123117270101", Fault.REPEATED, "17"),
    (f"255{GCN}\x1d8112001234561234560123456", Fault.EXCLUDED, "8112"),
])  # fmt: skip
def test_K5_what_must_and_must_not_stand_together_is_named(text: str, fault: Fault, ai: str) -> None:
    found = trouble(text)
    assert (found.fault, found.ai) == (fault, ai)
    assert text.encode()[found.at - len(ai) : found.at] == ai.encode()


@pytest.mark.parametrize(
    "text",
    [
        f"255{GCN}\x1d3900500",
        f"415{GLN}8020REF\x1d3900500",
        f"8018{GSRN}\x1d80191",
        f"01{GTIN}21A\x1d250B",
        f"255{GCN}\x1d17261231",
        f"255{GCN}\x1d255{GCN}",  # the same again says nothing new
    ],
)
def test_what_may_stand_together_does(text: str) -> None:
    assert told(text)


def test_a_message_has_no_end_of_elements() -> None:
    found = trouble("20" + "12" + "2012" * ELEMENTS_MAX)
    assert found.fault is Fault.TOO_MANY


# --- dates ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("digits", "now", "year"), [
    (26, 2026, 2026), (76, 2026, 2076), (77, 2026, 1977), (99, 2026, 1999), (0, 2026, 2000),
    (0, 2051, 2100), (2, 2051, 2002), (49, 1999, 2049), (50, 1999, 1950),
])  # fmt: skip
def test_the_century_is_the_one_that_puts_the_year_near_today(digits: int, now: int, year: int) -> None:
    assert dates.year_of(digits, now) == year


def test_a_day_ends_at_midnight_where_the_shop_is() -> None:
    now_ms = 1_790_000_000_000  # September 2026
    end_ms = dates.ends_ms("261231", now_ms, 540)
    assert end_ms == 1_798_729_200_000  # 2027-01-01 00:00 in Japan
    assert dates.begins_ms("261231", now_ms, 540) == end_ms - 86_400_000
    assert dates.ends_ms("261200", now_ms, 540) == end_ms
    assert dates.ends_ms("260200", now_ms, 0) == dates.ends_ms("260228", now_ms, 0)
