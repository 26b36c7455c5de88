"""The steps of each scan, as JSON lines on standard output: seen, decoded, decided, on_disk, shown, sent, booked.

For people who operate or debug a unit (journald keeps them; the demo draws them). A code appears as a prefix
only. Lines that can't be written are dropped: a log never stops a unit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import msgspec

Write = Callable[[bytes], None]
FOLLOWED_MAX: Final = 2_000  # scans whose facts are still followed to the centre


class StepLog:
    """See the module. `write` takes one line without its end."""

    def __init__(self, write: Write, wall_minus_mono_ms: Callable[[], int]) -> None:
        self._write, self._offset_ms = write, wall_minus_mono_ms
        self._encoder = msgspec.json.Encoder()
        self._scans: OrderedDict[int, tuple[str, bool]] = OrderedDict()  # position -> scan, sent?
        self._count = 0

    def line(self, event: str, **fields: Any) -> None:
        """One line about anything."""
        self._write(self._encoder.encode({"event": event, **fields}))

    def new_scan(self) -> str:
        self._count += 1
        return str(self._count)

    def step(self, scan: str, step: str, mono_ms: int, **fields: Any) -> None:
        self.line("scan", scan=scan, step=step, mono_ms=mono_ms, wall_ms=mono_ms + self._offset_ms(), **fields)

    def follow(self, position: int, scan: str) -> None:
        """Say when the fact at `position` was sent and booked."""
        self._scans[position] = (scan, False)
        while len(self._scans) > FOLLOWED_MAX:
            self._scans.popitem(last=False)

    def sent(self, first: int, last: int, mono_ms: int) -> None:
        for position in [p for p in self._scans if first <= p <= last]:
            scan, before = self._scans[position]
            if not before:
                self._scans[position] = (scan, True)
                self.step(scan, "sent", mono_ms, position=position)

    def booked(self, upto: int, mono_ms: int) -> None:
        for position in [p for p in self._scans if p <= upto]:
            scan, _ = self._scans.pop(position)
            self.step(scan, "booked", mono_ms, position=position)

    def forget(self) -> None:
        """Positions changed: a new epoch was opened."""
        self._scans.clear()
