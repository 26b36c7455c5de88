"""Feeding the inbox from a hand scanner, which is opened again when it was pulled out and comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec

from edge_agent.settings import UnitSettings
from hal import backends
from hal.errors import HalError
from hal.events import PartFault, PartHealed, Scanned
from hal.scanner import Scanner

READ_S: Final = 0.5
RETRY_S: Final = 2.0
STOP_S: Final = 3.0

Sink = Callable[[Scanned | PartFault | PartHealed], Any]


class ScannerReader:
    """One scanner, on a thread of its own. Each absence is said once, and the return once."""

    def __init__(self, name: str, opener: Callable[[], Scanner], sink: Sink, retry_s: float = RETRY_S) -> None:
        self._part = f"scanner {name}"
        self._opener, self._sink, self._retry_s = opener, sink, retry_s
        self._stop = threading.Event()
        self._broken = False
        self._thread = threading.Thread(target=self._run, name=self._part, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(STOP_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                scanner = self._opener()
            except HalError as error:
                self._fault(error)
            else:
                self._read(scanner)
            self._stop.wait(self._retry_s)

    def _read(self, scanner: Scanner) -> None:
        if self._broken:
            self._broken = False
            self._sink(PartHealed(part=self._part))
        try:
            while not self._stop.is_set():
                for scan in scanner.read(READ_S):
                    self._sink(scan)
        except HalError as error:
            self._fault(error)
        finally:
            with suppress(HalError):
                scanner.close()

    def _fault(self, error: HalError) -> None:
        if not self._broken:
            self._broken = True
            self._sink(PartFault(part=self._part, reason=error.reason, detail=str(error)))


def readers(settings: UnitSettings, sink: Sink) -> list[ScannerReader]:
    """One for each hand scanner that the settings name a device for."""
    made = []
    for name in backends.SCANNERS:
        given: dict[str, object] = msgspec.to_builtins(getattr(settings.scanners, name))
        if given["device"]:
            made.append(ScannerReader(name, lambda name=name, given=given: backends.open_scanner(name, given), sink))  # type: ignore[misc]
    return made
