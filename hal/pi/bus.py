"""The bus to the display: luma.core's serial interfaces, opened, and their errors translated.

What can fail: PartMissing when the bus, its library or the display is not there (or may not be used), PartFailed
when the display does not answer any more. A bus that is stuck keeps its caller for as long as the kernel lets
it: one second for each transfer on a Pi's I2C.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol, cast

from hal.errors import HalReason, PartFailed, PartMissing
from hal.pi import gpiochip
from hal.pi.options import DisplayOptions

RESET_S: Final = 0.01  # the chips ask for 3 microseconds; wires and level shifters take longer
_TURN_ON: Final = {
    "i2c": "sudo raspi-config nonint do_i2c 0",
    "spi": "sudo raspi-config nonint do_spi 0",
}


class Serial(Protocol):
    """What luma's drivers speak to (luma.core.interface.serial)."""

    def command(self, *command: int) -> None: ...

    def data(self, data: list[int]) -> None: ...

    def cleanup(self) -> None: ...


def open_bus(options: DisplayOptions) -> Serial:
    """Raises PartMissing."""
    with translated(options, opening=True):
        from luma.core.interface import serial

        if options.bus == "i2c":
            return cast(Serial, serial.i2c(port=options.i2c_port, address=options.i2c_address))
        gpiochip.choose()
        return cast(
            Serial,
            serial.spi(
                port=options.spi_port,
                device=options.spi_device,
                bus_speed_hz=options.spi_mhz * 1_000_000,
                gpio_DC=options.dc_pin,
                gpio_RST=options.reset_pin,
                reset_hold_time=RESET_S,
                reset_release_time=RESET_S,
            ),
        )


@contextmanager
def translated(options: DisplayOptions, *, opening: bool) -> Iterator[None]:
    """Errors of luma, of the kernel and of a missing library as ours."""
    kind = PartMissing if opening else PartFailed
    try:
        from luma.core.error import Error as LumaError
    except ImportError as error:
        raise PartMissing(HalReason.NO_LIBRARY, f"the display needs luma.core ({error})") from error
    try:
        yield
    except ImportError as error:
        how = "sudo apt install python3-spidev" if error.name == "spidev" else "pip install 'tokuten[pi]'"
        text = f"the display on {options.bus} needs a library: {how} ({error})"
        raise PartMissing(HalReason.NO_LIBRARY, text) from error
    except (LumaError, OSError, RuntimeError) as error:  # RuntimeError: RPi.GPIO, for the lines of an SPI display
        kernels = error.__context__ if isinstance(error, LumaError) else error
        text = _advice(kernels, options) if isinstance(kernels, OSError) else str(error)
        reason = HalReason.NOT_FOUND if opening else HalReason.NO_ANSWER
        raise kind(reason, f"{where(options)}: {text}") from error


def where(options: DisplayOptions) -> str:
    """Where the display is looked for, in words."""
    if options.bus == "i2c":
        return f"{options.chip} at 0x{options.i2c_address:02X} on /dev/i2c-{options.i2c_port}"
    return f"{options.chip} on /dev/spidev{options.spi_port}.{options.spi_device}"


def _advice(error: OSError, options: DisplayOptions) -> str:
    if error.errno == errno.ENOENT:
        return f"no such bus; is it turned on? ({_TURN_ON[options.bus]})"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"not allowed; is the user in the group {options.bus}?"
    if error.errno in (errno.EREMOTEIO, errno.EIO, errno.ENXIO):
        return "nothing answers; is it plugged in, and the address right?"
    return error.strerror or str(error)
