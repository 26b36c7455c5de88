"""A process of the demo: started on a leash, watched, restarted with bounded back-off, ended for certain.

Each process leads a session of its own, so that its whole group (the unit's camera process too) can be
ended, and so that Ctrl-C in a terminal reaches the supervisor alone, which then ends them in order.

States: off -> starting -> up -> (off | dead -> starting ...). 'off' is asked for (`stop`, `kill`); 'dead' is
not, and is reported with the last lines that the process said.

Promises: after `stop` or `kill` no process of the group is left; lines kept: `LINES_KEPT`; a log file of at
most `LOG_BYTES_MAX` is begun anew; pauses between restarts grow to `BACKOFF_MAX_S` and are reset after
`STEADY_S` of life. `start` raises NotReady when the process is not ready in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import IO, Final

from edge_agent import leash

LINES_KEPT: Final = 60
LINE_BYTES_MAX: Final = 64 * 1024
LOG_BYTES_MAX: Final = 5_000_000
BACKOFF_FIRST_S: Final = 0.5
BACKOFF_MAX_S: Final = 10.0
STEADY_S: Final = 30.0
READY_POLL_S: Final = 0.05
GRACE_S: Final = 8.0


class State(StrEnum):
    OFF = "off"
    STARTING = "starting"
    UP = "up"
    DEAD = "dead"


class NotReady(RuntimeError):
    """A process ended, or its time was up, before it was ready; the message has its last lines."""


class Running:
    """One life of a process: the pid, the two pipes, and the moment of its death."""

    def __init__(self, popen: subprocess.Popen[bytes], on_line: Callable[[str, bytes], None]) -> None:
        loop = asyncio.get_running_loop()
        self.popen = popen
        self.pid = popen.pid
        self.born_s = time.monotonic()
        self.exited: asyncio.Future[int] = loop.create_future()
        self._pidfd = os.pidfd_open(popen.pid)
        loop.add_reader(self._pidfd, self._on_exit)
        self._on_line = on_line
        assert popen.stdout is not None
        assert popen.stderr is not None
        self._readers = [
            asyncio.create_task(self._read("out", popen.stdout)),
            asyncio.create_task(self._read("err", popen.stderr)),
        ]

    def _on_exit(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        # The leader is a zombie here, so its number still names this group and nobody else's.
        self.signal_group(signal.SIGKILL)
        self.exited.set_result(self.popen.wait())

    def signal_group(self, number: signal.Signals) -> None:
        if not self.exited.done():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    async def drained(self) -> int:
        """Wait for the end and for its last words; gives the exit code."""
        code = await self.exited
        await asyncio.wait(self._readers, timeout=1.0)
        for reader in self._readers:
            reader.cancel()
        return code

    async def _read(self, stream: str, pipe: IO[bytes]) -> None:
        reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            while True:
                try:
                    line = await reader.readline()
                except ValueError:  # longer than LINE_BYTES_MAX: dropped, the next one is read
                    continue
                if not line:
                    return
                self._on_line(stream, line.rstrip(b"\r\n"))
        finally:
            transport.close()


class Process:
    """A named process that is meant to run, or not. All methods belong to one event loop."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        ready: Callable[[], Awaitable[bool]],
        log: Path,
        ready_within_s: float = 20.0,
        env: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.state = State.OFF
        self.restarts = 0
        self.last_exit: int | None = None
        self.death = ""  # how it died last, with its last words; empty: it never did
        self.file_bytes: int | None = None  # see `limit_files`
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._ready = ready
        self._ready_within_s = ready_within_s
        self._env = dict(env) if env is not None else None
        self._on_stdout: Callable[[bytes], None] = lambda line: None
        self._on_state: Callable[[Process], None] = lambda process: None
        self._say = say
        self._log_path = log
        self._log: IO[bytes] | None = None
        self._running: Running | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._wanted = False

    def watch(self, on_state: Callable[[Process], None]) -> None:
        """Tell `on_state` of each change of the state from now on."""
        self._on_state = on_state

    def listen(self, on_line: Callable[[bytes], None]) -> None:
        """Give `on_line` each line of standard output from now on."""
        self._on_stdout = on_line

    @property
    def pid(self) -> int | None:
        return self._running.pid if self._running and not self._running.exited.done() else None

    async def start(self) -> None:
        """Start and wait until it is ready. Raises NotReady (the process is ended then)."""
        if self._wanted:
            return
        self._wanted = True
        self._set(State.STARTING)
        running = self._spawn()
        try:
            await self._until_ready(running)
        except NotReady:
            await self.kill()
            raise
        if self._wanted:
            self._keeper = asyncio.create_task(self._keep(running))

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """Ask it to end, wait, and end what is left of its group."""
        await self._end(signal.SIGTERM, grace_s)

    async def kill(self) -> None:
        """SIGKILL to the whole group, now: the plug is pulled."""
        await self._end(signal.SIGKILL, GRACE_S)

    def limit_files(self, file_bytes: int | None) -> None:
        """Let it write no file beyond `file_bytes` (0: the disk is full; None: no limit), in later lives too."""
        self.file_bytes = file_bytes
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                leash.limit_files(self.pid, file_bytes)

    async def _end(self, how: signal.Signals, grace_s: float) -> None:
        self._wanted = False
        running = self._running
        if running is not None and not running.exited.done():
            if how is signal.SIGKILL:
                running.signal_group(how)
            else:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(running.pid, how)
            done, _ = await asyncio.wait([running.exited], timeout=grace_s)
            if not done:
                self._say(f"{self.name}: did not end within {grace_s:g} s, killed")
                running.signal_group(signal.SIGKILL)
                await running.exited
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            self._keeper = None
        if running is not None:
            self.last_exit = await running.drained()
        if self._log is not None:
            self._log.close()
            self._log = None
        self._set(State.OFF)

    def _spawn(self) -> Running:
        if self._log is None:
            self._log_path.parent.mkdir(parents=True, exist_ok=True)
            big = self._log_path.exists() and self._log_path.stat().st_size > LOG_BYTES_MAX
            self._log = self._log_path.open("wb" if big else "ab", buffering=0)
        popen = subprocess.Popen(
            leash.command(self.argv, file_bytes=self.file_bytes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=self._env,
        )
        self._running = Running(popen, self._on_line)
        return self._running

    def _on_line(self, stream: str, line: bytes) -> None:
        if self._log is not None:
            self._log.write(line + b"\n")
        self.lines.append(line.decode(errors="replace")[:500])
        if stream == "out":
            self._on_stdout(line)

    async def _until_ready(self, running: Running) -> None:
        end_s = time.monotonic() + self._ready_within_s
        while time.monotonic() < end_s:
            if running.exited.done():
                code = await running.drained()
                raise NotReady(f"{self.name} ended before it was ready ({_ended(code)}):\n{self.last_words()}")
            if await self._ready():
                self._set(State.UP)
                return
            await asyncio.sleep(READY_POLL_S)
        raise NotReady(f"{self.name} was not ready within {self._ready_within_s:g} s:\n{self.last_words()}")

    async def _keep(self, running: Running) -> None:
        pause_s = BACKOFF_FIRST_S
        while True:
            code = await running.drained()
            if not self._wanted:
                return
            if time.monotonic() - running.born_s > STEADY_S:
                pause_s = BACKOFF_FIRST_S
            self.last_exit = code
            self.death = f"{_ended(code)}\n{self.last_words()}"
            self._set(State.DEAD)
            self._say(
                f"{self.name} died unasked ({_ended(code)}); it starts again in {pause_s:.1f} s\n{self.last_words()}"
            )
            await asyncio.sleep(pause_s * random.uniform(0.75, 1.25))  # noqa: S311 (jitter, no secret)
            pause_s = min(pause_s * 2, BACKOFF_MAX_S)
            self.restarts += 1
            self._set(State.STARTING)
            running = self._spawn()
            try:
                await self._until_ready(running)
                self._say(f"{self.name} is back")
            except NotReady as error:
                self._say(str(error))
                running.signal_group(signal.SIGKILL)

    def last_words(self, lines: int = 8) -> str:
        return "\n".join(f"  | {line}" for line in list(self.lines)[-lines:]) or "  | (it said nothing)"

    def _set(self, state: State) -> None:
        self.state = state
        self._on_state(self)


def _ended(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
