"""Both ends of the link in one process, with a pipe between them that loses, doubles, swaps and spoils what goes
through."""

from __future__ import annotations

from random import Random
from typing import Final

from firmware import protocol as p
from firmware.board_end import BoardEnd
from hal.board.host_end import Answer, Event, HostEnd, Lost

STEP_MS: Final = 5


class Pipe:
    """One direction. What was written together may be lost, doubled, swapped with what follows, or spoiled."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._chunks: list[tuple[int, bytes]] = []
        self.badness = 0.0

    def write(self, data: bytes, now_ms: int) -> None:
        for stuffed in data.split(p.END)[:-1]:
            chunk = stuffed + p.END
            dice = self._random.random() / self.badness if self.badness else 9.0
            if dice < 0.3:
                continue
            if dice < 0.5:
                self._chunks.append((now_ms + STEP_MS, chunk))
            elif dice < 0.7 and self._chunks:
                self._chunks.insert(-1, (self._chunks[-1][0], chunk))
                continue
            elif dice < 0.85:
                spoiled = bytearray(chunk)
                spoiled[self._random.randrange(len(spoiled))] ^= 1 << self._random.randrange(8)
                chunk = bytes(spoiled)
            elif dice < 1.0:
                cut = self._random.randrange(len(chunk))
                chunk = chunk[:cut] + chunk[cut + self._random.randint(1, 3) :]
            at_ms = now_ms + STEP_MS * self._random.randint(1, 3)
            self._chunks.append((max(at_ms, self._chunks[-1][0] if self._chunks else 0), chunk))

    def read(self, now_ms: int) -> bytes:
        due = [chunk for at_ms, chunk in self._chunks if at_ms <= now_ms]
        self._chunks = [held for held in self._chunks if held[0] > now_ms]
        return b"".join(due)

    def cut(self) -> None:
        self._chunks.clear()


class Wire:
    """A host, a board that echoes and tells events, and what each of them saw."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now_ms = 1_000
        self.to_board, self.to_host = Pipe(self.random), Pipe(self.random)
        self.host = HostEnd(self.random.getrandbits(16), self.now_ms)
        self.boot = 0
        self.done: list[bytes] = []  # the arguments of asks that the board did
        self.told: dict[tuple[int, int], bytes] = {}  # (boot, number) -> what the event said
        self.dropped = 0
        self.asked: dict[int, bytes] = {}  # what is open
        self.results: list[tuple[bytes, Answer | Lost]] = []
        self.events: list[Event] = []
        self.tokens = 0
        self.start_board()

    def start_board(self) -> None:
        """Power on, or a reset: everything that stood in its memory is gone."""
        self.boot += 1
        self.event_number = 0
        hello = p.Hello(p.VERSION, self.boot, p.RESET_POWER, 1, 0xABCD, b"board-01")
        self.board = BoardEnd(hello, self.now_ms)

    def tell(self) -> None:
        self.event_number += 1
        said = b"event %d of boot %d" % (self.event_number, self.boot)
        self.told[(self.boot, self.event_number)] = said
        self.board.events.add(p.BUTTON, said)

    def ask(self) -> None:
        if self.host.ready:
            self.tokens += 1
            token = b"ask %d\x00\x03\x1b" % self.tokens
            self.asked[self.host.ask(p.PING, token)] = token

    def step(self) -> None:
        self.now_ms += STEP_MS
        self.board.receive(self.to_board.read(self.now_ms), self.now_ms)
        for ask in self.board.asks():
            self.done.append(ask[2:])
            self.board.answer(ask[0], p.OK, ask[2:])
        self.to_host.write(self.board.output(self.now_ms), self.now_ms)
        self.host.receive(self.to_host.read(self.now_ms), self.now_ms)
        self.to_board.write(self.host.output(self.now_ms), self.now_ms)
        for result in self.host.results():
            self.results.append((self.asked.pop(result.number), result))
        self.events += self.host.events()
        assert len(self.board.events) <= 32

    def run(self, ms: int) -> None:
        for _ in range(ms // STEP_MS):
            self.step()

    def badness(self, badness: float) -> None:
        self.to_board.badness = self.to_host.badness = badness
