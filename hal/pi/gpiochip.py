"""Which /dev/gpiochipN carries the header's pins: found by its driver, never guessed.

The number differs between boards and kernels (0 on a Pi 4; 0 or 4 on a Pi 5). rpi-lgpio looks for it too, and takes
0 when it finds none, which on another board is somebody else's chip: so we look first, and stop.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from hal.errors import HalReason, PartMissing

CHOSEN: Final = "RPI_LGPIO_CHIP"  # the variable by which rpi-lgpio is told
HEADERS: Final = frozenset(
    {
        "raspberrypi,rp1-gpio",
        "brcm,bcm2711-gpio",
        "brcm,bcm2835-gpio",
        "raspberrypi,bcm2835-gpio",
        "raspberrypi,bcm2711-gpio",
    }
)
DEVICES: Final = Path("/sys/bus/gpio/devices")


class GpioChip(NamedTuple):
    number: int
    drivers: tuple[str, ...]  # 'compatible' of the device tree
    header: bool  # it carries the pins of the 40-pin header


def chips(devices: Path = DEVICES) -> list[GpioChip]:
    """Every GPIO chip that the kernel knows, by number."""
    found = []
    for entry in devices.glob("gpiochip*"):
        number = entry.name.removeprefix("gpiochip")
        if not number.isdigit():
            continue
        try:
            drivers = tuple((entry / "of_node/compatible").read_text().rstrip("\0").split("\0"))
        except OSError:  # no device tree: not a chip of the board
            drivers = ()
        found.append(GpioChip(int(number), drivers, bool(HEADERS.intersection(drivers))))
    return sorted(found)


def choose(devices: Path = DEVICES) -> int:
    """The header's chip, told to rpi-lgpio; one that the environment names already stands. Raises PartMissing."""
    named = os.environ.get(CHOSEN, "")
    if named.isdigit():
        return int(named)
    number = next((chip.number for chip in chips(devices) if chip.header), None)
    if number is None:
        raise PartMissing(HalReason.NOT_FOUND, "no GPIO chip of a Raspberry Pi is here (/sys/bus/gpio/devices)")
    os.environ[CHOSEN] = str(number)
    return number
