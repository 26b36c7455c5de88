"""The controllers of the small OLEDs: how each is started (as luma.oled starts it) and told where bytes go.

`start(chip)` is what luma's own driver sends to a display that it finds, recorded: so the settings of each chip are the
library's, while opening, closing and finding the display again need no new driver object (each would stay in
memory until the process ends, since luma registers it for the interpreter's exit).
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from hal.errors import HalReason, PartMissing
from hal.pi.options import Chip
from hal.pi.pages import Window

DISPLAY_OFF: Final = 0xAE
DISPLAY_ON: Final = 0xAF
CONTRAST: Final = 0x81
_COLUMNS: Final = 0x21  # SSD1306 data sheet, 10.1.4
_PAGES: Final = 0x22  # 10.1.5
_PAGE: Final = 0xB0  # SH1106 data sheet, command 10
_COLUMN_HIGH: Final = 0x10  # command 2
SH1106_LEFT_PX: Final = 2  # 132 columns of memory, of which the 128 in the middle are seen
UPRIGHT: Final = (0xA1, 0xC8)
UPSIDE_DOWN: Final = (0xA0, 0xC0)  # segments and rows run the other way: the chip turns the picture, not we


class Start(NamedTuple):
    """The commands of a chip's start, in the order of its driver."""

    settings: tuple[int, ...]  # one command stream; the display is off while they are made
    again: tuple[int, ...]  # the same without switching off: harmless to a display that works


@cache
def start(chip: Chip, upside_down: bool = False) -> Start:
    """Raises PartMissing where luma.oled is not installed."""
    try:
        from luma.oled import device
    except ImportError as error:
        raise PartMissing(
            HalReason.NO_LIBRARY, f"the display needs luma.oled: pip install 'tokuten[pi]' ({error})"
        ) from error
    notes = _Notes()
    driver = getattr(device, chip)(notes)
    driver.persist = True  # at the interpreter's exit it would clear what it never drew
    settings = notes.streams[0]
    if settings[0] != DISPLAY_OFF:
        raise AssertionError(f"luma starts a {chip} with {settings[0]:#x}, not by switching it off")
    if upside_down:
        settings = tuple(dict(zip(UPRIGHT, UPSIDE_DOWN, strict=True)).get(byte, byte) for byte in settings)
    return Start(settings, settings[1:])


def place(chip: Chip, window: Window) -> tuple[int, ...]:
    """The commands that say where the next data bytes go. An SH1106 takes windows of one page."""
    if chip == "sh1106":
        left = window.first_column + SH1106_LEFT_PX
        return (_PAGE | window.first_page, left & 0x0F, _COLUMN_HIGH | left >> 4)
    return (_COLUMNS, window.first_column, window.last_column, _PAGES, window.first_page, window.last_page)


def takes_rectangles(chip: Chip) -> bool:
    return chip != "sh1106"


class _Notes:
    """A serial interface that goes nowhere and writes down the commands."""

    def __init__(self) -> None:
        self.streams: list[tuple[int, ...]] = []

    def command(self, *command: int) -> None:
        self.streams.append(command)

    def data(self, data: list[int]) -> None:
        """The first picture, which is black."""

    def cleanup(self) -> None:
        pass
