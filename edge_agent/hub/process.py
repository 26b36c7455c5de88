"""The hub as a child process: started on a leash, told the lanes, ended without waiting. One thread uses it.

It is killed rather than asked to end: it owns nothing. It ends with its parent in whatever way that ends, by the
kernel's signal (`edge_agent.leash`) and by the end of its standard input.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

import msgspec

from edge_agent import leash
from edge_agent.hub.rules import Order

LINE_BYTES_MAX: Final = 64 * 1024
REAP_S: Final = 2.0


class Listening(msgspec.Struct, frozen=True):
    """The hub of this session serves at this port."""

    port: int
    session: bytes = b""


class Ended(msgspec.Struct, frozen=True):
    """The hub of this session ended, or could not be started."""

    session: bytes
    why: str


Sink = Callable[[Listening | Ended], Any]


class HubProcess:
    """One life of a hub. `sink` is called from a thread of its own: once when it listens, once when it has ended."""

    def __init__(self, order: Order, sink: Sink) -> None:
        """Raises OSError."""
        self.session, self._sink = bytes.fromhex(order.session), sink
        self._stopped = False
        self._popen = subprocess.Popen(
            leash.command([sys.executable, "-m", "edge_agent.hub"]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self.pid = self._popen.pid
        self._reader = threading.Thread(target=self._read, name="hub", daemon=True)
        self._reader.start()
        assert self._popen.stdin is not None
        os.set_blocking(self._popen.stdin.fileno(), False)  # a hub that hangs holds nobody up
        self._write(msgspec.json.encode(order))

    def use(self, lanes: dict[str, str]) -> None:
        """From now on these are the lanes; others are sent away."""
        self._write(msgspec.json.encode(lanes))

    def stop(self) -> None:
        self._stopped = True
        self._popen.kill()
        self._reader.join(REAP_S)

    def _write(self, line: bytes) -> None:
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(line + b"\n")
        except OSError:
            return  # it has ended, and the reader says so

    def _read(self) -> None:
        assert self._popen.stdout is not None
        assert self._popen.stdin is not None
        for line in self._popen.stdout:
            try:
                said = msgspec.json.decode(line, type=Listening)
            except msgspec.MsgspecError:
                continue
            self._sink(Listening(said.port, self.session))
        code = self._popen.wait()
        self._popen.stdin.close()
        self._popen.stdout.close()
        if not self._stopped:
            self._sink(Ended(self.session, f"it ended with {code}"))
