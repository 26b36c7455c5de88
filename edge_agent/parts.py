"""Feeding the inbox from parts that must be asked: the card reader, which is also told to write."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from edge_agent.card_writer import CardJob, write
from edge_agent.core.events import CardWritten
from hal.card import CardReader
from hal.errors import HalError
from hal.events import CardPresented, CardRemoved, PartFault, PartHealed

POLL_S: Final = 0.1
POLL_BROKEN_S: Final = 1.0

Sink = Callable[[CardPresented | CardRemoved | PartFault | PartHealed | CardWritten], Any]


class CardPoller:
    """Asks the card reader ten times a second; says once when it breaks and once when it is back."""

    def __init__(self, reader: CardReader, sink: Sink) -> None:
        self._reader, self._sink = reader, sink
        self._stop = threading.Event()
        self._jobs: queue.Queue[CardJob | None] = queue.Queue(1)
        self._thread = threading.Thread(target=self._run, name="card", daemon=True)

    def ask(self, job: CardJob) -> bool:
        """Write this card; `CardWritten` comes when that has ended. False: another waits, and this one is void."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        with suppress(queue.Full):
            self._jobs.put_nowait(None)  # wakes it
        self._thread.join(2.0)
        try:
            self._reader.close()
        except HalError:
            return  # it was broken already, and said so

    def _run(self) -> None:
        broken = False
        while not self._stop.is_set():
            self._wait(POLL_BROKEN_S if broken else POLL_S)
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

    def _wait(self, wait_s: float) -> None:
        """Until the reader is to be asked again; a card that is to be written meanwhile is written at once."""
        try:
            job = self._jobs.get(timeout=wait_s)
        except queue.Empty:
            return
        if job is not None:
            self._sink(CardWritten(id=job.id, outcome=write(self._reader, job)))
