"""Where lines end, and what the fonts hold."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_agent.screens.fonts import GETA, Face, drawable, font, glyph
from edge_agent.screens.text import NEVER_FIRST, NEVER_LAST, end_cost, wrap

ANY_TEXT = st.text(st.sampled_from("あいうっゃカナッー漢字回数円。、「」（）abc XYZ 0123,.-ｱｶﾞ…"), max_size=40)


def _lines(text: str, face: Face, width_px: int) -> list[str] | None:
    wrapped = wrap(text, face, width_px)
    return None if wrapped is None else wrapped.lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("すでにご利用済みです", ["すでに", "ご利用済みです"]),
        ("期限が過ぎています", ["期限が", "過ぎています"]),
        ("ご利用いただけます", ["ご利用", "いただけます"]),
        ("お会計時に使えます", ["お会計時に", "使えます"]),
        ("Please hold it still", ["Please hold", "it still"]),
        ("確認できません", ["確認できません"]),
    ],
)
def test_lines_end_where_phrases_end(text: str, lines: list[str]) -> None:
    assert _lines(text, Face.BOLD12, 98) == lines


@given(text=ANY_TEXT, width_px=st.integers(24, 128))
@example(text="「 カ", width_px=24)
def test_no_line_is_too_wide_or_begins_or_ends_with_a_mark_that_may_not(text: str, width_px: int) -> None:
    text = text.strip(" ")
    lines = _lines(text, Face.TEXT12, width_px)
    if lines is None:
        return
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    for line in lines:
        assert font(Face.TEXT12).width_px(line) <= width_px
    for line in lines[1:]:
        assert line[0] not in NEVER_FIRST
    for line in lines[:-1]:
        assert line[-1] not in NEVER_LAST


@given(text=ANY_TEXT)
def test_no_english_word_and_no_number_is_ever_cut(text: str) -> None:
    for at in range(1, len(text)):
        if text[at - 1].isascii() and text[at].isascii() and text[at - 1] != " " and text[at] != " ":
            assert end_cost(text, at) is None


def test_a_number_stays_with_what_it_counts() -> None:
    assert _lines("今だけ値引き100円分", Face.TEXT12, 90) == ["今だけ値引き", "100円分"]
    assert _lines("一人3回限定", Face.TEXT12, 44) == ["一人", "3回限定"]  # though '一人3' would be more even


@pytest.mark.parametrize("face", Face)
def test_every_font_has_ascii_half_width_kana_and_both_levels_of_kanji(face: Face) -> None:
    have = font(face)
    for character in [chr(code) for code in range(0x20, 0x7F)] + list("ｱﾞﾟｦあン亜腕弌熙。、「」ー々〓…¥￥～〜"):
        assert have.has(character), character


@pytest.mark.parametrize("face", Face)
def test_all_fonts_have_the_same_characters(face: Face) -> None:
    characters = [chr(code) for code in range(0x20, 0x10000)]
    assert [c for c in characters if font(face).has(c) != font(Face.TEXT12).has(c)] == []


def test_full_width_letters_are_twice_as_wide_as_half_width_ones() -> None:
    assert (font(Face.TEXT12).width_px("漢"), font(Face.TEXT12).width_px("a")) == (12, 6)
    assert (font(Face.BOLD16).width_px("漢"), font(Face.BOLD16).width_px("ｱ")) == (16, 8)


def test_a_glyph_is_drawn_as_the_font_has_it() -> None:
    rows = [f"{int.from_bytes(glyph(Face.TEXT12, '+').crop((0, y, 6, y + 1)).tobytes()) >> 2:06b}" for y in range(13)]
    assert [row for row in rows if row != "000000"] == ["001000", "001000", "111110", "001000", "001000"]


@pytest.mark.parametrize(("text", "shown"), [("①㈱", "1(株)"), ("\U0001f600", GETA), ("it’s – “ok”", 'it\'s - "ok"')])
def test_a_character_that_the_fonts_lack_is_decomposed_or_marked(text: str, shown: str) -> None:
    assert drawable(text) == shown
