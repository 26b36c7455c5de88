"""A keyboard-wedge scanner: read from its event device, which is grabbed so that nobody else hears it type.

The kernel's interface is used as it is (one struct and two ioctls, ADR 33). What can fail: PartMissing when the
device is not there or may not be read, PartFailed when it was pulled out (ENODEV).
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from hal.errors import HalReason, PartFailed, PartMissing
from hal.events import Scanned
from hal.pi.keys import EVENT, Keys
from hal.pi.options import WedgeOptions
from hal.scanner import scanned

EVIOCGRAB: Final = 0x40044590
EVIOCSCLOCKID: Final = 0x400445A0
EVENTS_AT_ONCE: Final = 64


def grab(descriptor: int) -> None:
    """Its keys for us alone, stamped by CLOCK_MONOTONIC. Raises OSError; EBUSY: somebody else has it."""
    fcntl.ioctl(descriptor, EVIOCGRAB, 1)
    fcntl.ioctl(descriptor, EVIOCSCLOCKID, struct.pack("i", time.CLOCK_MONOTONIC))


class WedgeScanner:
    """A `hal.scanner.Scanner`."""

    def __init__(self, options: WedgeOptions, grab: Callable[[int], None] = grab) -> None:
        self._device, self._keys = options.device, Keys(options.layout)
        try:
            self._file = os.open(options.device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise PartMissing(HalReason.NOT_FOUND, f"scanner {self._device}: {_advice(error)}") from error
        try:
            grab(self._file)
        except OSError as error:
            os.close(self._file)
            raise PartMissing(HalReason.NOT_FOUND, f"scanner {self._device}: {_advice(error)}") from error

    def read(self, timeout_s: float) -> list[Scanned]:
        waiting = select.poll()
        waiting.register(self._file, select.POLLIN)
        if not waiting.poll(timeout_s * 1000):
            return []
        try:
            data = os.read(self._file, EVENT.size * EVENTS_AT_ONCE)
        except BlockingIOError:
            return []
        except OSError as error:
            raise PartFailed(HalReason.VANISHED, f"scanner {self._device}: {_advice(error)}") from error
        if not data:
            raise PartFailed(HalReason.VANISHED, f"scanner {self._device}: pulled out")
        found = (scanned(line.text, line.at_ms) for line in self._keys.feed(data))
        return [scan for scan in found if scan is not None]

    def close(self) -> None:
        with suppress(OSError):
            os.close(self._file)


def _advice(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return f"not there; what is: {', '.join(_there()) or 'no keyboard at all'}"
    if error.errno == errno.EACCES:
        return "may not be read; is the user in the group input?"
    if error.errno == errno.EBUSY:
        return "another program has grabbed it"
    if error.errno == errno.ENODEV:
        return "pulled out"
    return error.strerror or str(error)


def _there(folder: Path = Path("/dev/input/by-id")) -> list[str]:
    return sorted(str(path) for path in folder.glob("*-event-kbd"))
