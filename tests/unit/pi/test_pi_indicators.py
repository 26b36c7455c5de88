"""Lights, buzzer and buttons by the released rpi-lgpio on a model of its chip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hal.errors import PartFailed, PartMissing
from hal.events import ButtonPressed
from hal.indicators import LONGEST_MS, Light, Sound
from hal.pi import gpiochip
from hal.pi.indicators import BOUNCE_MS, PRESSES_MAX
from tests.contract.stands import PINS, ModelIndicators
from tests.servers import wait_until


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelIndicators]:
    made = ModelIndicators(monkeypatch)
    yield made
    made.heal_part()
    made.indicators.close()


def test_pins_start_dark_and_buttons_are_pulled_up_and_debounced(stand: ModelIndicators) -> None:
    lines = stand.lines
    assert [lines.levels[pin] for pin in (PINS.red_pin, PINS.green_pin, PINS.blue_pin, PINS.buzzer_pin)] == [0] * 4
    for pin in (PINS.left_pin, PINS.right_pin):
        assert lines.pulls[pin] == 32
        assert lines.debounce_us[pin] == BOUNCE_MS * 1000


def test_a_no_is_two_low_tones_with_a_pause_and_then_silence(stand: ModelIndicators) -> None:
    stand.indicators.signal(Light.RED, Sound.NO, 500)
    wait_until(
        lambda: [w for w in stand.lines.waves if w[2]][-1:] == [(PINS.buzzer_pin, 330.0, 50.0)], 2, "the 2nd tone"
    )
    wait_until(lambda: stand.lines.waves[-1][1:] == (0, 0), 2, "silence")
    assert [wave[1] for wave in stand.lines.waves if wave[2]] == [392.0, 330.0]


def test_lights_with_a_common_plus_are_lit_by_low(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = ModelIndicators(monkeypatch, lit_by_low=True)
    assert stand.lines.levels[PINS.green_pin] == 1
    stand.indicators.signal(Light.GREEN, Sound.NONE, LONGEST_MS)
    assert (stand.light(), stand.lines.levels[PINS.green_pin]) == (Light.GREEN, 0)
    stand.indicators.close()
    assert PINS.green_pin not in stand.lines.modes, "the pin was given back"


def test_an_error_on_the_thread_is_told_to_the_next_caller(stand: ModelIndicators) -> None:
    stand.indicators.signal(Light.GREEN, Sound.NONE, 50)
    stand.break_part()

    def told() -> bool:
        try:
            stand.indicators.buttons()
        except PartFailed as error:
            return "bad handle" in str(error)
        return False

    wait_until(told, 2, "the failure of the light's end")


def test_presses_that_nobody_asks_for_are_bounded_and_the_newest_stay(stand: ModelIndicators) -> None:
    stand.press(0)
    for _ in range(PRESSES_MAX):
        stand.press(1)
    assert stand.indicators.buttons() == [ButtonPressed(button=1)] * PRESSES_MAX


def test_it_can_be_opened_again_after_it_was_closed(stand: ModelIndicators, monkeypatch: pytest.MonkeyPatch) -> None:
    from hal.backends import open_indicators

    stand.indicators.close()
    again = open_indicators("pi", {})
    again.signal(Light.BLUE, Sound.TICK, LONGEST_MS)
    assert stand.light() is Light.BLUE
    again.close()


def test_two_parts_on_one_pin_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="pin of its own"):
        ModelIndicators(monkeypatch, red_pin=5)


def test_a_chip_that_cannot_be_opened_is_a_missing_part(
    stand: ModelIndicators, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.pi_models.lines import Lines, plug_gpio

    broken = Lines()
    broken.broken = True
    plug_gpio(monkeypatch, broken)
    from hal.backends import open_indicators

    with pytest.raises(PartMissing, match="can not open gpiochip"):
        open_indicators("pi", {})


# -- which chip


def chip(root: Path, number: int, *drivers: str) -> None:
    node = root / f"gpiochip{number}" / "of_node"
    node.mkdir(parents=True)
    (node / "compatible").write_text("".join(driver + "\0" for driver in drivers))


def test_the_headers_chip_is_found_by_its_driver_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(gpiochip.CHOSEN, raising=False)
    chip(tmp_path, 0, "brcm,brcmstb-gpio")
    chip(tmp_path, 4, "raspberrypi,rp1-gpio")
    (tmp_path / "gpiochip9").mkdir()  # an expander on I2C, without a device tree
    assert gpiochip.choose(tmp_path) == 4
    import os

    assert os.environ[gpiochip.CHOSEN] == "4", "and rpi-lgpio is told"
    monkeypatch.delenv(gpiochip.CHOSEN)


def test_without_a_raspberry_pis_chip_none_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(gpiochip.CHOSEN, raising=False)
    chip(tmp_path, 0, "intel,gpio")
    with pytest.raises(PartMissing, match="no GPIO chip of a Raspberry Pi"):
        gpiochip.choose(tmp_path)


def test_a_chip_that_the_environment_names_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gpiochip.CHOSEN, "3")
    assert gpiochip.choose(tmp_path) == 3
