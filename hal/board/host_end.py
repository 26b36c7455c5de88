"""The host's end of the link: silent until the board is heard, then a session; asks, answers and events over it.

Sans-I/O, single-threaded; `line.Line` has the port and the threads. Each ask ends in exactly one `Answer` or `Lost`
with its reason; a `Lost` ask may or may not have been done. Each event comes once and in order; what the board
dropped while nobody listened, and what was lost with a reset, is counted in `missed_events` and `resets`.

The host never speaks first: a byte into a board that boots can stop its program. Any good frame proves that it runs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from firmware import protocol as p
from firmware.board_end import ASKS_MAX, SILENT_MS
from firmware.stream import Counters, Stream

OPEN_AGAIN_MS: Final = 200
EVENTS_MAX: Final = 256  # that the owner has not taken; then the board's window fills, and its queue
_IDS: Final = 256


class Why(StrEnum):
    """Why an ask was lost, or there is no session."""

    SILENT = "silent"  # nothing was heard (yet, or for SILENT_MS)
    RESET = "reset"  # the board began anew
    FORGOTTEN = "forgotten"  # the board let go of the session
    BROKEN = "broken"  # too many frames were lost one after another
    VERSION = "version"  # the board speaks another version of the link
    UNPLUGGED = "unplugged"  # the port is gone


class Answer(NamedTuple):
    number: int
    error: int
    data: bytes


class Lost(NamedTuple):
    number: int
    why: Why


class Event(NamedTuple):
    boot: int
    number: int
    code: int
    data: bytes


class HostEnd:
    """One host's end."""

    def __init__(self, nonce: int, now_ms: int) -> None:
        """`nonce`: 16 random bits, so that no session of an earlier process is taken for one of this."""
        self.why = Why.SILENT  # while there is no session
        self.hello: p.Hello | None = None  # of the board that the session is with
        self.decoder = p.Decoder()
        self.counters = Counters()
        self.sessions = 0
        self.resets = 0  # boards that began anew while we were there
        self.missed_events = 0  # that the board dropped
        self._session = (nonce & 0xFFFF) << 16
        self._opening = False
        self._open_ms = now_ms
        self._heard_ms = now_ms
        self._stream: Stream | None = None
        self._next_id = 0
        self._asked: list[int] = []
        self._results: list[Answer | Lost] = []
        self._events: list[Event] = []
        self._last: tuple[int, int] = (0, 0)  # boot, number of the last event
        self._dropped = 0

    @property
    def open(self) -> bool:
        return self._stream is not None

    @property
    def ready(self) -> bool:
        """An ask can be sent now."""
        return self._stream is not None and self._stream.room > 0 and len(self._asked) < ASKS_MAX

    def ask(self, command: int, arguments: bytes = b"") -> int:
        """Its number, by which the result comes. Raises ValueError unless `ready`."""
        if self._stream is None or not self.ready:
            raise ValueError("no session, or too many asks are open")
        number = self._next_id
        self._stream.send(bytes((p.ASK, number, command)) + arguments)
        self._next_id = (number + 1) % _IDS
        self._asked.append(number)
        return number

    def results(self) -> list[Answer | Lost]:
        """What became of asks, since the last call."""
        out, self._results = self._results, []
        return out

    def events(self) -> list[Event]:
        out, self._events = self._events, []
        return out

    def receive(self, data: bytes, now_ms: int) -> None:
        for body in self.decoder.feed(data):
            try:
                self._take(body, now_ms)
            except p.Malformed:
                self.decoder.damaged += 1

    def unplugged(self) -> None:
        """The port is gone; a new one may be another board."""
        self._lose(Why.UNPLUGGED)
        self.decoder.feed(p.END)

    def output(self, now_ms: int) -> bytes:
        """What goes out now."""
        stream = self._stream
        if stream is not None and stream.broken:
            self._lose(Why.BROKEN)
        if (self._stream is not None or self._opening) and now_ms - self._heard_ms > SILENT_MS:
            self._lose(Why.SILENT)
        if self._opening and now_ms >= self._open_ms:
            self._open_ms = now_ms + OPEN_AGAIN_MS
            return p.END + p.frame(p.open_body(self._session))
        if self._stream is None:
            return b""
        if len(self._events) < EVENTS_MAX:
            self._sort()
        return b"".join(self._stream.output(now_ms))

    def due_ms(self, now_ms: int) -> int:
        """In how many milliseconds `output` may have something to say or to notice."""
        silent_ms = max(0, self._heard_ms + SILENT_MS + 1 - now_ms)
        if self._opening:
            return min(silent_ms, max(0, self._open_ms - now_ms))
        return min(silent_ms, self._stream.due_ms(now_ms)) if self._stream is not None else SILENT_MS

    # -- inside

    def _take(self, body: bytes, now_ms: int) -> None:
        kind = body[0]
        if kind == p.HELLO:
            self._heard_ms = now_ms
            self._greeted(p.parse_hello(body), now_ms)
        elif kind == p.OPENED:
            self._heard_ms = now_ms
            self._opened(body, now_ms)
        elif kind in (p.DATA, p.ALIVE, p.GAP):
            if self._stream is not None and body[1:5] == self._session.to_bytes(4, "little"):
                self._heard_ms = now_ms
                self._stream.take(body, now_ms)
                self._stream.acknowledged.clear()
                self._sort()
            elif self._stream is None and not self._opening:
                self._heard_ms = now_ms
                self._begin(now_ms)  # it still is in a session with somebody before us

    def _greeted(self, hello: p.Hello, now_ms: int) -> None:
        if hello.version != p.VERSION:
            self._lose(Why.VERSION)
            return
        if self._stream is not None:
            self._lose(Why.FORGOTTEN if self.hello and self.hello.boot == hello.boot else Why.RESET)
        if not self._opening:
            self._begin(now_ms)

    def _begin(self, now_ms: int) -> None:
        self._session = self._session & 0xFFFF0000 | (self._session + 1) & 0xFFFF
        self._opening = True
        self._open_ms = now_ms

    def _opened(self, body: bytes, now_ms: int) -> None:
        if not self._opening or p.session_of(body) != self._session:
            return
        hello = p.hello_of_opened(body)
        if self.hello is not None and hello.boot != self.hello.boot:
            self.resets += 1
            self._dropped = 0
        self.hello = hello
        self._opening = False
        self._stream = Stream(self._session, now_ms, self.counters)
        self.sessions += 1

    def _lose(self, why: Why) -> None:
        self.why = why
        self._results += [Lost(number, why) for number in self._asked]
        self._asked.clear()
        self._stream = None
        self._opening = False

    def _sort(self) -> None:
        """What came in the stream, into answers and events."""
        assert self._stream is not None
        inbox = self._stream.inbox
        while inbox and len(self._events) < EVENTS_MAX:
            payload = inbox.pop(0)
            if payload[0] == p.ANSWER and len(payload) >= 3 and payload[1] in self._asked:
                self._asked.remove(payload[1])
                self._results.append(Answer(payload[1], payload[2], payload[3:]))
            elif payload[0] == p.EVENT and len(payload) >= 8:
                self._event(payload)
            else:
                self.decoder.damaged += 1

    def _event(self, payload: bytes) -> None:
        assert self.hello is not None
        boot, number = self.hello.boot, int.from_bytes(payload[1:5], "little")
        dropped = int.from_bytes(payload[5:7], "little")
        self.missed_events += max(0, dropped - self._dropped)
        self._dropped = max(dropped, self._dropped)
        if self._last[0] == boot and number <= self._last[1]:
            return  # it had come, and its acknowledgement was lost with the session
        self._last = (boot, number)
        self._events.append(Event(boot, number, payload[7], payload[8:]))
