"""Which backend a part has: chosen by name, in this one place, with no fallback.

`virtual` takes `options` with either `socket` (the path of the simulator's socket) or `port` (a
`hal.virtual.port.Port`, in one process with its World). Each part has a port of its own and closes it. `board` takes
`device`, the serial port of the reader board, which its parts share. `pi` takes the fields of that part's struct in
`hal.pi.options`.

What can fail: PartMissing for an unknown name (it lists the names), for a part that a backend does not have, for
one that is not plugged in, and for a world that does not answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hal.errors import HalReason, PartMissing

if TYPE_CHECKING:  # the unit's own process never opens the camera, and must not pay for numpy
    from hal.camera import Camera
    from hal.card import CardReader
    from hal.clock import Clock
    from hal.display import Display
    from hal.indicators import Indicators
    from hal.scanner import Scanner
    from hal.virtual.port import Port

Options = Mapping[str, object]
NAMES: Final = ("virtual", "pi", "board")
SCANNERS: Final = ("wedge", "serial")


def open_camera(name: str, options: Options) -> Camera:
    """Frames of 1280x720 or what the camera has. Raises PartMissing."""
    if name == "virtual":
        from hal.virtual.camera import VirtualCamera

        return VirtualCamera(_port(options))
    if name == "pi":
        from hal.pi import options as pi
        from hal.pi.camera import PiCamera

        return PiCamera(pi.read(pi.CameraOptions, options))
    raise _missing("camera", name)


def open_display(name: str, options: Options) -> Display:
    """Raises PartMissing."""
    if name == "virtual":
        from hal.virtual.display import VirtualDisplay

        return VirtualDisplay(_port(options))
    if name == "pi":
        from hal.pi import options as pi
        from hal.pi.display import PiDisplay

        return PiDisplay(pi.read(pi.DisplayOptions, options))
    raise _missing("display", name)


def open_indicators(name: str, options: Options) -> Indicators:
    """Raises PartMissing."""
    if name == "virtual":
        from hal.virtual.indicators import VirtualIndicators

        return VirtualIndicators(_port(options))
    if name == "board":
        from hal.board.indicators import BoardIndicators

        return BoardIndicators(_device(options))
    if name == "pi":
        from hal.pi import options as pi
        from hal.pi.indicators import PiIndicators

        return PiIndicators(pi.read(pi.IndicatorOptions, options))
    raise _missing("indicators", name)


def open_card(name: str, options: Options) -> CardReader:
    """Raises PartMissing."""
    if name == "virtual":
        from hal.virtual.card import VirtualCardReader

        return VirtualCardReader(_port(options))
    if name == "board":
        from hal.board.card import BoardCardReader

        return BoardCardReader(_device(options))
    if name == "pi":
        text = "card 'pi': a Raspberry Pi has no card reader of its own"
        raise PartMissing(HalReason.NOT_FOUND, text)
    raise _missing("card", name)


def open_clock(name: str, options: Options) -> Clock:
    """Raises PartMissing."""
    if name == "virtual":
        from hal.virtual.clock import VirtualClock

        return VirtualClock(_port(options))
    if name == "pi":
        from hal.pi import options as pi
        from hal.pi.clock import PiClock

        pi.read(pi.ClockOptions, options)
        return PiClock()
    raise _missing("clock", name)


def open_scanner(name: str, options: Options) -> Scanner:
    """A hand scanner. Raises PartMissing."""
    from hal.pi import options as pi

    if name == "wedge":
        from hal.pi.wedge import WedgeScanner

        return WedgeScanner(pi.read(pi.WedgeOptions, options))
    if name == "serial":
        from hal.pi.serial_line import SerialScanner

        return SerialScanner(pi.read(pi.SerialOptions, options))
    known = ", ".join(repr(scanner) for scanner in SCANNERS)
    raise PartMissing(HalReason.NOT_FOUND, f"scanner '{name}': no such kind; the names are {known}")


def _missing(part: str, name: str) -> PartMissing:
    if name == "board":
        text = f"{part} 'board': the reader board has a card reader and indicators, no {part}"
    else:
        text = f"{part} '{name}': no such backend; the names are {', '.join(repr(known) for known in NAMES)}"
    return PartMissing(HalReason.NOT_FOUND, text)


def _device(options: Options) -> str:
    if find_spec("serial") is None:
        raise PartMissing(HalReason.NO_LIBRARY, "the reader board is spoken to by pyserial, which is not installed")
    device = options.get("device")
    if options.keys() != {"device"} or not isinstance(device, str) or not device:
        raise PartMissing(HalReason.NOT_FOUND, f"a board's part takes 'device', its serial port, not {dict(options)}")
    return device


def _port(options: Options) -> Port:
    from hal.virtual.link import connect
    from hal.virtual.port import Port

    unknown = sorted(options.keys() - {"port", "socket"})
    port, path = options.get("port"), options.get("socket")
    if unknown or (port is None) == (path is None):
        raise PartMissing(HalReason.NOT_FOUND, f"a virtual part takes 'socket' or 'port', not {sorted(options)}")
    if isinstance(path, str | Path):
        return connect(Path(path))
    if not isinstance(port, Port):
        raise PartMissing(HalReason.NOT_FOUND, f"'socket' is a path and 'port' a Port, not {path or port!r}")
    return port
