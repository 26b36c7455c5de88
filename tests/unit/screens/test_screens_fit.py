"""Everything a unit can say fits on its display: nothing outside, nothing over anything else, no word cut."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import NamedTuple

import pytest
from PIL import Image

from edge_agent.screens import layout, states
from edge_agent.screens.fonts import GETA, Face, drawable, glyph
from edge_agent.screens.screen import Screen
from edge_agent.screens.text import NEVER_FIRST, NEVER_LAST
from loyalty.campaign import NAME_CHARS_MAX, Kind, Lang
from loyalty.reason import Reason
from tests.unit.screens.screens_gallery import LANGS, TZ_OFFSET_MIN, campaign, gallery, verdict

LONG_NAMES = (
    "秋",
    "年末年始特別大感謝祭ご優待クーポン券",
    "W" * NAME_CHARS_MAX,
    "Grand opening, 3 days only!",
    "「特」、。ー",
)


class Placed(NamedTuple):
    line: str
    left: int
    top: int
    right: int
    bottom: int


def _placed(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> list[Placed]:
    """Where the ink of each line of headline and detail stands."""
    found: list[Placed] = []
    draw_text = layout._text

    def noted(pen: object, x: int, y: int, line: str, face: Face, ink: int = 1) -> None:
        boxes = [(glyph(face, character), character) for character in line]
        width = sum(mark.width for mark, _ in boxes)
        inked = [box for mark, _ in boxes if (box := mark.getbbox()) is not None]
        if inked:
            found.append(Placed(line, x, y + min(b[1] for b in inked), x + width, y + max(b[3] for b in inked)))
        draw_text(pen, x, y, line, face, ink)  # type: ignore[arg-type]

    monkeypatch.setattr(layout, "_text", noted)
    picture = layout.draw(screen)
    assert (picture.mode, picture.size) == ("1", (128, 64))
    return found


def _assert_fits(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    placed = _placed(screen, monkeypatch)
    for one in placed:
        assert one.left >= 0, one
        assert one.top >= 0, one
        assert one.right <= 128, one
        assert one.bottom <= 64, one
    for above, below in pairwise(placed):
        beside = above.right <= below.left or below.right <= above.left
        assert beside or below.top >= above.bottom - 1, (above, below)  # a descender may reach into a row
    bar = 0 if screen.status is None else len([one for one in placed if one.bottom <= layout.BAR_PX])
    shown = "".join(one.line for one in placed[bar:]).replace(" ", "")
    assert shown == _squeezed(screen.headline, screen.detail)
    for one in placed[bar:]:
        assert one.line[0] not in NEVER_FIRST, one
        assert one.line[-1] not in NEVER_LAST, one


def _squeezed(headline: str, detail: str) -> str:
    """Both texts as they are shown: the head is drawn first."""
    return "".join((drawable(headline) + drawable(detail)).split())


@pytest.mark.parametrize("lang", LANGS)
def test_every_screen_fits_whole(lang: Lang, monkeypatch: pytest.MonkeyPatch) -> None:
    for screen in gallery(lang).values():
        with monkeypatch.context() as patch:
            _assert_fits(screen, patch)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("reason", Reason)
def test_K5_every_answer_fits_whole_with_the_longest_values(
    reason: Reason, lang: Lang, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in LONG_NAMES:
        for kind, changes in (
            (Kind.AMOUNT, {"amount_yen": 9_999_999}),
            (Kind.PERCENT, {"percent": 100}),
            (Kind.GIFT, {"gift": "オリジナルステンレスボトル（限定色）"}),
            (Kind.TICKET, {"gift": "S席 2階 123列 456番"}),
        ):
            long = campaign(lang, name=name, kind=kind, per_person=9_999, **changes)
            what = verdict(
                reason,
                lang,
                campaign=long,
                discount_yen=9_999_999,
                needed_yen=9_999_999,
                at_ms=253_370_764_800_000,
                site="w" * 32,
            )
            with monkeypatch.context() as patch:
                _assert_fits(states.answer(what, lang, TZ_OFFSET_MIN), patch)


@pytest.mark.parametrize("lang", LANGS)
def test_no_screen_of_ours_breaks_a_word_or_lacks_a_character(lang: Lang, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, screen in gallery(lang).items():
        assert GETA not in drawable(screen.headline + screen.detail), name
        with monkeypatch.context() as patch:
            for one in _placed(screen, patch):
                assert layout.ELLIPSIS not in one.line, name


def test_a_text_that_cannot_fit_ends_in_an_ellipsis_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "These words of somebody else go on and on until nobody could read them any more on such a display"
    screen = Screen(icon=gallery("en")["ready"].icon, headline=words, detail=words)
    placed = _placed(screen, monkeypatch)
    assert [one.line for one in placed if one.line.endswith("…")]
    for one in placed:
        assert set(one.line.rstrip("…").split()) <= set(words.split())
        assert one.right <= 128


FOREIGN = ["", "\n", "\n\n\n\n", "あ" * 5000, "あ" * 119, "W" * 5000, "i " * 59, "。" * 99, "（" * 99]


@pytest.mark.parametrize("text", [*FOREIGN, "\U0001f600\u200b\x00"])
def test_any_text_gives_a_picture_and_soon(text: str) -> None:
    icon = gallery("en")["ready"].icon
    begun = time.perf_counter()
    for screen in (Screen(icon=icon, headline=text), Screen(icon=icon, headline=text, detail=text, progress=101)):
        picture = layout.draw(screen)
        assert isinstance(picture, Image.Image)
        assert picture.size == (128, 64)
    assert time.perf_counter() - begun < 1.0
