"""systemd's watchdog: the thread that decides says that it lives; when it does not, systemd starts the unit anew.

Nothing happens where systemd does not ask for it by `NOTIFY_SOCKET` and `WATCHDOG_USEC` (sd_notify(3),
sd_watchdog_enabled(3)).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

SHARE: Final = 3  # three signs of life in each period


class Watchdog:
    """`ready` once, `beat` each turn, `stopping` at the end. Never raises, never blocks."""

    def __init__(self, environ: Mapping[str, str] = os.environ, clock_s: Callable[[], float] = time.monotonic) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        period = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._every_s = int(period) / 1e6 / SHARE if period.isdigit() and ours else None
        self._clock_s, self._beat_s = clock_s, 0.0

    def ready(self) -> None:
        self._tell(b"READY=1")

    def beat(self) -> None:
        now_s = self._clock_s()
        if self._every_s is not None and now_s >= self._beat_s:
            self._beat_s = now_s + self._every_s
            self._tell(b"WATCHDOG=1")

    def stopping(self) -> None:
        self._tell(b"STOPPING=1")

    def _tell(self, what: bytes) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as talk:
            talk.setblocking(False)
            talk.sendto(what, self._address)
