"""A hand scanner on a serial port, by pyserial: lines that end with CR, LF or both.

What can fail: PartMissing when the port is not there or may not be opened, PartFailed when it was pulled out. A line
that is longer than a barcode can be is dropped up to its end.
"""

from __future__ import annotations

import errno
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from hal.errors import HalReason, PartFailed, PartMissing
from hal.events import Scanned
from hal.pi.options import SerialOptions
from hal.scanner import TEXT_BYTES_MAX, scanned

if TYPE_CHECKING:
    from serial import Serial

READ_BYTES: Final = 4096
STILL_S: Final = 2.0  # a line whose end does not come in this time is dropped: a scanner sends in one go
_ENDS: Final = re.compile(rb"[\r\n]+")


class Lines:
    """Bytes in any pieces to whole lines. Pure."""

    def __init__(self) -> None:
        self._rest = b""
        self._too_long = False

    def feed(self, data: bytes) -> list[bytes]:
        *whole, self._rest = _ENDS.split(self._rest + data)
        if self._too_long and whole:
            self._too_long = False
            whole = whole[1:]
        if len(self._rest) > TEXT_BYTES_MAX:
            self._rest, self._too_long = b"", True
        return [line for line in whole if 0 < len(line) <= TEXT_BYTES_MAX]

    def forget(self) -> None:
        self._rest, self._too_long = b"", False


class SerialScanner:
    """A `hal.scanner.Scanner`."""

    def __init__(self, options: SerialOptions) -> None:
        self._device, self._lines, self._heard_s = options.device, Lines(), 0.0
        try:
            import serial
        except ImportError as error:
            text = f"a serial scanner needs pyserial: pip install 'tokuten[pi]' ({error})"
            raise PartMissing(HalReason.NO_LIBRARY, text) from error
        try:
            self._port: Serial = serial.Serial(options.device, options.baud, timeout=0, exclusive=True)
        except (OSError, ValueError) as error:  # SerialException is an OSError
            raise PartMissing(HalReason.NOT_FOUND, f"scanner {self._device}: {_advice(error)}") from error

    def read(self, timeout_s: float) -> list[Scanned]:
        now_s = time.monotonic()
        if now_s - self._heard_s > STILL_S:
            self._lines.forget()
        try:
            self._port.timeout = timeout_s
            data = self._port.read(1)
            data += self._port.read(min(self._port.in_waiting, READ_BYTES))
        except (OSError, TypeError) as error:  # TypeError: the port was closed by another thread meanwhile
            raise PartFailed(HalReason.VANISHED, f"scanner {self._device}: {error}") from error
        if data:
            self._heard_s = time.monotonic()
        at_ms = time.monotonic_ns() // 1_000_000
        found = (scanned(line, at_ms) for line in self._lines.feed(data))
        return [scan for scan in found if scan is not None]

    def close(self) -> None:
        with suppress(OSError):
            self._port.close()


def _advice(error: OSError | ValueError) -> str:
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        return "not there; `tokuten doctor` lists the ports"
    if number == errno.EACCES:
        return "may not be opened; is the user in the group dialout?"
    return str(error)
