"""Asking for a reboot when the camera's driver hangs in the kernel and no new process helps.

The unit has no right to reboot the machine: it leaves a file, and systemd acts on it
(deploy/systemd/tokuten-reboot.path). At most once an hour, since the machine must have been up so long, and only
while nobody is served.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hal.errors import HalReason
from hal.events import PartFault, PartHealed

UPTIME_MIN_S: Final = 3_600.0
_log: Final = logging.getLogger(__name__)


class Reboot:
    """`heard` takes the camera's events from its thread, `look` is called on the deciding thread."""

    def __init__(self, file: str, uptime_s: Callable[[], float] = time.monotonic) -> None:
        self._file, self._uptime_s = file, uptime_s
        self._wanted = ""
        self.asked = False

    def heard(self, event: object) -> None:
        if isinstance(event, PartFault) and event.reason == HalReason.NEEDS_REBOOT:
            self._wanted = event.detail
        elif isinstance(event, PartHealed) and event.part == "camera":
            self._wanted = ""

    def look(self, idle: bool) -> None:
        """Ask, if it is wanted, allowed and no shopper is there."""
        if not self._wanted or not self._file or self.asked or not idle or self._uptime_s() < UPTIME_MIN_S:
            return
        self.asked = True
        _log.error("asking for a reboot: %s", self._wanted)
        try:
            Path(self._file).write_text(self._wanted + "\n")
        except OSError as error:
            _log.error("the request for a reboot can't be written: %s", error)
