"""The camera process, seen from the unit: started, watched, killed when it hangs, started again.

Camera drivers can hang in the kernel and engines are native code, so both live in a child process
(`python -m hal.decode.process`, see `hal.decode.child`). This side owns one thread that

- gives each scan to the sink, the moment it comes;
- kills a child that gave no sign of life for `HANG_S` (`START_S` after its start), and one that talks nonsense;
- starts a new one after a back-off with full jitter, `BACKOFF_FIRST_S` doubling to `BACKOFF_MAX_S`, from the
  beginning again after `STABLE_S` without a failure;
- says PartFault once when the camera is gone and PartHealed when frames come again;
- says PartFault once more, with the reason `needs_reboot`, when a child can't be killed or `HANGS_MAX` in a row hung.

The child dies with this process, also when this process is killed by SIGKILL. The sink is called in that thread:
it must be safe to call from it, must not block and must not raise. This module imports neither numpy nor the
engines: the unit's own process stays small.
"""

from __future__ import annotations

import logging
import os
import random
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from hal.decode.pipe import Alive, BadPipe, Failed, Keep, Note, Open, Saw, Unpacker, Upward, pack
from hal.errors import HalReason
from hal.events import HalEvent, PartFault, PartHealed

HANG_S: Final = 5.0
START_S: Final = 20.0  # importing and opening the camera on a slow board
BACKOFF_FIRST_S: Final = 0.25
BACKOFF_MAX_S: Final = 30.0
STABLE_S: Final = 60.0
HANGS_MAX: Final = 3
POLL_S: Final = 0.25  # how often the watch looks at the clock while nothing comes
STOP_WAIT_S: Final = 5.0
READ_BYTES: Final = 64 * 1024

Sink = Callable[[HalEvent], Any]
_log: Final = logging.getLogger(__name__)


class CameraProcess:
    """A camera by the name of its backend, in a process of its own. `start`, `stop`; or use `with`."""

    def __init__(
        self,
        name: str,
        options: Mapping[str, object],
        sink: Sink,
        *,
        keep_frames_s: int = 0,
        frames_folder: Path | None = None,
        also: frozenset[str] = frozenset(),
        hang_s: float = HANG_S,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`keep_frames_s`: how long frames of refused scans stay in `frames_folder`, seconds; 0 keeps none.

        `also`: values of `hal.decode.formats.OPTIONAL` that are switched on; others mean nothing here.
        `options` go to the child, so they hold plain values (a path is one).
        """
        if keep_frames_s and frames_folder is None:
            raise ValueError("frames are to be kept, and no folder is given")
        plain = {key: str(value) if isinstance(value, Path) else value for key, value in options.items()}
        folder = "" if frames_folder is None else str(frames_folder)
        self._open = pack(Open(name, plain, keep_frames_s, folder, sorted(also)))
        if len(self._open) > select.PIPE_BUF:
            raise ValueError(f"the camera's options take {len(self._open)} bytes; {select.PIPE_BUF} are the most")
        self._sink, self._hang_s, self._jitter = sink, hang_s, jitter
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._child: _Child | None = None
        self._broken = self._undead = self._asked_reboot = False
        self.starts = 0  # how many processes were started so far
        self.newest_frame = 0  # number of the newest frame that the present process told of

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the child and the watch. Safe to call twice, and before `start`."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_WAIT_S + POLL_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The process id of the child, while there is one."""
        child = self._child
        return None if child is None else child.pid

    def keep_refused(self, frame: int = 0) -> bool:
        """Ask the child to write the frame `frame` (0: the newest) to the folder, if that is turned on.

        Never blocks; False when the child is not there or does not listen, and the frame is lost.
        """
        child = self._child
        return child is not None and child.tell(pack(Keep(frame)))

    def _run(self) -> None:
        failures = hangs = 0
        while not self._stopping.is_set():
            began_s = time.monotonic()
            self.starts += 1
            self.newest_frame = 0
            fault = self._one_life()
            if self._stopping.is_set():
                return
            if not self._broken:
                self._broken = True
                self._sink(fault)
            hangs = hangs + 1 if fault.reason == HalReason.HUNG else 0
            if hangs >= HANGS_MAX or self._undead:
                self._ask_reboot(fault)
            failures = 1 if time.monotonic() - began_s > STABLE_S else failures + 1
            ceiling_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(failures, 16))
            self._stopping.wait(self._jitter() * ceiling_s)

    def _ask_reboot(self, fault: PartFault) -> None:
        if not self._asked_reboot:
            self._asked_reboot = True
            why = "its process can't be killed" if self._undead else f"{HANGS_MAX} processes in a row hung"
            self._sink(PartFault(part="camera", reason=HalReason.NEEDS_REBOOT, detail=f"{why}: {fault.detail}"))

    def _one_life(self) -> PartFault:
        """From the start of one child to its end; why it ended."""
        try:
            child = _Child(self._open)
        except OSError as error:
            return PartFault(part="camera", reason=HalReason.NOT_FOUND, detail=f"no camera process: {error}")
        self._child = child
        try:
            return self._listen(child)
        finally:
            self._child = None
            self._undead = not child.end()

    def _listen(self, child: _Child) -> PartFault:
        unpacker = Unpacker(Upward)
        failed: Failed | None = None
        patience_s, heard_s = max(START_S, self._hang_s), time.monotonic()
        while not self._stopping.is_set():
            data = child.read(POLL_S)
            now_s = time.monotonic()
            if data is None:
                if now_s - heard_s > patience_s:
                    detail = f"the camera process gave no sign of life for {patience_s:.0f} s and was killed"
                    return PartFault(part="camera", reason=HalReason.HUNG, detail=detail)
                continue
            if not data:
                break
            try:
                messages = unpacker.feed(data)
            except BadPipe as error:
                return PartFault(part="camera", reason=HalReason.PROTOCOL, detail=str(error))
            heard_s, patience_s = now_s, self._hang_s if messages else patience_s
            for message in messages:
                failed = message if isinstance(message, Failed) else failed
                self._hear(message)
        if self._stopping.is_set():  # nobody asks why; `end` will not wait for it either
            return PartFault(part="camera", reason=HalReason.VANISHED, detail="stopped")
        if failed is not None:
            return PartFault(part="camera", reason=failed.reason, detail=failed.detail)
        return PartFault(part="camera", reason=HalReason.VANISHED, detail=f"the camera process ended ({child.code()})")

    def _hear(self, message: Upward) -> None:
        if isinstance(message, Saw):
            self._sink(message.scan)
        elif isinstance(message, Alive):
            self.newest_frame = message.frame
            if message.frame and self._broken:
                self._broken = self._asked_reboot = False
                self._sink(PartHealed(part="camera"))
        elif isinstance(message, Note):
            _log.warning("camera process: %s", message.text)


