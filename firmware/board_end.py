"""The board's end of the link: it says hello until a host opens a session, and takes a newer one at any time.

Sans-I/O. The owner takes asks out of `asks()`, gives answers to `answer()`, and events to `events`. A session ends
when the host is silent for SILENT_MS or a stream breaks; events then wait for the next one, answers to it are
dropped (the host has called those asks lost).
"""

from firmware import protocol as p
from firmware.events import Events
from firmware.stream import Counters, Stream

HELLO_MS = 200
HELLO_LEAST_MS = 50  # between two hellos, whatever provokes them
SILENT_MS = 2_000  # without a good frame: the host is away
ANSWERS_MAX = 8  # that wait for room; a host has at most ASKS_MAX open
ASKS_MAX = 4


class BoardEnd:
    """One board's end."""

    def __init__(self, hello: p.Hello, now_ms: int) -> None:
        self.events = Events()
        self.counters = Counters()
        self.decoder = p.Decoder()
        self.sessions = 0  # that were opened since the board began
        self._hello = hello
        self._stream: Stream | None = None
        self._answers: list[bytes] = []
        self._heard_ms = now_ms
        self._hello_ms = now_ms - HELLO_MS
        self._begun = False
        self._hello_due = True
        self._opened_due = False
        self._newest = 0  # session

    @property
    def open(self) -> bool:
        return self._stream is not None

    def receive(self, data: bytes, now_ms: int) -> None:
        """What came from the host, in pieces of any size."""
        for body in self.decoder.feed(data):
            try:
                self._take(body, now_ms)
            except p.Malformed:
                self.decoder.damaged += 1

    def _take(self, body: bytes, now_ms: int) -> None:
        kind = body[0]
        if kind == p.OPEN:
            self._open_session(p.session_of(body), body[1], now_ms)
        elif kind in (p.DATA, p.ALIVE, p.GAP):
            stream = self._stream
            if stream is None or body[1:5] != stream.session.to_bytes(4, "little"):
                self._hello_due = stream is None  # a frame of an older session is old news; without any, say so
                return
            self._heard_ms = now_ms
            stream.take(body, now_ms)
            for payload in stream.acknowledged:
                self.events.settle(payload)
            stream.acknowledged.clear()

    def _open_session(self, session: int, version: int, now_ms: int) -> None:
        if version != p.VERSION:
            self._hello_due = True  # it says which version this is
            return
        if session == self._newest:  # again: the OPENED was lost, unless the session ended meanwhile
            self._opened_due = self._stream is not None
            self._hello_due = self._hello_due or self._stream is None
            return
        if session >> 16 == self._newest >> 16 and session & 0xFFFF < self._newest & 0xFFFF:
            return  # an older one of the same host, late
        self._newest = session
        self._stream = Stream(session, now_ms, self.counters)
        self._answers.clear()
        self.events.begin()
        self._heard_ms = now_ms
        self._opened_due = True
        self.sessions += 1

    def asks(self) -> "list[bytes]":
        """The asks that came, each once and in order: id, command, arguments."""
        if self._stream is None:
            return []
        out: list[bytes] = []
        while self._stream.inbox and len(self._answers) + len(out) < ANSWERS_MAX:
            payload = self._stream.inbox.pop(0)
            if payload[0] == p.ASK and len(payload) >= 3:
                out.append(payload[1:])
            else:
                self.decoder.damaged += 1
        return out

    def answer(self, number: int, error: int, data: bytes) -> None:
        self._answers.append(bytes((p.ANSWER, number, error)) + data)

    def output(self, now_ms: int) -> bytes:
        """What goes out now."""
        stream = self._stream
        if stream is not None and (stream.broken or now_ms - self._heard_ms > SILENT_MS):
            self._stream = stream = None
            self._answers.clear()
            self._hello_due = True
        if stream is None:
            waited_ms = now_ms - self._hello_ms
            if waited_ms >= HELLO_MS or (self._hello_due and waited_ms >= HELLO_LEAST_MS):
                self._hello_ms, self._hello_due = now_ms, False
                said = p.frame(self._hello.body())
                if not self._begun:  # a clean start, whatever the boot loader said
                    self._begun = True
                    said = p.END + said
                return said
            return b""
        out: list[bytes] = []
        if self._opened_due:
            self._opened_due = False
            out.append(p.frame(p.opened_body(stream.session, self._hello)))
        while self._answers and stream.room:
            stream.send(self._answers.pop(0))
        self.events.pump(stream)
        out.extend(stream.output(now_ms))
        return b"".join(out)

    def due_ms(self, now_ms: int) -> int:
        """In how many milliseconds `output` may have something to say."""
        if self._stream is None:
            return max(0, self._hello_ms + HELLO_MS - now_ms)
        if self._opened_due or (self._answers and self._stream.room):
            return 0
        return self._stream.due_ms(now_ms)
