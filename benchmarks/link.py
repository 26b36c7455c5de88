"""The reader board's link: calls and bytes a second over a pty, beside a bare echo in the same runtime on such a pty; and how
many frames go through the air until a card is known.

The firmware runs in CPython (a thread of this process) and in MicroPython on WebAssembly (a process of its own); the echo
beside it reads and writes the same number of bytes with the same waiting, and knows no frames. Limits: half of the echo, and the frames that
ISO/IEC 14443-3 and the card's data sheet need, plus 20 %.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import serial

from benchmarks.figures import Limits, Size, given, in_turn
from firmware import protocol as p
from hal.board.card import BoardCardReader
from hal.board.line import Line, open_line
from hal.virtual.chips.bench import Bench
from hal.virtual.chips.shim import Machine
from hal.virtual.chips.thread_board import ThreadBoard
from hal.virtual.tag import Tag
from loyalty.card_slots import USER_PAGES, Chip
from tests.micropython_board import ECHO, MicroPythonBoard
from tests.servers import wait_until

PAYLOAD_BYTES = 200
OVERHEAD_BYTES = 16  # of a call's frame: head, CRC, end, id and command, a stuffed byte now and then
CALLS = {Size.QUICK: 200, Size.USUAL: 1_000, Size.FULL: 5_000}
ROUNDS = 5
LIMIT = 0.5
ECHO_WAIT_S = 5.0
SELECT_FRAMES = 5  # wake, and twice anticollision and selection: a UID of seven bytes
UID = bytes.fromhex("04a1b2c3d4e5f6")


class ThreadEcho:
    """The echo in a thread of CPython."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        machine = Machine(self._bench.serve)
        while not self._stop.is_set():
            try:
                data = os.read(self._bench.master, 4096)
            except OSError:
                machine.idle(5)
            else:
                os.write(self._bench.master, data)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(ECHO_WAIT_S)


def calls_per_s(line: Line, payload: bytes, count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        line.call(p.PING, payload)
    return count / (time.perf_counter() - began)


def echoes_per_s(port: serial.Serial, size: int, count: int) -> float:
    data = b"x" * size
    began = time.perf_counter()
    for _ in range(count):
        port.write(data)
        got = 0
        while got < size:
            piece = port.read(size - got)
            if not piece:
                raise TimeoutError("the echo does not answer")
            got += len(piece)
    return count / (time.perf_counter() - began)


@contextmanager
def both(board: Callable[[Bench], ThreadBoard | MicroPythonBoard], echo: Callable[[Bench], ThreadEcho | MicroPythonBoard]) -> (
    Iterator[tuple[Line, serial.Serial]]
):
    benches = Bench(), Bench()
    firmware, echoing = board(benches[0]), echo(benches[1])
    line = open_line(benches[0].device)
    port = serial.Serial(benches[1].device, timeout=ECHO_WAIT_S)
    try:
        yield line, port
    finally:
        line.close()
        port.close()
        with suppress(RuntimeError):
            firmware.stop()
            echoing.stop()
        for bench in benches:
            bench.close()


def link(limits: Limits, runtime: str, line: Line, port: serial.Serial, count: int) -> None:
    for what, size in (("round trips", 1), ("bytes", PAYLOAD_BYTES)):
        ours, bare = in_turn(
            ROUNDS,
            lambda size=size: calls_per_s(line, bytes(size), count),  # type: ignore[misc]
            lambda size=size: echoes_per_s(port, size + OVERHEAD_BYTES, count),  # type: ignore[misc]
        )
        best, echo = max(ours), max(bare)
        sides = f"link {best:.0f}/s, echo {echo:.0f}/s, {size} bytes each way ({best * size / 1024:.0f} KiB/s)"
        limits.at_least(f"{what} in {runtime}", best / echo, LIMIT, sides)


def card_known(limits: Limits, chip: Chip) -> None:
    """From an empty field to a card whose chip and record are at the host."""
    bench = Bench()
    board = ThreadBoard(bench)
    reader = BoardCardReader(bench.device)
    bench.insert_card(Tag(UID, chip))
    bench.air.frames = 0
    wait_until(lambda: reader.present == UID, ECHO_WAIT_S, "the card")
    frames = bench.air.frames
    reader.close()
    board.stop()
    bench.close()
    needed = SELECT_FRAMES + 1 + -(-USER_PAGES[chip] // p.PAGES_MAX)  # GET_VERSION, and as few FAST_READs as fit the link
    limits.at_most(f"frames to know a card, {chip}", frames / needed, 1.2, f"{frames} frames, {needed} needed")


def main() -> int:
    size = given(__doc__ or "").size
    limits = Limits()
    with both(ThreadBoard, ThreadEcho) as (line, port):
        link(limits, "CPython", line, port, CALLS[size])
    with both(MicroPythonBoard, lambda bench: MicroPythonBoard(bench, program=ECHO)) as (line, port):
        link(limits, "MicroPython", line, port, CALLS[size] // 4)
        limits.stated("heap of the firmware in MicroPython", f"{line.statistics()['board_heap_used'] / 1024:.0f} KiB used")
    for chip in Chip:
        card_known(limits, chip)
    return limits.code()


if __name__ == "__main__":
    raise SystemExit(main())
