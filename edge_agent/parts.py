"""Feeding the inbox from parts that must be asked: the card reader."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from hal.card import CardReader
from hal.errors import HalError
from hal.events import CardPresented, CardRemoved, PartFault, PartHealed

POLL_S: Final = 0.1
POLL_BROKEN_S: Final = 1.0

Sink = Callable[[CardPresented | CardRemoved | PartFault | PartHealed], Any]


class CardPoller:
    """Asks the card reader ten times a second; says once when it breaks and once when it is back."""

    def __init__(self, reader: CardReader, sink: Sink) -> None:
        self._reader, self._sink = reader, sink
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="card", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(2.0)
        try:
            self._reader.close()
        except HalError:
            return  # it was broken already, and said so

    def _run(self) -> None:
        broken = False
        while not self._stop.wait(POLL_BROKEN_S if broken else POLL_S):
            try:
                events = self._reader.poll()
            except HalError as error:
                if not broken:
                    self._sink(PartFault(part="card", reason=error.reason, detail=str(error)))
                broken = True
                continue
            if broken:
                broken = False
                self._sink(PartHealed(part="card"))
            for event in events:
                self._sink(event)
