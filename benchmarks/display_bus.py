"""Bytes on the bus of a small OLED: a changed line against a full frame, and a shopper's scan as the screens draw it.

Counted on recording buses under the real driver and luma.core, not timed: the figures are the same on every machine.
Beside it stands what luma.oled's own driver sends for the same picture, which is always everything.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

import pytest
from luma.core.interface.serial import i2c
from luma.oled import device
from PIL import Image, ImageDraw

from benchmarks.figures import Limits, given
from edge_agent.core.effects import Show, View
from edge_agent.screens import states
from edge_agent.screens.layout import draw
from edge_agent.screens.screen import Status
from hal.backends import open_display
from hal.display import Display
from tests.pi_models.buses import Wires, plug_i2c
from tests.pi_models.oled import Oled

CHIPS: Final = ("ssd1306", "sh1106")
I2C_BITS: Final = 9  # of each byte, with its acknowledgement
KHZ: Final = 400
SHARE_MAX: Final = {"the clock's minute": 0.05, "one line": 1 / 3, "another screen": 1.0, "nothing": 0.0}


def pictures() -> Iterator[tuple[str, Image.Image, Image.Image]]:
    """What changes: before and after."""

    def idle(clock: str) -> Image.Image:
        status = Status(clock=clock, online=True, waiting=0)
        return draw(states.screen_for(Show(view=View.READY), "ja", 540, status))

    line = idle("12:00").copy()
    ImageDraw.Draw(line).rectangle((0, 24, 127, 39), fill=0)
    ImageDraw.Draw(line).text((2, 26), "another line of text", fill=1)
    asking = draw(states.screen_for(Show(view=View.ASKING), "ja", 540, Status(clock="12:00", online=True, waiting=0)))
    yield "the clock's minute", idle("12:00"), idle("12:01")
    yield "one line", idle("12:00"), line
    yield "another screen", idle("12:00"), asking
    yield "nothing", idle("12:00"), idle("12:00")


def bytes_for(chip: str, before: Image.Image, after: Image.Image) -> int:
    """On I2C, for `after` on a display that shows `before`."""
    with pytest.MonkeyPatch.context() as patch:
        wires = Wires(Oled(chip))
        plug_i2c(patch, wires)
        display: Display = open_display("pi", {"chip": chip})
        display.show(before)
        start = wires.bytes_sent
        display.show(after)
        assert wires.display.look() == after.tobytes()
        return wires.bytes_sent - start


def bytes_of_luma(chip: str, after: Image.Image) -> int:
    """The same by luma's own driver: a full frame."""
    with pytest.MonkeyPatch.context() as patch:
        wires = Wires(Oled(chip))
        plug_i2c(patch, wires)
        driver = getattr(device, chip)(i2c(port=1, address=0x3C))
        driver.persist = True
        start = wires.bytes_sent
        driver.display(after)
        return wires.bytes_sent - start


def measure() -> Limits:
    """The figures, printed."""
    limits = Limits()
    for chip in CHIPS:
        for what, before, after in pictures():
            ours, full = bytes_for(chip, before, after), bytes_of_luma(chip, after)
            sides = f"ours {ours} bytes ({ours * I2C_BITS / KHZ:.1f} ms at {KHZ} kHz), a full frame by luma.oled {full}"
            limits.at_most(f"{chip}, {what}: of a full frame", ours / full, SHARE_MAX[what], sides)
    return limits


def main(arguments: list[str] | None = None) -> int:
    given("Bytes on the bus of a small OLED.", arguments)
    return measure().code()


if __name__ == "__main__":
    sys.exit(main())