class _Child:
    """One life of the camera process. Raises OSError when it can't be started."""

    def __init__(self, opening: bytes) -> None:
        self._events, theirs = os.pipe()
        try:
            # One thread of linear algebra and few memory arenas: it does none, and each costs memory.
            environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
            command = [sys.executable, "-m", "hal.decode.process", str(theirs), str(os.getpid())]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=(theirs,), env=environment
            )
        except OSError:
            os.close(self._events)
            raise
        finally:
            os.close(theirs)
        assert self._process.stdin is not None
        self._commands = self._process.stdin.fileno()
        os.set_blocking(self._commands, False)
        self._using_commands = threading.Lock()  # a closed descriptor's number soon means another file
        self.pid = self._process.pid
        self.tell(opening)

    def tell(self, data: bytes) -> bool:
        """All or nothing (`data` is shorter than PIPE_BUF); False when the child is gone or its pipe is full."""
        assert self._process.stdin is not None
        with self._using_commands:
            if self._process.stdin.closed:
                return False
            try:
                os.write(self._commands, data)
            except OSError:
                return False
        return True

    def read(self, timeout_s: float) -> bytes | None:
        """What it said; None when nothing came in time, empty when it ended."""
        waiting = select.poll()  # select() refuses descriptors above 1023
        waiting.register(self._events, select.POLLIN)
        if not waiting.poll(timeout_s * 1000):
            return None
        return os.read(self._events, READ_BYTES)

    def code(self) -> str:
        """How it ended, in words."""
        try:
            code = self._process.wait(STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            return "still there"
        return f"exit code {code}" if code >= 0 else f"killed by signal {-code}"

    def end(self) -> bool:
        """It keeps nothing that a kill could harm, so it is killed. False: it does not die."""
        dead = True
        self._process.kill()
        try:
            self._process.wait(STOP_WAIT_S)
        except subprocess.TimeoutExpired:  # it hangs inside the kernel; the next one may find the camera busy
            _log.error("camera process %d does not die", self.pid)
            dead = False
        assert self._process.stdin is not None
        with self._using_commands:
            self._process.stdin.close()
        os.close(self._events)
        return dead


if __name__ == "__main__":
    from hal.decode.child import main

    sys.exit(main(sys.argv[1:]))
