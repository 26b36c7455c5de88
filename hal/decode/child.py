"""Inside the camera process: open the camera, watch it, tell the unit what was scanned.

Runs until it is told to end, or the camera fails, or the unit's process is gone: it asks the kernel to be killed
when its parent dies, and ends at the end of its command stream as well. It tries nothing twice: whatever goes
wrong is told, the process ends, and `hal.decode.process` starts a new one.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Final

from hal.backends import open_camera
from hal.camera import Frame
from hal.decode.engines import zbar_missing
from hal.decode.formats import OPTIONAL
from hal.decode.keep import PURGE_EVERY_S, Keeper
from hal.decode.pipe import BEAT_S, Alive, BadPipe, Downward, Failed, Keep, Note, Open, Saw, Unpacker, Upward, pack
from hal.decode.watcher import Watcher
from hal.errors import HalError, HalReason, PartFailed

READ_S: Final = 0.5  # how long one wait for a frame lasts; below BEAT_S
NO_FRAMES_S: Final = 5.0  # an open camera without a frame for so long has failed
KEEPS_WAITING_MAX: Final = 8
READ_BYTES: Final = 4096
PR_SET_PDEATHSIG: Final = 1  # prctl(2)


def main(arguments: list[str]) -> int:
    """`arguments`: the descriptor to write to, and the parent's process id. Commands come on standard input."""
    events, parent = int(arguments[0]), int(arguments[1])
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the unit's affair: it ends this process in its own time
    commands = Commands(sys.stdin.fileno())
    opened = commands.first()
    if opened is None:
        return 0

    voice = Voice(events)
    try:
        _watch(opened, commands, voice)
    except HalError as error:
        voice.tell(Failed(error.reason, str(error)))
        return 1
    except BrokenPipeError:  # the unit is gone
        return 0
    return 0


def _watch(opened: Open, commands: Commands, voice: Voice) -> None:
    """Frames to scans, until the process is ended. Raises PartMissing, PartFailed, BrokenPipeError."""
    keeper = Keeper(Path(opened.frames_folder), opened.keep_frames_s)
    _purge(keeper, voice)
    with open_camera(opened.camera, opened.options) as camera:
        watcher = Watcher(also=frozenset(format for format in OPTIONAL if format.value in opened.also))
        newest: Frame | None = None
        said_s = purged_s = frame_s = time.monotonic()
        voice.tell(Alive(0))
        if zbar_missing():
            voice.tell(Note(f"without the second engine: {zbar_missing()}"))
        while True:
            frame = camera.read(READ_S)
            now_s = time.monotonic()
            first_frame = newest is None and frame is not None
            if frame is not None:
                newest, frame_s = frame, now_s
                scans = watcher.see(frame)
                if scans:
                    keeper.hold(frame)
                for scan in scans:
                    voice.tell(Saw(scan))
            elif now_s - frame_s > NO_FRAMES_S:
                raise PartFailed(HalReason.NO_ANSWER, f"the camera is open and gave no frame for {NO_FRAMES_S:.0f} s")
            for number in commands.keeps():
                _keep(keeper, number, newest, voice)
            if now_s - said_s >= BEAT_S or first_frame:
                said_s = now_s
                voice.tell(Alive(0 if newest is None else newest.number))
            if now_s - purged_s >= PURGE_EVERY_S:
                purged_s = now_s
                _purge(keeper, voice)


def _keep(keeper: Keeper, number: int, newest: Frame | None, voice: Voice) -> None:
    try:
        keeper.keep(number, newest)
    except OSError as error:
        voice.tell(Note(f"the frame of a refused scan can't be kept: {error}"))


def _purge(keeper: Keeper, voice: Voice) -> None:
    try:
        keeper.purge()
    except OSError as error:
        voice.tell(Note(f"kept frames can't be deleted: {error}"))


class Voice:
    """The stream to the unit. A unit that does not read blocks this process, which is right: it would decide
    nothing. Raises BrokenPipeError when the unit is gone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def tell(self, message: Upward) -> None:
        data = pack(message)
        while data:
            data = data[os.write(self._descriptor, data) :]


def die_with(parent: int) -> None:
    """The kernel kills this process when its parent dies, even by SIGKILL. Linux.

    'Parent' means the thread that started this process: the watch of `hal.decode.process`, which outlives it.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before we could ask
        os._exit(0)


class Commands:
    """The command stream, read by a thread of its own. Its end ends the process at once, whatever hangs."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._unpacker = Unpacker(Downward)
        self._opened: queue.Queue[Open] = queue.Queue(1)
        self._keeps: queue.Queue[int] = queue.Queue(KEEPS_WAITING_MAX)
        threading.Thread(target=self._run, name="commands", daemon=True).start()

    def first(self) -> Open | None:
        return self._opened.get()

    def keeps(self) -> list[int]:
        """The frames that the unit wants kept since the last call."""
        out = []
        while not self._keeps.empty():
            out.append(self._keeps.get_nowait())
        return out

    def _run(self) -> None:
        while data := os.read(self._descriptor, READ_BYTES):
            try:
                messages = self._unpacker.feed(data)
            except BadPipe:
                break
            for message in messages:
                if isinstance(message, Keep):
                    if not self._keeps.full():
                        self._keeps.put_nowait(message.frame)
                elif not self._opened.full():
                    self._opened.put_nowait(message)
        os._exit(0)
