"""One session's two streams of payloads: each goes over once and in order, or the session ends.

Go-back-N with at most WINDOW payloads on the way in each direction. The receiver takes the next number only; a
number that it had is acknowledged again, a later one is answered with GAP, and the sender then sends all that is
open once more; so it does when no acknowledgement comes within a time that is measured (mean and deviation of the
round trip, doubled with each try). After RESENDS_MAX tries `broken` is set: whoever owns the stream ends the session
and says so.

Sans-I/O: bytes bodies in, frames out, the time is an argument. Both sides use it (MicroPython subset).
"""

from firmware import protocol as p

WINDOW = 4
INBOX_MAX = 8  # payloads that wait to be taken; more are not accepted, and come again
RESENDS_MAX = 12
RESEND_FIRST_MS = 200  # before a round trip was measured
RESEND_MIN_MS = 80  # the board may be at a card for half of that
RESEND_MAX_MS = 500
ALIVE_MS = 500  # something is said at least this often
ACK_MS = 10  # so long an acknowledgement waits for something to go with
ACK_AT = WINDOW // 2  # so many payloads are acknowledged at once, or the other side's window would stand still
_MOD = 256


class Counters:
    """What happened since this side began."""

    def __init__(self) -> None:
        self.received = 0
        self.sent = 0
        self.resent = 0
        self.duplicates = 0
        self.gaps = 0
        self.round_trip_us = 0  # mean


class Stream:
    """Both directions of one session, from one side."""

    def __init__(self, session: int, now_ms: int, counters: Counters) -> None:
        self.session = session
        self.broken = False
        self.inbox: list[bytes] = []  # payloads that came; the owner takes them out
        self.acknowledged: list[bytes] = []  # payloads that the other side has; the owner takes them out
        self._counters = counters
        self._head = session.to_bytes(4, "little")
        self._open: list[bytes] = []  # sent, not acknowledged: at most WINDOW
        self._first = 0  # the number of the first of them
        self._fresh = 0  # so many of them, from the end, were never sent
        self._expected = 0
        self._unsaid = 0  # payloads that came and are not acknowledged
        self._ack_ms = now_ms + ALIVE_MS  # when they are to be, at the latest
        self._gap_due = False
        self._gap_said = False  # about the payload that is expected now
        self._timer_ms = now_ms  # when the first open one was sent last
        self._tries = 0
        self._mean_ms = -1
        self._deviation_ms = 0
        self._measured = -1  # the number whose round trip is being measured
        self._measured_ms = now_ms

    @property
    def room(self) -> int:
        """So many payloads can be sent now."""
        return WINDOW - len(self._open)

    @property
    def idle(self) -> bool:
        return not self._open

    def send(self, payload: bytes) -> None:
        """Raises ValueError without room, or for a payload that no frame holds."""
        if len(self._open) >= WINDOW or not 0 < len(payload) <= p.PAYLOAD_MAX:
            raise ValueError("no room, or a payload that no frame holds")
        self._open.append(payload)
        self._fresh += 1

    def take(self, body: bytes, now_ms: int) -> None:
        """A DATA, ALIVE or GAP of this session. Raises protocol.Malformed."""
        if len(body) < p.HEAD_BYTES:
            raise p.Malformed("a frame of a stream is too short")
        self._counters.received += 1
        self._settle(body[6], now_ms)
        if body[0] == p.DATA:
            self._accept(body, now_ms)
        elif body[0] == p.GAP and self._open:
            self._again(now_ms)

    def _accept(self, body: bytes, now_ms: int) -> None:
        ahead = (body[5] - self._expected) % _MOD
        if ahead == 0 and len(self.inbox) < INBOX_MAX and len(body) > p.HEAD_BYTES:
            self.inbox.append(body[p.HEAD_BYTES :])
            self._expected = (self._expected + 1) % _MOD
            self._unsaid += 1
            self._ack_ms = min(self._ack_ms, now_ms + ACK_MS)
            if self._unsaid >= ACK_AT:
                self._ack_ms = now_ms
            self._gap_said = False
        elif 0 < ahead < WINDOW:
            self._counters.gaps += 1
            self._gap_due = self._gap_due or not self._gap_said  # once: what follows the missing one says it again
        elif ahead >= _MOD - WINDOW:
            self._counters.duplicates += 1
            self._ack_ms = now_ms

    def _settle(self, acknowledged: int, now_ms: int) -> None:
        """All below `acknowledged` came."""
        count = (acknowledged - self._first) % _MOD
        if not 0 < count <= len(self._open) - self._fresh:
            return  # old news, or nonsense
        if 0 <= (self._measured - self._first) % _MOD < count and self._measured >= 0:
            self._measure(now_ms - self._measured_ms)
        self.acknowledged.extend(self._open[:count])
        self._open = self._open[count:]
        self._first = acknowledged
        self._tries = 0
        self._timer_ms = now_ms

    def _measure(self, took_ms: int) -> None:
        self._measured = -1
        if self._mean_ms < 0:
            self._mean_ms, self._deviation_ms = took_ms, took_ms // 2
        else:
            self._deviation_ms = (3 * self._deviation_ms + abs(took_ms - self._mean_ms)) // 4
            self._mean_ms = (7 * self._mean_ms + took_ms) // 8
        mean_us = self._counters.round_trip_us
        self._counters.round_trip_us = mean_us + (took_ms * 1000 - mean_us) // 8

    def _wait_ms(self) -> int:
        measured = self._mean_ms >= 0
        wait = max(RESEND_MIN_MS, self._mean_ms + 4 * self._deviation_ms) if measured else RESEND_FIRST_MS
        return min(RESEND_MAX_MS, wait << min(self._tries, 5))

    def _again(self, now_ms: int) -> None:
        """All that is open is to be sent once more."""
        sent = len(self._open) - self._fresh
        if not sent:
            return
        self._counters.resent += sent
        self._fresh = len(self._open)
        self._measured = -1  # nobody could say which sending was answered
        self._timer_ms = now_ms

    def output(self, now_ms: int) -> "list[bytes]":
        """The frames that are due, as they go on the wire."""
        sent = len(self._open) - self._fresh
        if sent and now_ms - self._timer_ms >= self._wait_ms():
            self._tries += 1
            self.broken = self.broken or self._tries > RESENDS_MAX
            self._again(now_ms)
            sent = 0
        out = []
        if self._gap_due:
            out.append(self._frame(p.GAP, (self._first + sent) % _MOD, b""))
            self._gap_due, self._gap_said = False, True
        for place in range(sent, len(self._open)):
            number = (self._first + place) % _MOD
            if place == 0:
                self._timer_ms = now_ms
            if self._measured < 0 and not self._tries:
                self._measured, self._measured_ms = number, now_ms
            out.append(self._frame(p.DATA, number, self._open[place]))
        self._fresh = 0
        if not out and now_ms >= self._ack_ms:
            out.append(self._frame(p.ALIVE, (self._first + len(self._open)) % _MOD, b""))
        if out:
            self._unsaid = 0
            self._ack_ms = now_ms + ALIVE_MS
            self._counters.sent += len(out)
        return out

    def due_ms(self, now_ms: int) -> int:
        """In how many milliseconds `output` may have something to say, if nothing happens until then."""
        if self._fresh or self._gap_due:
            return 0
        due = self._ack_ms - now_ms
        if self._open:
            due = min(due, self._timer_ms + self._wait_ms() - now_ms)
        return max(0, due)

    def _frame(self, kind: int, number: int, payload: bytes) -> bytes:
        return p.frame(bytes((kind,)) + self._head + bytes((number, self._expected)) + payload)
