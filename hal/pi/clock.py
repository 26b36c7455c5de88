"""The system's clock: its time, whether the kernel says that a time source disciplines it, and the name of this boot.

What the kernel knows comes from adjtimex(2), which chrony and systemd-timesyncd set. Never fails once it is open.
"""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import Final

from hal.clock import Reading
from hal.errors import HalReason, PartMissing

BOOT_BYTES: Final = 8
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
ERROR: Final = 5  # TIME_ERROR: not synchronised
UNSYNCHRONISED: Final = 0x0040  # STA_UNSYNC
MAXIMUM_ERROR_MS: Final = 16_000  # the kernel counts up to 16 s, and then says that it is not synchronised
_TIMEX_BYTES: Final = 208  # struct timex of 64-bit Linux


class _Timex(ctypes.Structure):
    """The head of struct timex; `modes` 0 only asks."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * _TIMEX_BYTES),
    )


class PiClock:
    """A `hal.clock.Clock`. Raises PartMissing where there is no Linux."""

    def __init__(self, boot_id: Path = BOOT_ID) -> None:
        try:
            self._adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
            self._boot = bytes.fromhex(boot_id.read_text().strip().replace("-", ""))[:BOOT_BYTES]
        except (OSError, ValueError, AttributeError) as error:
            raise PartMissing(HalReason.NOT_FOUND, f"the system's clock needs Linux: {error}") from error

    def read(self) -> Reading:
        state = _Timex()
        answer = self._adjtimex(ctypes.byref(state))
        synchronised = answer not in (-1, ERROR) and not state.status & UNSYNCHRONISED
        error_ms = min(state.maxerror // 1000 + 1, MAXIMUM_ERROR_MS) if synchronised else MAXIMUM_ERROR_MS
        mono_ms = time.monotonic_ns() // 1_000_000
        return Reading(time.time_ns() // 1_000_000, mono_ms, synchronised, error_ms)

    @property
    def boot(self) -> bytes:
        return self._boot

    def close(self) -> None:
        """Nothing was opened."""
