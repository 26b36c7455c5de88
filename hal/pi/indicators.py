"""Lights, buzzer and buttons on GPIO.

One thread puts the light out when its time is over and plays the tones; `signal` only tells it and returns. When that
thread meets an error, the next call says it. If the whole process dies, the kernel keeps the pins as they were: the
unit's service runs `tokuten doctor --dark` after each end (deploy/systemd/tokuten-unit.service).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from hal.errors import HalError, PartFailed
from hal.events import ButtonPressed
from hal.indicators import LONGEST_MS, Light, Sound
from hal.pi.gpio import Gpio, Pwm, open_gpio, translated
from hal.pi.options import IndicatorOptions

BOUNCE_MS: Final = 30
PRESSES_MAX: Final = 64  # that wait to be asked for; the oldest fall off
JOIN_S: Final = 2.0
LEVELS: Final = {  # red, green, blue
    Light.OFF: (0, 0, 0),
    Light.GREEN: (0, 1, 0),
    Light.RED: (1, 0, 0),
    Light.AMBER: (1, 1, 0),
    Light.BLUE: (0, 0, 1),
}


class Tone(NamedTuple):
    hz: int  # 0: a pause
    duration_ms: int


TONES: Final = {
    Sound.NONE: (),
    Sound.YES: (Tone(2_093, 140),),
    Sound.NO: (Tone(392, 160), Tone(0, 60), Tone(330, 240)),
    Sound.TICK: (Tone(3_136, 15),),
}
DUTY_PERCENT: Final = 50.0


class PiIndicators:
    """A `hal.indicators.Indicators`. Safe to call from several threads. Raises ValueError for a duration out of bounds,
    PartMissing at opening and PartFailed later."""

    def __init__(self, options: IndicatorOptions, gpio: Callable[[], Gpio] = open_gpio) -> None:
        self._gpio = gpio()
        self._lights = (options.red_pin, options.green_pin, options.blue_pin)
        self._buttons = {options.left_pin: 0, options.right_pin: 1}
        self._pins = [*self._lights, options.buzzer_pin, *self._buttons]
        self._dark = int(options.lit_by_low)  # the level of a light that is off
        self._pressed: deque[ButtonPressed] = deque(maxlen=PRESSES_MAX)
        self._changed = threading.Condition()
        self._off_s: float | None = None
        self._tones: deque[Tone] = deque()
        self._tone_until_s: float | None = None
        self._failed: PartFailed | None = None
        self._closing = False
        self._buzzer: Pwm | None = None
        if len(set(self._pins)) != len(self._pins):
            raise ValueError(f"each light, the buzzer and each button has a pin of its own, not {self._pins}")
        try:
            with translated(opening=True):
                self._set_up(options)
        except HalError:
            self._release()
            raise
        self._thread = threading.Thread(target=self._run, name="lights", daemon=True)
        self._thread.start()

    def signal(self, light: Light, sound: Sound, duration_ms: int) -> None:
        if not 1 <= duration_ms <= LONGEST_MS:
            raise ValueError(f"a signal lasts 1 to {LONGEST_MS} ms, not {duration_ms}")
        with self._changed:
            self._say_failure()
            with translated(opening=False):
                self._light(light)
            self._off_s = time.monotonic() + duration_ms / 1000
            if sound is not Sound.NONE:  # a new sound takes the place of one that still plays
                self._tones = deque(TONES[sound])
                self._tone_until_s = time.monotonic()
            self._changed.notify()

    def buttons(self) -> list[ButtonPressed]:
        with self._changed:
            self._say_failure()
        pressed = []
        while self._pressed:
            pressed.append(self._pressed.popleft())
        return pressed

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(JOIN_S)
        self._release()

    # --- pins -----------------------------------------------------------------------------------------

    def _set_up(self, options: IndicatorOptions) -> None:
        gpio = self._gpio
        for pin in self._lights:
            gpio.setup(pin, gpio.OUT, initial=self._dark)
        gpio.setup(options.buzzer_pin, gpio.OUT, initial=0)
        for pin in self._buttons:
            gpio.setup(pin, gpio.IN, pull_up_down=gpio.PUD_UP)
            gpio.add_event_detect(pin, gpio.FALLING, callback=self._press, bouncetime=BOUNCE_MS)
        self._buzzer = gpio.PWM(options.buzzer_pin, TONES[Sound.YES][0].hz)

    def _press(self, pin: int) -> None:
        """Called on the GPIO library's thread."""
        self._pressed.append(ButtonPressed(button=self._buttons[pin]))

    def _light(self, light: Light) -> None:
        for pin, level in zip(self._lights, LEVELS[light], strict=True):
            self._gpio.output(pin, level ^ self._dark)

    def _release(self) -> None:
        """All outputs to their defaults, and inputs again. The buzzer goes first: it writes to its pin as it goes."""
        self._hush()
        self._buzzer = None
        with suppress(PartFailed), translated(opening=False):
            for pin in self._lights:
                self._gpio.output(pin, self._dark)
        with suppress(PartFailed), translated(opening=False):
            self._gpio.cleanup(self._pins)

    def _hush(self) -> None:
        with suppress(PartFailed), translated(opening=False):
            if self._buzzer is not None:
                self._buzzer.stop()

    def _say_failure(self) -> None:
        if self._failed is not None:
            raise self._failed

    # --- time -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        with self._changed:
            while not self._closing:
                try:
                    with translated(opening=False):
                        due_s = self._turn(time.monotonic())
                except PartFailed as error:
                    self._failed = error
                    return
                self._changed.wait(None if due_s is None else max(0.0, due_s - time.monotonic()))

    def _turn(self, now_s: float) -> float | None:
        """What is due now; when something is due again."""
        if self._off_s is not None and now_s >= self._off_s:
            self._off_s = None
            self._light(Light.OFF)
        if self._tone_until_s is not None and now_s >= self._tone_until_s:
            self._next_tone(now_s)
        return min((at_s for at_s in (self._off_s, self._tone_until_s) if at_s is not None), default=None)

    def _next_tone(self, now_s: float) -> None:
        assert self._buzzer is not None
        self._buzzer.stop()  # a frequency that changes under way would be heard as a glide
        if not self._tones:
            self._tone_until_s = None
            return
        tone = self._tones.popleft()
        self._tone_until_s = now_s + tone.duration_ms / 1000
        if tone.hz:
            self._buzzer.ChangeFrequency(tone.hz)
            self._buzzer.start(DUTY_PERCENT)
