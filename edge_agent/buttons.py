"""Feeding the inbox from a kiosk's two buttons, which must be asked. Those that are gone are asked more rarely."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from hal.errors import HalError
from hal.events import ButtonPressed
from hal.indicators import Indicators

POLL_S: Final = 0.05  # a press that is answered after so long feels like one that was answered at once
POLL_BROKEN_S: Final = 1.0
STOP_S: Final = 2.0


class ButtonPoller:
    """Asks the buttons twenty times a second, on a thread of its own."""

    def __init__(self, indicators: Indicators, sink: Callable[[ButtonPressed], Any]) -> None:
        self._indicators, self._sink = indicators, sink
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="buttons", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(STOP_S)

    def _run(self) -> None:
        pause_s = POLL_S
        while not self._stop.wait(pause_s):
            try:
                pressed = self._indicators.buttons()
            except HalError:
                pause_s = POLL_BROKEN_S  # whoever lights them says that they are gone
                continue
            pause_s = POLL_S
            for one in pressed:
                self._sink(one)
