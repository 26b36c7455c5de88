"""A model of `lgpio` (the library under rpi-lgpio's RPi.GPIO): the lines of one chip, and who turns them.

The real `RPi/GPIO/__init__.py` of rpi-lgpio runs on top of it, so its checks (a pin that was not set up, a wrong
direction) are the released ones. `test_pi_signatures.py` holds this module's functions against lgpio's source.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any, Final

import pytest

REVISION: Final = "c03114"  # a Pi 4 Model B
HANDLE: Final = 7
_INPUT, _OUTPUT, _ALERT = 0x100, 0x200, 0x400


class error(Exception):
    pass


class Lines:
    """The chip. `levels` are what a meter shows; `press` is a finger."""

    def __init__(self) -> None:
        self.levels: dict[int, int] = {}
        self.modes: dict[int, int] = {}
        self.pulls: dict[int, int] = {}
        self.debounce_us: dict[int, int] = {}
        self.waves: list[tuple[int, float, float]] = []  # pin, Hz, duty cycle
        self.chips: list[int] = []  # each /dev/gpiochipN that was opened
        self.broken = False
        self._calls: dict[int, list[Callable[[int, int, int, int], None]]] = {}

    def press(self, pin: int) -> None:
        assert self.modes[pin] & _ALERT, "nobody listens to this pin"
        assert self.pulls[pin] == 32, "a button to ground on a pin that nothing pulls up"
        for call in self._calls.get(pin, []):
            call(HANDLE, pin, 0, 0)

    def module(self) -> types.ModuleType:
        """The model under lgpio's names."""
        lgpio = types.ModuleType("lgpio")
        vars(lgpio).update(
            error=error, SET_PULL_NONE=128, SET_PULL_UP=32, SET_PULL_DOWN=64, RISING_EDGE=1, FALLING_EDGE=2,
            BOTH_EDGES=3, GPIO_BUSY=-79, error_text=lambda number: f"lgpio error {number}",
        )  # fmt: skip
        for name in FUNCTIONS:
            setattr(lgpio, name, getattr(self, name))
        return lgpio

    def _check(self, handle: int) -> None:
        assert handle == HANDLE
        if self.broken:
            raise error("bad handle")

    # --- lgpio's words --------------------------------------------------------------------------------

    def gpiochip_open(self, gpiochip: int) -> int:
        if self.broken:
            raise error("can not open gpiochip")
        self.chips.append(gpiochip)
        return HANDLE

    def gpiochip_close(self, handle: int) -> int:
        self._check(handle)
        return 0

    def gpio_get_chip_info(self, handle: int) -> list[Any]:
        self._check(handle)
        return [0, 58, "gpiochip0", "pinctrl-bcm2711"]

    def gpio_get_mode(self, handle: int, gpio: int) -> int:
        self._check(handle)
        return self.modes.get(gpio, 0)

    def gpio_claim_output(self, handle: int, gpio: int, level: int = 0, lFlags: int = 0) -> int:
        self._check(handle)
        self.modes[gpio], self.levels[gpio] = _OUTPUT, int(level)
        return 0

    def gpio_claim_input(self, handle: int, gpio: int, lFlags: int = 0) -> int:
        self._check(handle)
        self.modes[gpio], self.pulls[gpio] = _INPUT | lFlags, lFlags
        self.levels[gpio] = int(lFlags == 32)
        return 0

    def gpio_claim_alert(
        self,
        handle: int,
        gpio: int,
        eFlags: int,
        lFlags: int = 0,
        notify_handle: int | None = None,
    ) -> int:
        self._check(handle)
        self.modes[gpio], self.pulls[gpio] = _ALERT | lFlags | eFlags << 17, lFlags
        return 0

    def gpio_free(self, handle: int, gpio: int) -> int:
        self._check(handle)
        if not self.modes.pop(gpio, 0):
            raise error("GPIO not allocated")
        return 0

    def gpio_read(self, handle: int, gpio: int) -> int:
        self._check(handle)
        return self.levels.get(gpio, 0)

    def gpio_write(self, handle: int, gpio: int, level: int) -> int:
        self._check(handle)
        if not self.modes.get(gpio, 0) & _OUTPUT:
            raise error("GPIO not set up as an output")
        self.levels[gpio] = int(level)
        return 0

    def gpio_set_debounce_micros(self, handle: int, gpio: int, debounce_micros: int) -> int:
        self._check(handle)
        self.debounce_us[gpio] = debounce_micros
        return 0

    def callback(self, handle: int, gpio: int, edge: int = 1, func: Callable[..., None] | None = None) -> Any:
        assert func is not None
        self._calls.setdefault(gpio, []).append(func)
        return types.SimpleNamespace(cancel=lambda: self._calls[gpio].remove(func))

    def tx_pwm(
        self,
        handle: int,
        gpio: int,
        pwm_frequency: float,
        pwm_duty_cycle: float,
        pulse_offset: int = 0,
        pulse_cycles: int = 0,
    ) -> int:
        self._check(handle)
        self.waves.append((gpio, pwm_frequency, pwm_duty_cycle))
        return 0


FUNCTIONS: Final = (
    "gpiochip_open", "gpiochip_close", "gpio_get_chip_info", "gpio_get_mode", "gpio_claim_output", "gpio_claim_input",
    "gpio_claim_alert", "gpio_free", "gpio_read", "gpio_write", "gpio_set_debounce_micros", "callback", "tx_pwm",
)  # fmt: skip


def plug_gpio(patch: pytest.MonkeyPatch, lines: Lines, chip: int = 0) -> None:
    """A Pi whose header is on /dev/gpiochip`chip`; RPi.GPIO is imported anew."""
    patch.setenv("RPI_LGPIO_REVISION", REVISION)
    patch.setenv("RPI_LGPIO_CHIP", str(chip))
    patch.setitem(sys.modules, "lgpio", lines.module())
    for name in ("RPi.GPIO", "RPi"):
        patch.delitem(sys.modules, name, raising=False)
