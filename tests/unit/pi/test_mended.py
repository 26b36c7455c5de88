"""Parts that vanish and come back: said once, healed without a restart, and told on what is left."""

from __future__ import annotations

import sys

import pytest
from PIL import Image, ImageDraw

from hal.errors import HalReason, PartFailed, PartMissing
from hal.events import PartFault, PartHealed
from hal.indicators import Light, Sound
from hal.mended import ALARM_MS, RENEW_S, RETRY_FIRST_S, RETRY_MAX_S, MendedDisplay, MendedIndicators, Tender
from tests.contract.stands import ModelDisplay, ModelIndicators
from tests.servers import wait_until

GONE = "ssd1306 at 0x3C on /dev/i2c-1: nothing answers; is it plugged in, and the address right?"


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Bench:
    """A display and lights on models, mended by hand on a clock of its own."""

    def __init__(self, patch: pytest.MonkeyPatch, there: bool = True) -> None:
        from hal.backends import open_display, open_indicators

        self.stand = ModelDisplay("pi-ssd1306-i2c", patch)
        self.stand.display.close()
        self.lights = ModelIndicators(patch)
        self.lights.indicators.close()
        if not there:
            self.stand.break_part()
        self.clock, self.told = Clock(), list[PartFault | PartHealed]()
        self.opened = 0

        def opener() -> object:
            self.opened += 1
            return open_display("pi", self.stand.options)

        self.display = MendedDisplay(opener, self.clock)  # type: ignore[arg-type]
        self.indicators = MendedIndicators(lambda: open_indicators("pi", {}), self.clock)
        self.tender = Tender(self.display, self.indicators)
        for mended in (self.display.mended, self.indicators.mended):
            mended.report_to(self.told.append)

    def later(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.tender.tend()

    def close(self) -> None:
        self.stand.heal_part()
        self.display.close()
        self.indicators.close()


def picture(left: int) -> Image.Image:
    image = Image.new("1", (128, 64))
    ImageDraw.Draw(image).rectangle((left, 5, left + 9, 20), fill=1)
    return image


def test_a_display_that_is_missing_at_the_start_is_told_and_taken_when_it_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch, there=False)
    with pytest.raises(PartFailed, match="nothing answers"):
        bench.display.show(picture(3))
    assert bench.told == [PartFault(part="display", reason=HalReason.NOT_FOUND, detail=GONE)]
    bench.stand.heal_part()
    bench.later(RETRY_FIRST_S)
    assert bench.told[1:] == [PartHealed(part="display")]
    assert bench.stand.shows(picture(3)), "what should have been seen is seen now"
    bench.close()


def test_a_display_that_is_pulled_out_and_put_back_shows_the_newest_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.display.show(picture(3))
    bench.stand.break_part()
    for left in (4, 5, 6):
        with pytest.raises(PartFailed):
            bench.display.show(picture(left))
    assert [type(event) for event in bench.told] == [PartFault]
    bench.stand.oled.power_on()
    bench.stand.heal_part()
    bench.later(RETRY_FIRST_S)
    assert bench.stand.shows(picture(6))
    assert [type(event) for event in bench.told] == [PartFault, PartHealed]
    bench.close()


def test_each_absence_begins_with_the_shortest_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    for absence in (1, 2, 3):
        bench.stand.break_part()
        with pytest.raises(PartFailed):
            bench.display.show(picture(absence))
        bench.stand.heal_part()
        bench.later(RETRY_FIRST_S)
        assert bench.stand.shows(picture(absence))
    assert [type(event) for event in bench.told] == [PartFault, PartHealed] * 3
    bench.close()


def test_a_broken_display_costs_the_one_who_decides_no_time_on_the_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, there=False)
    before = bench.opened
    for _ in range(20):
        with pytest.raises(PartFailed):
            bench.display.show(picture(3))
    assert bench.opened == before
    bench.close()


def test_tries_become_rarer_and_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, there=False)
    for _ in range(600):
        bench.later(1.0)
    assert 600 / RETRY_MAX_S <= bench.opened <= 600 / RETRY_MAX_S + 8
    assert len(bench.told) == 1
    bench.close()


def test_a_loss_of_power_that_nobody_noticed_is_healed_within_the_stated_time(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.display.show(picture(3))
    bench.stand.oled.power_on()
    bench.later(RENEW_S / 2)
    assert not bench.stand.shows(picture(3))
    bench.later(RENEW_S / 2)
    assert bench.stand.shows(picture(3))
    bench.close()


def test_an_idle_display_that_is_pulled_out_is_noticed_without_a_shopper(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.stand.break_part()
    bench.later(RENEW_S)
    assert [type(event) for event in bench.told] == [PartFault]
    bench.close()


def test_while_the_display_is_out_the_lights_say_so_but_never_over_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, there=False)
    bench.indicators.signal(Light.GREEN, Sound.NONE, 2_000)
    bench.later(1.0)
    assert bench.lights.light() is not Light.AMBER
    bench.later(1.5)
    assert bench.lights.light() is Light.AMBER
    bench.stand.heal_part()
    bench.later(RETRY_MAX_S)
    wait_until(lambda: bench.lights.light() is Light.OFF, 2 + ALARM_MS / 1000, "the alarm's end")
    bench.later(1.0)
    assert bench.lights.light() is Light.OFF
    bench.close()


def test_lights_that_fail_are_opened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    # rpi-lgpio's PWM complains as it goes; pytest would keep the complaint, and with it the PWM
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    bench = Bench(monkeypatch)
    bench.lights.break_part()
    with pytest.raises(PartFailed):
        bench.indicators.signal(Light.GREEN, Sound.NONE, 100)
    bench.later(RETRY_FIRST_S)
    assert [type(event) for event in bench.told] == [PartFault]
    bench.lights.heal_part()
    bench.later(RETRY_MAX_S)
    bench.indicators.signal(Light.BLUE, Sound.NONE, 5_000)
    assert bench.lights.light() is Light.BLUE
    assert [type(event) for event in bench.told] == [PartFault, PartHealed]
    bench.close()


def test_a_missing_library_stops_the_start_since_it_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def opener() -> object:
        raise PartMissing(HalReason.NO_LIBRARY, "pip install")

    with pytest.raises(PartMissing, match="pip install"):
        MendedDisplay(opener)  # type: ignore[arg-type]


def test_the_tenders_thread_heals_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, there=False)
    bench.tender.start(bench.told.append)
    bench.stand.heal_part()
    bench.clock.now_s += RETRY_MAX_S
    wait_until(lambda: PartHealed(part="display") in bench.told, 5, "the display's return")
    bench.tender.stop()
    bench.close()
