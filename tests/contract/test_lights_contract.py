"""What every backend of the lights and buttons promises (hal/indicators.py): virtual, and the reader board."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hal.events import ButtonPressed
from hal.indicators import LONGEST_MS, Light, Sound
from tests.contract.counter_rig import COUNTER_RIGS, CounterRig, open_counter
from tests.servers import wait_until


@pytest.fixture(params=COUNTER_RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CounterRig]:
    with open_counter(request.param, tmp_path) as opened:
        yield opened


def test_a_light_is_on_for_its_time_and_then_dark_by_itself(rig: CounterRig) -> None:
    rig.indicators.signal(Light.GREEN, Sound.NONE, 150)
    assert rig.hand.light() is Light.GREEN
    wait_until(lambda: rig.hand.light() is Light.OFF, 2, "the light to go out")


@pytest.mark.parametrize("duration_ms", [0, -1, LONGEST_MS + 1])
def test_a_light_without_an_end_in_sight_is_refused(rig: CounterRig, duration_ms: int) -> None:
    with pytest.raises(ValueError, match="ms"):
        rig.indicators.signal(Light.GREEN, Sound.YES, duration_ms)
    assert rig.hand.light() is Light.OFF


def test_closing_puts_the_lights_out(rig: CounterRig) -> None:
    rig.indicators.signal(Light.GREEN, Sound.NONE, LONGEST_MS)
    rig.indicators.close()
    wait_until(lambda: rig.hand.light() is Light.OFF, 2, "the light to go out")


@pytest.mark.parametrize("light", [Light.GREEN, Light.RED, Light.AMBER, Light.BLUE])
def test_each_light_is_the_one_that_was_asked_for(rig: CounterRig, light: Light) -> None:
    rig.indicators.signal(light, Sound.NONE, 1_000)
    assert rig.hand.light() is light


def test_presses_come_once_each_and_in_order(rig: CounterRig) -> None:
    for button in (0, 1, 0):
        rig.hand.press_button(button)
    pressed: list[ButtonPressed] = []

    def three() -> bool:
        pressed.extend(rig.indicators.buttons())
        return len(pressed) >= 3

    wait_until(three, 2, "three presses")
    assert [event.button for event in pressed] == [0, 1, 0]
    assert rig.indicators.buttons() == []
