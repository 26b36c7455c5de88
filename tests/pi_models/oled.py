"""Models of the OLED controllers: bytes as they come over the bus in, a picture out. Stricter than the chips.

By the data sheets: SSD1306 (Solomon Systech, rev 1.1: 8.1.5 the I2C interface with its control byte, 9 the commands,
10.1.3 addressing modes, 10.1.4 and 10.1.5 windows), SSD1309 (rev 1.1, the same commands without a charge pump),
SH1106 (Sino Wealth, v2.3: page addressing only, 132 columns). The chips ignore what they do not know; these
raise `Strange`: a byte that no data sheet names, a command cut short, a window that is none.

Not modelled: scrolling, timing, and what a picture looks like while it is being written.
"""

from __future__ import annotations

import random
from typing import Final

from PIL import Image

from hal.display import HEIGHT_PX, WIDTH_PX

PAGES: Final = 8
_ONE: Final = frozenset({0xD5, 0xA8, 0xD3, 0x8D, 0x20, 0xDA, 0xD9, 0xDB, 0x81, 0xAD})  # commands with one parameter
_TWO: Final = frozenset({0x21, 0x22})


class Strange(AssertionError):
    """Bytes that the data sheet has no meaning for."""


class Oled:
    """One display with its memory. `kind`: ssd1306, ssd1309 or sh1106."""

    def __init__(self, kind: str, seed: int = 1) -> None:
        self.kind = kind
        self._columns = 132 if kind == "sh1106" else WIDTH_PX
        self._random = random.Random(seed)
        self.power_on()

    def power_on(self) -> None:
        """Registers as after a reset, memory as it happens to be."""
        self._memory = [bytearray(self._random.randbytes(self._columns)) for _ in range(PAGES)]
        self.on = self._pump = self._remapped = self._from_below = False
        self._horizontal = False  # page addressing is the default (10.1.3)
        self._window = (0, self._columns - 1, 0, PAGES - 1)
        self._page = self._column = 0
        self._multiplex, self._offset, self._line = 63, 0, 0
        self.contrast = 0x7F

    # --- the bus --------------------------------------------------------------------------------------

    def i2c(self, payload: bytes) -> None:
        """One transfer after the address byte: a control byte (8.1.5.2, Co = 0) and what follows."""
        control, rest = payload[0], payload[1:]
        if control == 0x00:
            self.commands(rest)
        elif control == 0x40:
            self.data(rest)
        else:
            raise Strange(f"control byte {control:#04x}")

    def commands(self, stream: bytes) -> None:
        rest = list(stream)
        while rest:
            command = rest.pop(0)
            many = 2 if command in _TWO and self.kind != "sh1106" else 1 if command in _ONE else 0
            if self.kind == "sh1106" and command == 0x20:  # not this chip's; luma sends it, and the next is column 0
                many = 0
            if len(rest) < many:
                raise Strange(f"command {command:#04x} was cut short")
            self._command(command, [rest.pop(0) for _ in range(many)])

    def data(self, stream: bytes) -> None:
        first, last, top, bottom = self._window
        for byte in stream:
            self._memory[self._page][self._column] = byte
            self._column += 1
            if not self._horizontal:
                self._column %= self._columns
            elif self._column > last:
                self._column = first
                self._page = top if self._page == bottom else self._page + 1

    def _command(self, command: int, given: list[int]) -> None:
        match command:
            case 0xAE | 0xAF:
                self.on = command == 0xAF
            case 0x81:
                self.contrast = given[0]
            case 0xA0 | 0xA1:
                self._remapped = command == 0xA1
            case 0xC0 | 0xC8:
                self._from_below = command == 0xC8
            case 0xA8:
                self._multiplex = given[0]
            case 0xD3:
                self._offset = given[0]
            case 0xA4 | 0xA6 | 0xD5 | 0xDA | 0xD9 | 0xDB:
                pass  # electrical, and the normal way of showing
            case 0x8D:
                self._pump = given[0] == 0x14
            case 0x20 if self.kind == "sh1106":
                pass
            case 0x20:
                if given[0] not in (0, 2):
                    raise Strange(f"memory mode {given[0]}")
                self._horizontal = given[0] == 0
            case 0x21 | 0x22 if self.kind != "sh1106":
                self._set_window(command, *given)
            case _ if 0x40 <= command <= 0x7F:
                self._line = command & 0x3F
            case _ if 0xB0 <= command <= 0xB7:
                self._page = command & 7
            case _ if command <= 0x1F and not self._horizontal:  # page addressing mode only (10.1.1, 10.1.2)
                high = command & 0x10
                self._column = self._column & 0x0F | (command & 0x0F) << 4 if high else self._column & 0xF0 | command
            case _:
                raise Strange(f"{self.kind}: command {command:#04x}")

    def _set_window(self, command: int, first: int, last: int) -> None:
        most = (self._columns if command == 0x21 else PAGES) - 1
        if not self._horizontal or not first <= last <= most:
            raise Strange(f"window {command:#04x} {first} {last}")
        columns, pages = self._window[:2], self._window[2:]
        if command == 0x21:
            columns, self._column = (first, last), first
        else:
            pages, self._page = (first, last), first
        self._window = (*columns, *pages)

    # --- what a person sees ---------------------------------------------------------------------------

    def look(self) -> bytes:
        """The picture as `hal.virtual.port` has it: rows from the top, leftmost pixel in the high bit."""
        picture = Image.new("1", (WIDTH_PX, HEIGHT_PX))
        powered = self._pump or self.kind != "ssd1306"  # an SSD1306 without its pump has no voltage to shine with
        if self.on and powered:
            if (self._multiplex, self._offset, self._line) != (63, 0, 0):
                raise Strange("the picture would be cut or shifted")
            left = 2 if self.kind == "sh1106" else 0
            for y in range(HEIGHT_PX):
                for x in range(WIDTH_PX):
                    if self._memory[y // 8][left + x] >> (y % 8) & 1:
                        picture.putpixel(
                            (x if self._remapped else WIDTH_PX - 1 - x, y if self._from_below else HEIGHT_PX - 1 - y), 1
                        )
        return picture.tobytes()
