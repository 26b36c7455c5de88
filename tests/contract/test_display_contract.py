"""What every display promises (hal/display.py): virtual ones, and the Pi's over models of three chips on two buses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from hal.display import HEIGHT_PX, WIDTH_PX
from hal.errors import PartFailed
from tests.contract.stands import DISPLAYS, DisplayStand, ModelDisplay, RealDisplay, virtual_stand

DARK = Image.new("1", (WIDTH_PX, HEIGHT_PX))


@pytest.fixture(params=DISPLAYS)
def stand(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DisplayStand]:
    if request.param.startswith("virtual"):
        with virtual_stand(request.param, tmp_path) as virtual:
            yield virtual
    else:
        made = RealDisplay() if request.param == "pi" else ModelDisplay(request.param, monkeypatch)
        yield made
        made.display.close()


def box(left: int, top: int, right: int, bottom: int) -> Image.Image:
    picture = DARK.copy()
    ImageDraw.Draw(picture).rectangle((left, top, right, bottom), fill=1)
    return picture


def test_a_picture_is_visible_when_show_returns(stand: DisplayStand) -> None:
    stand.display.show(box(3, 5, 60, 20))
    assert stand.shows(box(3, 5, 60, 20))


def test_each_picture_takes_the_place_of_the_one_before(stand: DisplayStand) -> None:
    for picture in (box(0, 0, 0, 0), box(127, 63, 127, 63), box(0, 0, 127, 63), box(64, 7, 127, 9), DARK):
        stand.display.show(picture)
        assert stand.shows(picture)


@pytest.mark.parametrize("wrong", [Image.new("1", (64, 128)), Image.new("L", (128, 64)), Image.new("1", (128, 65))])
def test_a_picture_of_another_size_or_mode_is_refused(stand: DisplayStand, wrong: Image.Image) -> None:
    with pytest.raises(ValueError, match="128x64"):
        stand.display.show(wrong)
    assert stand.shows(DARK)


def test_a_closed_display_is_dark(stand: DisplayStand) -> None:
    stand.display.show(box(3, 5, 60, 20))
    stand.display.close()
    assert stand.shows(DARK)


def test_a_broken_display_says_so_and_works_again_when_healed(stand: DisplayStand) -> None:
    stand.display.show(box(0, 0, 30, 30))
    stand.break_part()
    with pytest.raises(PartFailed):
        stand.display.show(box(3, 5, 60, 20))
    stand.heal_part()
    stand.display.show(box(4, 6, 61, 21))
    assert stand.shows(box(4, 6, 61, 21))
