"""The board's firmware in a real MicroPython (WebAssembly, under Node), on a `Bench`; or a bare echo there, to
compare with.

The package comes from npm (`tests/npm/package-lock.json`, by `scripts/install_npm.sh`); the first test that needs it
says so where it is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from random import SystemRandom
from typing import Final

from firmware import protocol as p
from hal.virtual.chips.bench import WATCHDOG_S, Bench

ROOT: Final = Path(__file__).resolve().parent.parent
RUNTIME: Final = ROOT / "tests/npm/node_modules/@micropython/micropython-webassembly-pyscript/micropython.mjs"
RUNNER: Final = ROOT / "tests/micropython_board.mjs"
_FILES: Final = tuple(sorted(str(path.relative_to(ROOT)) for path in (ROOT / "firmware").glob("*.py")))
_SHIM: Final = "hal/virtual/chips/shim.py"
STOP_S: Final = 5.0
# Memory is collected between two calls of turns() only: in between, this port can't see what its stack holds.
_PREPARE: Final = """
import sys
sys.path[:] = ["/", "/hal/virtual/chips"]
_bench = open("/dev/bench", "r+b")
_line = open("/dev/line", "r+b")


def call(request):
    _bench.write(len(request).to_bytes(2, "little") + request)
    return _bench.read(int.from_bytes(_bench.read(2), "little"))


class Line:
    def __init__(self, machine):
        self.idle = machine.idle

    def receive(self):
        return _line.read(4096) or b""

    def send(self, data):
        _line.write(data)


from shim import Machine

machine = Machine(call)
line = Line(machine)
"""
FIRMWARE: Final = """
import gc
from firmware.run import make

_used = [0]
board = make(machine, line, machine, lambda: _used[0], {config!r}, {boot}, {cause}, b"wasm-001")


def turns():
    _used[0] = gc.mem_alloc()
    for _ in range(200):
        board.turn()
    gc.collect()
"""
ECHO: Final = """
def turns():
    for _ in range(200):
        data = line.receive()
        if data:
            line.send(data)
        else:
            machine.idle(5)
"""


class MicroPythonBoard:
    """Runs until `stop`. `reset` begins anew, with an empty memory and the same flash; a watchdog that is not fed
    does so too."""

    def __init__(self, bench: Bench, config: str = "{}", program: str = FIRMWARE) -> None:
        if not RUNTIME.exists() or shutil.which("node") is None:
            raise FileNotFoundError("MicroPython is not installed: scripts/install_npm.sh (it needs Node 18 or newer)")
        self._bench = bench
        self._config = config
        self._program = program
        self.error = ""
        self.start()

    def start(self, cause: int = p.RESET_POWER) -> None:
        bench = self._bench
        bench.power_on()
        text = _PREPARE + self._program.format(config=self._config, boot=SystemRandom().getrandbits(32), cause=cause)
        asks_read, asks_write = os.pipe()
        answers_read, answers_write = os.pipe()
        program = os.memfd_create("program")
        os.write(program, text.encode())
        line = os.dup(bench.master)
        here = {3: line, 4: asks_write, 5: answers_read, 6: program}

        self._process = subprocess.Popen(
            ["node", str(RUNNER), str(RUNTIME), "/proc/self/fd/6", str(ROOT), *_FILES, _SHIM],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=tuple(here),
            preexec_fn=lambda: _arrange(here),
        )  # fmt: skip
        for fd in (line, asks_write, answers_read, program):
            os.close(fd)
        self._thread = threading.Thread(target=self._serve, args=(asks_read, answers_write), daemon=True)
        self._thread.start()

    def _serve(self, asks: int, answers: int) -> None:
        requests, out = os.fdopen(asks, "rb"), os.fdopen(answers, "wb", buffering=0)
        with requests, out, suppress(BrokenPipeError):
            while len(head := requests.read(2)) == 2:
                request = requests.read(int.from_bytes(head, "little"))
                answer = self._bench.serve(request)
                out.write(len(answer).to_bytes(2, "little") + answer)

    def kill(self) -> None:
        """The board loses its power."""
        self._process.kill()
        self._process.wait(STOP_S)
        self._thread.join(STOP_S)

    def stop(self) -> None:
        """Raises RuntimeError with what ended the firmware, if anything did."""
        ended = self._process.poll()
        self.kill()
        assert self._process.stderr is not None
        said = self._process.stderr.read().decode(errors="replace")
        self._process.stderr.close()
        if ended is not None:
            raise RuntimeError(f"the firmware ended ({ended}): {said}")

    def reset(self, cause: int = p.RESET_WATCHDOG) -> None:
        self.stop()
        self.start(cause)

    def watchdog_bites(self) -> bool:
        """Was it not fed in time?"""
        return time.monotonic() - self._bench.fed_s > WATCHDOG_S


def _arrange(wanted: dict[int, int]) -> None:
    """In the child: put the files at their numbers."""
    spare = {number: os.dup2(fd, 40 + number) for number, fd in wanted.items()}
    for number, fd in spare.items():
        os.dup2(fd, number, inheritable=True)
        os.close(fd)
