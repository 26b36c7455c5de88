"""The words on the small display: every reason in both languages, in its room whatever the values are (K5)."""

from __future__ import annotations

import unicodedata
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.campaign import PER_PERSON_MAX, YEN_MAX, Campaign, Kind, Lang, Policy
from loyalty.cells import cells, printable, shorten
from loyalty.coupon import Verdict
from loyalty.reason import HEADLINE_CELLS, LINE_CELLS, LINES_MAX, Reason, sentence
from loyalty.words import WORDS

LANGS: tuple[Lang, ...] = get_args(Lang)
JST_MIN = 540
TENS_OF_DIGITS = 10**30
NO_LINE_STARTS_WITH = "。、，．・：；？！゛゜ヽヾゝゞ々ー’”）〕］｝〉》」』】ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ"
CAMPAIGN = Campaign(
    id=7, name="S楽器 1000円券", kind=Kind.AMOUNT, policy=Policy.SIGNED, provider="S楽器", amount_yen=1000, per_person=2
)


def longest(name: str, kind: Kind, number: int, at_ms: int) -> Verdict:
    campaign = Campaign(
        id=7, name=name, kind=kind, policy=Policy.SIGNED, provider="p", amount_yen=number, percent=number, gift=name,
        per_person=number, min_spend_yen=number,
    )  # fmt: skip
    return Verdict(
        reason=Reason.OK, campaign=campaign, discount_yen=number, needed_yen=number, at_ms=at_ms, site="w" * 32
    )


EXTREMES = {
    "nothing known": Verdict(reason=Reason.OK),
    "an empty name": Verdict(reason=Reason.OK, campaign=msgspec.structs.replace(CAMPAIGN, name="")),
    "the widest that can be issued": longest("Ｗ" * 60, Kind.AMOUNT, YEN_MAX, 1_798_729_199_000),
    "more than can be issued": longest("Ｗ" * 5000, Kind.PERCENT, TENS_OF_DIGITS, TENS_OF_DIGITS),
    "marks upon marks": longest("e" + "\u0301" * 5000, Kind.GIFT, PER_PERSON_MAX, 0),
    "half-width katakana": longest("ｶﾞ" * 60, Kind.TICKET, 1, -TENS_OF_DIGITS),
    "control characters": longest("a\nb\tc\x1b[31m\u202e\u0000" * 9, Kind.GIFT, -5, 1),
    "ambiguous width": longest("…①×※" * 20, Kind.TICKET, 1, 253_402_300_799_999),
}


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("which", EXTREMES)
def test_K5_every_answer_has_words_that_fit_the_display(which: str, reason: Reason, lang: Lang) -> None:
    for tz_offset_min in (-720, 0, JST_MIN, 840, 10**9):
        words = sentence(msgspec.structs.replace(EXTREMES[which], reason=reason), lang, tz_offset_min)
        assert 0 < cells(words.headline) <= HEADLINE_CELLS == 20
        lines = words.detail.split("\n")
        if which != "nothing known":
            assert 0 < len(lines) <= LINES_MAX == 3
        for line in (words.headline, *lines):
            assert cells(line) <= LINE_CELLS == 20, line
            assert "{" not in line
            assert all(unicodedata.category(c)[0] != "C" for c in line)
            assert line[:1] not in NO_LINE_STARTS_WITH or not line


@pytest.mark.parametrize("lang", LANGS)
def test_K5_every_reason_has_words_of_at_most_four_lines_and_one_value_each(lang: Lang) -> None:
    assert set(WORDS[lang]) == set(Reason)
    for headline, *lines in WORDS[lang].values():
        assert "{" not in headline
        assert 1 <= len(lines) <= LINES_MAX
        assert all(line.count("{") == line.count("}") <= 1 for line in lines)


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.OK_AGAIN, Reason.CHECK_DIGIT, Reason.DAMAGED}))
def test_K5_no_two_reasons_look_the_same(reason: Reason) -> None:
    """But the yes that is repeated, and two ways to be unreadable that need the same of the shopper."""
    for lang in LANGS:
        same_headline = [other for other in Reason if WORDS[lang][other][0] == WORDS[lang][reason][0]]
        assert set(same_headline) <= {reason, Reason.OK_AGAIN}


@pytest.mark.parametrize("lang", LANGS)
def test_K5_a_yes_and_a_no_never_share_a_headline(lang: Lang) -> None:
    yes = {WORDS[lang][reason][0] for reason in Reason if Verdict(reason=reason).accepted}
    no = {WORDS[lang][reason][0] for reason in Reason if not Verdict(reason=reason).accepted}
    assert not yes & no


