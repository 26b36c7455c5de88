"""The virtual display: a luma device whose pixels are a World's.

Pictures take the same way as to the real OLED: luma's canvas, its preprocessing, then the device's `display`.
"""

from __future__ import annotations

from contextlib import suppress

from luma.core.device import device as LumaDevice
from luma.core.interface.serial import noop
from luma.core.render import canvas
from PIL import Image

from hal.display import HEIGHT_PX, WIDTH_PX
from hal.errors import PartFailed
from hal.virtual.port import Port


class VirtualDisplay:
    """A `hal.display.Display`. Raises ValueError for a picture of another size or mode, and PartFailed."""

    def __init__(self, port: Port) -> None:
        self._device = _Oled(port)

    def show(self, image: Image.Image) -> None:
        if image.size != (WIDTH_PX, HEIGHT_PX) or image.mode != "1":
            raise ValueError(
                f"a picture has {WIDTH_PX}x{HEIGHT_PX} pixels of mode '1', not {image.size} {image.mode!r}"
            )
        with canvas(self._device, background=image):
            pass

    def close(self) -> None:
        with suppress(PartFailed):  # a display that is gone is dark
            self._device.clear()
        self._device.close()


class _Oled(LumaDevice):  # type: ignore[misc]  # luma has no types
    """128x64, one bit, like the SSD1306 of the real unit."""

    def __init__(self, port: Port) -> None:
        super().__init__(serial_interface=noop())
        self.capabilities(WIDTH_PX, HEIGHT_PX, rotate=0, mode="1")
        self.persist = True  # luma blanks at the interpreter's exit, when the link may be gone; `close` does it
        self._port = port

    def display(self, image: Image.Image) -> None:
        self._port.show(self.preprocess(image).tobytes())

    def close(self) -> None:
        self._port.close()
