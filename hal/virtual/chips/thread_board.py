"""The board's firmware in a thread of CPython, on a `Bench`."""

from __future__ import annotations

import os
import threading
from random import SystemRandom
from typing import Final

from firmware import protocol as p
from firmware.run import make
from hal.virtual.chips.bench import Bench
from hal.virtual.chips.shim import Machine

JOIN_S: Final = 5.0
_READ_BYTES: Final = 4096


class _Line:
    def __init__(self, bench: Bench, machine: Machine) -> None:
        self._bench = bench
        self._master = bench.master
        self.idle = machine.idle

    def receive(self) -> bytes:
        try:
            return self._bench.spoil(os.read(self._master, _READ_BYTES))
        except OSError:  # nothing there, or nobody has the other end
            return b""

    def send(self, data: bytes) -> None:
        try:
            os.write(self._master, self._bench.spoil(data))
        except OSError:
            return  # nobody reads and the line is full, as on USB


class ThreadBoard:
    """Runs until `stop`; `reset` begins anew, with an empty memory and the same flash."""

    def __init__(self, bench: Bench, config: str = "{}") -> None:
        self._bench = bench
        self._config = config
        self._stop = threading.Event()
        self._cause = p.RESET_POWER
        self.error: BaseException | None = None
        self.start()

    def start(self) -> None:
        self._stop.clear()
        self._bench.power_on()
        self._thread = threading.Thread(target=self._run, name="board", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        machine = Machine(self._bench.serve)
        line = _Line(self._bench, machine)
        try:
            boot = SystemRandom().getrandbits(32)
            board = make(machine, line, machine, lambda: 0, self._config, boot, self._cause, b"virtual1")
            while not self._stop.is_set():
                board.turn()
        except BaseException as error:  # noqa: BLE001 (told to whoever stops it)
            self.error = error

    def stop(self) -> None:
        """Raises what ended the firmware, if anything did."""
        self._stop.set()
        self._thread.join(JOIN_S)
        if self.error is not None:
            raise self.error

    def reset(self, cause: int = p.RESET_WATCHDOG) -> None:
        self.stop()
        self._cause = cause
        self.start()