def shown(verdict: Verdict, lang: Lang) -> list[str]:
    words = sentence(verdict, lang, JST_MIN)
    return [words.headline, *words.detail.split("\n")]


USED = Verdict(reason=Reason.USED, campaign=CAMPAIGN, at_ms=958_299_540_000, site="shinjuku")  # figure 3
ENDED = Verdict(reason=Reason.EXPIRED, campaign=CAMPAIGN, at_ms=964_969_200_000)  # the end of 30 July 2000 in Japan


@pytest.mark.parametrize(
    ("verdict", "lang", "expected"),
    [
        (
            Verdict(reason=Reason.OK, campaign=CAMPAIGN, discount_yen=1000),
            "ja",
            ["ご利用いただけます", "S楽器 1000円券", "1,000円引き", "値引き1,000円"],
        ),
        (Verdict(reason=Reason.OK, campaign=CAMPAIGN), "en", ["Coupon accepted", "S楽器 1000円券", "1,000 yen off"]),
        (USED, "ja", ["すでにご利用済みです", "2000/5/14 19:19に", "shinjukuにて", "他のクーポンをどうぞ"]),
        (USED, "en", ["Already used", "on 14 May 2000 19:19", "at shinjuku", "Please try another."]),
        (ENDED, "ja", ["期限が過ぎています", "S楽器 1000円券", "2000/7/30まで", "他のクーポンをどうぞ"]),
        (ENDED, "en", ["Coupon has expired", "S楽器 1000円券", "on 30 Jul 2000", "Please try another."]),
        (
            msgspec.structs.replace(ENDED, at_ms=ENDED.at_ms and ENDED.at_ms - 6 * 3_600_000),
            "ja",
            ["期限が過ぎています", "S楽器 1000円券", "2000/7/30 18:00まで", "他のクーポンをどうぞ"],
        ),
        (
            Verdict(reason=Reason.MIN_SPEND, campaign=CAMPAIGN, needed_yen=1200),
            "ja",
            ["お買上げが足りません", "S楽器 1000円券", "あと1,200円の", "ご購入で使えます。"],
        ),
        (
            Verdict(reason=Reason.PERSON_LIMIT, campaign=CAMPAIGN),
            "en",
            ["Your limit reached", "S楽器 1000円券", "2 per person.", "Please try another."],
        ),
        (
            Verdict(reason=Reason.NOT_GENUINE),
            "ja",
            ["無効なコードです", "正規のクーポンと", "確認できません。", "再表示してください。"],
        ),
    ],
)
def test_K5_the_words_say_what_it_is_why_and_what_to_do(verdict: Verdict, lang: Lang, expected: list[str]) -> None:
    assert shown(verdict, lang) == expected


def test_a_long_name_is_cut_with_an_ellipsis_and_an_amount_never_is() -> None:
    campaign = msgspec.structs.replace(CAMPAIGN, name="とても長い名前のクーポンです", amount_yen=YEN_MAX)
    lines = shown(Verdict(reason=Reason.OK, campaign=campaign, discount_yen=YEN_MAX + 1), "ja")
    assert lines[1:] == ["とても長い名前のク…", "99,999,999円引き", "値引き99,999,999+円"]


@given(st.text(max_size=60), st.integers(0, 60))
def test_a_shortened_text_fits_and_begins_as_the_whole_one(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert cells(short) <= limit
    assert text.startswith(short.removesuffix("…"))
    assert short == text or cells(text) > limit


@given(st.text(max_size=60))
def test_a_printable_text_is_on_one_line_and_stays_as_it_is(text: str) -> None:
    once = printable(text)
    assert printable(once) == once
    assert all(unicodedata.category(c)[0] != "C" for c in once)
    assert once == once.strip()


@pytest.mark.parametrize(("text", "width"), [
    ("", 0), ("abc", 3), ("円", 2), ("ｶﾞ", 2), ("ａ", 2), ("…", 2), ("①", 2), ("é", 2), ("¥", 1),
])  # fmt: skip
def test_widths_follow_the_annex_on_East_Asian_width(text: str, width: int) -> None:
    assert cells(text) == width


def test_K5_a_long_gift_is_named_whole_without_the_word_for_it() -> None:
    tea = Campaign(id=1, name="Tea for two", kind=Kind.GIFT, policy=Policy.SIGNED, provider="cafe", gift="a pot of tea")
    said = sentence(Verdict(reason=Reason.OK, campaign=tea), "ja", 540)
    assert said.detail.split("\n")[-1] == "a pot of tea"
    assert "…" not in said.detail
