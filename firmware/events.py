"""What the board has to tell: a queue with a bound, that outlives sessions of the link.

An event stays until the other side has it. When more than EVENTS_MAX wait (the host is away), the oldest that is not
on its way falls off and is counted; each event carries the count, and a number that grows by one, so that the host
sees what it missed and never takes one twice.
"""

from firmware import protocol as p
from firmware.stream import Stream

EVENTS_MAX = 32
ROOM_KEPT = 1  # of the stream's window, for answers


class Events:
    """First in, first out."""

    def __init__(self) -> None:
        self.dropped = 0
        self._next = 1
        self._waiting: list[tuple[int, int, bytes]] = []  # number, code, data
        self._sent = 0  # so many of them, from the front, are on their way

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, code: int, data: bytes) -> None:
        if len(self._waiting) >= EVENTS_MAX:
            self._waiting.pop(self._sent)
            self.dropped += 1
        self._waiting.append((self._next, code, data))
        self._next += 1

    def holds(self, code: int, data: bytes) -> bool:
        """Does this still wait for its acknowledgement?"""
        return any(waiting == code and said == data for _, waiting, said in self._waiting)

    def begin(self) -> None:
        """A new session: what is not acknowledged goes again."""
        self._sent = 0

    def pump(self, stream: Stream) -> None:
        """Put on the way what there is room for."""
        while self._sent < len(self._waiting) and stream.room > ROOM_KEPT:
            number, code, data = self._waiting[self._sent]
            dropped = min(self.dropped, 0xFFFF).to_bytes(2, "little")
            stream.send(bytes((p.EVENT,)) + number.to_bytes(4, "little") + dropped + bytes((code,)) + data)
            self._sent += 1

    def settle(self, payload: bytes) -> None:
        """The other side has this payload; if it is an event, it is done."""
        if payload[0] != p.EVENT or not self._sent:
            return
        if self._waiting[0][0] == int.from_bytes(payload[1:5], "little"):
            self._waiting.pop(0)
            self._sent -= 1
