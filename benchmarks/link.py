"""The reader board's link: calls and bytes a second over a pty, beside a bare echo in the same runtime on such a
pty; and how
many frames go through the air until a card is known.

The firmware runs in CPython (a thread of this process) and in MicroPython on WebAssembly (a process of its own); the
echo beside it reads and writes the same number of bytes with the same waiting, and knows no frames. Limits: half of
the echo, and the frames that ISO/IEC 14443-3 and the card's data sheet need, plus 20 %.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import SystemRandom
from statistics import median

from benchmarks.figures import Limits, Size, given, in_turn
from firmware import protocol as p
from firmware.stream import WINDOW
from hal.board.card import BoardCardReader
from hal.board.host_end import Answer, HostEnd, Lost
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
ROUNDS = 9
LIMIT = 0.5  # in MicroPython, which is what a board runs; CPython's echo does next to nothing, and is stated
ECHO_WAIT_S = 5.0
WAYS = (("small round trips", 1, 1), ("large round trips", PAYLOAD_BYTES, 1), ("a full window", PAYLOAD_BYTES, WINDOW))
SELECT_FRAMES = 5  # wake, and twice anticollision and selection: a UID of seven bytes
UID = bytes.fromhex("04a1b2c3d4e5f6")


AnyBoard = Callable[[Bench], ThreadBoard | MicroPythonBoard]
AnyEcho = Callable[[Bench], "ThreadEcho | MicroPythonBoard"]


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


class Caller:
    """The host's end of the link on a port, in one thread."""

    def __init__(self, device: str) -> None:
        self._port = os.open(device, os.O_RDWR | os.O_NOCTTY)
        self._host = HostEnd(SystemRandom().getrandbits(16), self._now_ms())
        wait_until(self._opened, ECHO_WAIT_S, "a session")

    def _now_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def _opened(self) -> bool:
        self._turn()
        return self._host.open

    def _turn(self) -> int:
        """Once around; how many answers came."""
        out = self._host.output(self._now_ms())
        if out:
            os.write(self._port, out)
        readable, _, _ = select.select([self._port], [], [], 0.05)
        if readable:
            self._host.receive(os.read(self._port, 4096), self._now_ms())
        return len(self._host.results())

    def calls_per_s(self, payload: bytes, count: int, at_once: int) -> float:
        began = time.perf_counter()
        asked = answered = 0
        while answered < count:
            while asked < count and asked - answered < at_once and self._host.ready:
                self._host.ask(p.PING, payload)
                asked += 1
            answered += self._turn()
        return count / (time.perf_counter() - began)

    def statistic(self, name: str) -> int:
        self._host.ask(p.STATISTICS)
        results: list[Answer | Lost] = []
        while not results:
            os.write(self._port, self._host.output(self._now_ms()))
            self._host.receive(os.read(self._port, 4096) if select.select([self._port], [], [], 1)[0] else b"", 0)
            results = self._host.results()
        assert isinstance(results[0], Answer)
        at = 4 * p.STATISTICS_FIELDS.index(name)
        return int.from_bytes(results[0].data[at : at + 4], "little")

    def close(self) -> None:
        os.close(self._port)


class Echoed:
    """The other side of the echo."""

    def __init__(self, device: str) -> None:
        self._port = os.open(device, os.O_RDWR | os.O_NOCTTY)
        self.per_s(1, 1, 1)

    def per_s(self, size: int, count: int, at_once: int) -> float:
        data = b"x" * size
        began = time.perf_counter()
        sent = got = 0
        while got < count * size:
            while sent < count and sent * size - got < at_once * size:
                os.write(self._port, data)
                sent += 1
            readable, _, _ = select.select([self._port], [], [], ECHO_WAIT_S)
            if not readable:
                raise TimeoutError("the echo does not answer")
            got += len(os.read(self._port, 4096))
        return count / (time.perf_counter() - began)

    def close(self) -> None:
        os.close(self._port)


@contextmanager
def both(board: AnyBoard, echo: AnyEcho) -> Iterator[tuple[Caller, Echoed]]:
    benches = Bench(), Bench()
    firmware, echoing = board(benches[0]), echo(benches[1])
    caller, echoed = Caller(benches[0].device), Echoed(benches[1].device)
    try:
        yield caller, echoed
    finally:
        caller.close()
        echoed.close()
        firmware.stop()
        echoing.stop()
        for bench in benches:
            bench.close()


def link(limits: Limits, runtime: str, caller: Caller, echoed: Echoed, count: int, limit: float) -> None:
    for what, size, at_once in WAYS:
        ours, bare = in_turn(
            ROUNDS,
            partial(caller.calls_per_s, bytes(size), count, at_once),
            partial(echoed.per_s, size + OVERHEAD_BYTES, count, at_once),
        )
        best, echo = median(ours), median(bare)
        sides = f"link {best:.0f}/s, echo {echo:.0f}/s, {size} bytes each way, {at_once} at once"
        if limit and at_once == 1:
            limits.at_least(f"{what} in {runtime}", best / echo, limit, sides)
        else:
            limits.stated(f"{what} in {runtime}", f"{best / echo:.3f}; {sides}")


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
    needed = SELECT_FRAMES + 1 + -(-USER_PAGES[chip] // p.PAGES_MAX)  # GET_VERSION, FAST_READs
    limits.at_most(f"frames to know a card, {chip}", frames / needed, 1.2, f"{frames} frames, {needed} needed")


def main() -> int:
    size = given(__doc__ or "").size
    limits = Limits()
    with both(ThreadBoard, ThreadEcho) as (caller, echoed):
        link(limits, "CPython", caller, echoed, CALLS[size], 0)
    with both(MicroPythonBoard, lambda bench: MicroPythonBoard(bench, program=ECHO)) as (caller, echoed):
        link(limits, "MicroPython", caller, echoed, CALLS[size] // 4, LIMIT)
        limits.stated("heap of the firmware in MicroPython", f"{caller.statistic('heap_used') / 1024:.0f} KiB used")
    for chip in Chip:
        card_known(limits, chip)
    return limits.code()


if __name__ == "__main__":
    raise SystemExit(main())
