"""The serial line to an old till: lines in, lines out, in a thread of its own.

A line that is unplugged is said once and opened again every OPEN_AGAIN_S; what was half read is dropped, for the till
sends again what was not answered. More than LINE_BYTES_MAX without an end is dropped as damaged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from serial import Serial, SerialException

from edge_agent.till.line import LINE_BYTES_MAX, LineTill
from hal.errors import HalReason
from hal.events import PartFault, PartHealed

READ_S: Final = 0.2
WRITE_WITHIN_S: Final = 2.0
OPEN_AGAIN_S: Final = 1.0
READ_BYTES: Final = 512
PART: Final = "till"


class SerialTill:
    """See the module. `sink` hears of faults (the agent's inbox)."""

    def __init__(self, device: str, baud: int, till: LineTill, sink: Callable[[PartFault | PartHealed], Any]) -> None:
        self._device, self._baud, self._till, self._sink = device, baud, till, sink
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="till-tty", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        broken = False
        while not self._stop.is_set():
            try:
                with Serial(self._device, self._baud, timeout=READ_S, write_timeout=WRITE_WITHIN_S) as line:
                    if broken:
                        broken = False
                        self._sink(PartHealed(part=PART))
                    self._talk(line)
            except (SerialException, OSError) as error:
                if not broken:
                    self._sink(PartFault(part=PART, reason=HalReason.NO_ANSWER, detail=str(error)))
                broken = True
                self._stop.wait(OPEN_AGAIN_S)

    def _talk(self, line: Serial) -> None:
        """Until it is to stop. Raises SerialException, OSError."""
        held, skipping = b"", False
        while not self._stop.is_set():
            held += line.read(max(1, min(line.in_waiting, READ_BYTES)))
            *whole, held = held.replace(b"\r", b"\n").split(b"\n")
            for one in whole:
                if one and not skipping:
                    line.write(self._till.answer(one))
                skipping = False
            if len(held) > LINE_BYTES_MAX:
                held, skipping = b"", True
