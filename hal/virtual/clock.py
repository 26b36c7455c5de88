"""The virtual clock: the real one, put off, frozen or made to drift by the World. Monotonic time stays real."""

from __future__ import annotations

import os
import time
from typing import Final

from hal.clock import Reading
from hal.virtual.port import Port

BOOT_BYTES: Final = 8
_BOOT: Final = os.urandom(BOOT_BYTES)  # each start of the process is a boot of the virtual machine


class VirtualClock:
    """A `hal.clock.Clock`. Never fails: while the world is gone, the clock goes on as last set."""

    def __init__(self, port: Port) -> None:
        self._port = port

    def read(self) -> Reading:
        setting = self._port.clock_setting()
        mono_ms = time.monotonic_ns() // 1_000_000
        wall_ms = setting.wall_ms(time.time_ns() // 1_000_000, mono_ms)
        return Reading(wall_ms, mono_ms, setting.synchronised, setting.error_ms)

    @property
    def boot(self) -> bytes:
        return _BOOT

    def close(self) -> None:
        self._port.close()
