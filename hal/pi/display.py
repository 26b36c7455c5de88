"""The OLED: pictures to the chip's memory, of which only what changed is sent.

A display keeps no word for 'my power was gone': it answers and shows nothing. So `renew` makes its settings again
and sends the whole picture; whoever owns the display calls it now and then (`hal.mended`). After any failure the
next picture is sent whole as well, with the settings before it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from PIL import Image

from hal.display import HEIGHT_PX, WIDTH_PX
from hal.errors import HalError, PartFailed
from hal.pi import oled
from hal.pi.bus import Serial, open_bus, translated
from hal.pi.options import DisplayOptions
from hal.pi.pages import PAGES, WHOLE, Pages, Window, changed, content, pages

# Bytes on the bus for one more window: on I2C an address and a control byte for each of its two transfers.
OVERHEAD_BYTES: Final = {("i2c", True): 10, ("i2c", False): 7, ("spi", True): 6, ("spi", False): 3}

OpenBus = Callable[[DisplayOptions], Serial]


class PiDisplay:
    """A `hal.display.Display`. Not for several threads at once.

    Raises ValueError for a picture of another size or mode, PartMissing at opening and PartFailed later.
    """

    def __init__(self, options: DisplayOptions, bus: OpenBus = open_bus) -> None:
        self._options = options
        self._start = oled.start(options.chip, options.upside_down)
        self._rectangles = oled.takes_rectangles(options.chip)
        self._serial = bus(options)
        self._shown: Pages | None = None  # None: what the memory holds is not known
        self._picture: Pages = pages(Image.new("1", (WIDTH_PX, HEIGHT_PX)))
        try:
            with translated(options, opening=True):
                self._serial.command(*self._start.settings)
                self._send_whole()
        except HalError:
            self._let_go()
            raise

    def show(self, image: Image.Image) -> None:
        if image.size != (WIDTH_PX, HEIGHT_PX) or image.mode != "1":
            raise ValueError(
                f"a picture has {WIDTH_PX}x{HEIGHT_PX} pixels of mode '1', not {image.size} {image.mode!r}"
            )
        self._picture = pages(image)
        if self._shown is None:
            self.renew()
            return
        overhead = OVERHEAD_BYTES[self._options.bus, self._rectangles]
        before, self._shown = self._shown, None
        with translated(self._options, opening=False):
            for window in changed(before, self._picture, overhead_bytes=overhead, rectangles=self._rectangles):
                self._send(window)
        self._shown = self._picture

    def renew(self) -> None:
        """Make the settings again and send the whole picture: after it a display that lost its power shows it too.

        Not seen on a display that has it already. Raises PartFailed.
        """
        with translated(self._options, opening=False):
            self._serial.command(*self._start.again)
            self._send_whole()

    def close(self) -> None:
        """Dark, and let go of. A display that is gone is dark already."""
        with suppress(PartFailed), translated(self._options, opening=False):
            self._serial.command(oled.DISPLAY_OFF)
        self._shown = None
        self._let_go()

    def _send_whole(self) -> None:
        """Contrast, every byte of the picture, and only then the light."""
        self._shown = None
        self._serial.command(oled.CONTRAST, self._options.contrast)
        whole = [WHOLE] if self._rectangles else [Window(page, page, 0, WIDTH_PX - 1) for page in range(PAGES)]
        for window in whole:
            self._send(window)
        self._serial.command(oled.DISPLAY_ON)
        self._shown = self._picture

    def _send(self, window: Window) -> None:
        self._serial.command(*oled.place(self._options.chip, window))
        self._serial.data(list(content(self._picture, window)))

    def _let_go(self) -> None:
        with suppress(PartFailed), translated(self._options, opening=False):
            self._serial.cleanup()
