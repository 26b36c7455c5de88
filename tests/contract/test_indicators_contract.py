"""What lights, buzzer and buttons promise on every backend (hal/indicators.py)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hal.errors import PartFailed
from hal.events import ButtonPressed
from hal.indicators import LONGEST_MS, Light, Sound
from tests.contract.stands import INDICATORS, IndicatorStand, ModelIndicators, RealIndicators, virtual_stand
from tests.servers import wait_until


@pytest.fixture(params=INDICATORS)
def stand(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IndicatorStand]:
    if request.param.startswith("virtual"):
        with virtual_stand(request.param, tmp_path) as virtual:
            yield virtual
    else:
        made = RealIndicators() if request.param == "pi" else ModelIndicators(monkeypatch)
        yield made
        made.heal_part()
        made.indicators.close()


@pytest.mark.parametrize("light", Light)
def test_each_light_is_lit_when_it_is_set(stand: IndicatorStand, light: Light) -> None:
    stand.indicators.signal(light, Sound.NONE, LONGEST_MS)
    assert stand.light() is light


def test_a_light_is_on_for_its_time_and_then_dark_by_itself(stand: IndicatorStand) -> None:
    stand.indicators.signal(Light.GREEN, Sound.NONE, 150)
    assert stand.light() is Light.GREEN
    wait_until(lambda: stand.light() is Light.OFF, 2, "the light to go out")


def test_a_later_light_is_not_put_out_by_the_end_of_an_earlier_one(stand: IndicatorStand) -> None:
    stand.indicators.signal(Light.GREEN, Sound.NONE, 60)
    stand.indicators.signal(Light.RED, Sound.NONE, LONGEST_MS)
    stand.indicators.signal(Light.AMBER, Sound.NONE, 60)
    wait_until(lambda: stand.light() is not Light.AMBER, 2, "the last light's own end")
    assert stand.light() is Light.OFF


@pytest.mark.parametrize("duration_ms", [0, -1, LONGEST_MS + 1])
def test_a_light_without_an_end_in_sight_is_refused(stand: IndicatorStand, duration_ms: int) -> None:
    with pytest.raises(ValueError, match="ms"):
        stand.indicators.signal(Light.GREEN, Sound.YES, duration_ms)
    assert stand.light() is Light.OFF


def test_closing_puts_the_lights_out(stand: IndicatorStand) -> None:
    stand.indicators.signal(Light.GREEN, Sound.NONE, LONGEST_MS)
    stand.indicators.close()
    wait_until(lambda: stand.light() is Light.OFF, 2, "the light to go out")


def test_each_sound_is_played_once(stand: IndicatorStand) -> None:
    for sound in (Sound.YES, Sound.NO, Sound.TICK):
        before = len(stand.heard())
        stand.indicators.signal(Light.OFF, sound, 100)
        wait_until(lambda before=before: len(stand.heard()) > before, 2, "a sound")  # type: ignore[misc]
    assert stand.heard() == [Sound.YES, Sound.NO, Sound.TICK]


def test_presses_are_told_once_and_in_order(stand: IndicatorStand) -> None:
    assert stand.indicators.buttons() == []
    for button in (0, 1, 1):
        stand.press(button)
    assert stand.indicators.buttons() == [ButtonPressed(button=button) for button in (0, 1, 1)]
    assert stand.indicators.buttons() == []


def test_lights_that_are_gone_say_so(stand: IndicatorStand) -> None:
    stand.break_part()
    with pytest.raises(PartFailed):
        stand.indicators.signal(Light.GREEN, Sound.NONE, 100)
