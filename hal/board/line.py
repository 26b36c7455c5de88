"""The line to one reader board: the serial port, the threads around `host_end.HostEnd`, and calls that wait for
their answer.

All parts of a unit that lie behind one board share a `Line` (`shared`). It opens the port when there is one, again
and again with a back-off, stays silent until the board is heard, and opens a session by itself after every reset,
unplugging and silence: nobody restarts anything. Errors of the board become `hal.errors` here, once.

What can fail: a call raises PartFailed (no board, the reader chip), CardGone, CardRefused, CardForeign; of a call
that was lost with its session nobody knows whether it was done.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from contextlib import suppress
from random import SystemRandom
from typing import Final, NoReturn

import serial

from firmware import protocol as p
from hal.board.host_end import Answer, Event, HostEnd, Lost, Why
from hal.errors import CardForeign, CardGone, CardRefused, HalError, HalReason, PartFailed

CALL_WAIT_S: Final = 3.0  # a reader that is asked may be starting anew
BACKOFF_FIRST_S: Final = 0.1
BACKOFF_MAX_S: Final = 2.0
JOIN_S: Final = 5.0
_WAIT_MAX_MS: Final = 100
_READ_BYTES: Final = 4096
_WRITE_WAIT_S: Final = 0.5
EVENTS_MAX: Final = 256
_LOST: Final = {
    Why.SILENT: (HalReason.NO_ANSWER, "the board says nothing: unplug it and plug it in again"),
    Why.RESET: (HalReason.VANISHED, "the board began anew"),
    Why.FORGOTTEN: (HalReason.VANISHED, "the board let go of the session"),
    Why.BROKEN: (HalReason.NO_ANSWER, "the line loses too much: try another cable"),
    Why.VERSION: (HalReason.PROTOCOL, "the board speaks another version of the link: update its files"),
    Why.UNPLUGGED: (HalReason.VANISHED, "the board is unplugged"),
}
_NAKS: Final = {
    0: "no such page, or it is locked, or the password is wrong",
    1: "what it heard was damaged",
    4: "too many wrong passwords were tried: this tag opens no more",
    5: "its memory can't be written",
    15: "this reader chip does not tell why (a tag that counts wrong passwords opens no more after the last)",
}


def refusal(error: int, data: bytes) -> HalError | ValueError:
    """An error of the board as ours."""
    match error:
        case p.GONE:
            return CardGone(HalReason.CARD_GONE, "the card is not there")
        case p.REFUSED:
            return CardRefused(HalReason.CARD_REFUSED, f"the card said NAK: {_NAKS.get(data[0] if data else 15, 'no')}")
        case p.FOREIGN:
            return CardForeign(HalReason.CARD_FOREIGN, "a chip that we don't know")
        case p.COLLISION:
            return CardGone(HalReason.CARD_GONE, "two cards lie there: take one away")
        case p.ABSENT:
            return PartFailed(HalReason.NO_ANSWER, "no reader chip answers the board: check its wires")
        case p.HUNG:
            return PartFailed(HalReason.HUNG, "the reader chip hangs; the board starts it anew")
        case p.GARBLED:
            return CardGone(HalReason.CARD_GONE, "the card was heard too badly: hold it closer")
        case p.UNVERIFIED:
            return PartFailed(HalReason.PROTOCOL, "a page was written and reads as something else")
        case p.MALFORMED:
            return ValueError("the board takes no such arguments (page, counter, duration)")
        case p.FLASH:
            return PartFailed(HalReason.NO_ANSWER, "the board's flash can't be written")
        case _:
            return PartFailed(HalReason.PROTOCOL, f"the board does not know this (error {error})")


class Line:
    """See the module."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._changed = threading.Condition()
        self._host = HostEnd(SystemRandom().getrandbits(16), _now_ms())
        self._results: dict[int, Answer | Lost] = {}
        self._waiting: set[int] = set()
        self._events: deque[Event] = deque(maxlen=EVENTS_MAX)
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._closed = False
        self.unplugged = 0  # times
        self._thread = threading.Thread(target=self._run, name="board-line", daemon=True)
        self._thread.start()

    # -- for the parts

    def wait_open(self, timeout_s: float) -> bool:
        """Is there a session, within so long?"""
        with self._changed:
            return self._changed.wait_for(lambda: self._host.open or self._closed, timeout_s) and self._host.open

    @property
    def hello(self) -> p.Hello | None:
        """Of the board that is, or was, there."""
        return self._host.hello

    @property
    def sessions(self) -> int:
        return self._host.sessions

    def check(self) -> None:
        """Raises PartFailed while there is no session."""
        with self._changed:
            if not self._host.open:
                _lost(self._host.why)

    def call(self, command: int, arguments: bytes = b"", wait_s: float = CALL_WAIT_S) -> bytes:
        """The answer's data. Raises what `refusal` makes of an error, and PartFailed. Safe to call from several
        threads."""
        end_s = time.monotonic() + wait_s
        with self._changed:
            if not self._changed.wait_for(lambda: self._host.ready or self._closed, wait_s) or self._closed:
                _lost(Why.UNPLUGGED if self._closed else self._host.why)
            number = self._host.ask(command, arguments)
            self._waiting.add(number)
            self._wake()
            came = self._changed.wait_for(
                lambda: number in self._results or self._closed, max(0.0, end_s - time.monotonic())
            )
            self._waiting.discard(number)
            result = self._results.pop(number, None)
        if result is None:
            _lost(Why.SILENT if not came else Why.UNPLUGGED)
        if isinstance(result, Lost):
            _lost(result.why)
        if result.error != p.OK:
            raise refusal(result.error, result.data)
        return result.data

    def next_event(self, timeout_s: float) -> Event | None:
        """The oldest event that nobody took; one thread takes them all."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._events) or self._closed, timeout_s)
            return self._events.popleft() if self._events else None

    def statistics(self) -> dict[str, int]:
        """What both sides counted (for the heartbeat). Raises PartFailed."""
        data = self.call(p.STATISTICS)
        board = {
            f"board_{name}": int.from_bytes(data[4 * place : 4 * place + 4], "little")
            for place, name in enumerate(p.STATISTICS_FIELDS)
        }
        host, decoder = self._host, self._host.decoder
        return board | {
            "sessions": host.sessions, "resets": host.resets, "unplugged": self.unplugged,
            "missed_events": host.missed_events, "frames_received": host.counters.received,
            "frames_damaged": decoder.damaged, "bytes_outside": decoder.outside, "frames_sent": host.counters.sent,
            "frames_resent": host.counters.resent, "duplicates": host.counters.duplicates,
            "round_trip_us": host.counters.round_trip_us,
        }  # fmt: skip

    def close(self) -> None:
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        self._wake()
        self._thread.join(JOIN_S)
        os.close(self._wake_write)
        os.close(self._wake_read)

    # -- the thread

    def _run(self) -> None:
        backoff_s = BACKOFF_FIRST_S
        while not self._closed:
            try:
                port = serial.Serial(self._device, timeout=0, write_timeout=_WRITE_WAIT_S, exclusive=True)
            except (OSError, ValueError):  # SerialException is an OSError
                with self._changed:
                    self._host.why = Why.UNPLUGGED
                    self._changed.wait_for(lambda: self._closed, backoff_s)
                backoff_s = min(BACKOFF_MAX_S, 2 * backoff_s)
                continue
            backoff_s = BACKOFF_FIRST_S
            with self._changed:
                self._host.why = Why.SILENT
            with suppress(OSError, ValueError), port:
                self._speak(port)
            with self._changed:
                if not self._closed:
                    self.unplugged += 1
                self._host.unplugged()
                self._share()

    def _speak(self, port: serial.Serial) -> None:
        """Until it is closed. Raises OSError when the port is gone."""
        while not self._closed:
            with self._changed:
                now_ms = _now_ms()
                out = self._host.output(now_ms)
                self._share()
                due_ms = self._host.due_ms(now_ms)
            if out:
                port.write(out)
                due_ms = min(due_ms, _WAIT_MAX_MS)
            readable, _, _ = select.select([port.fileno(), self._wake_read], [], [], min(due_ms, _WAIT_MAX_MS) / 1000)
            if self._wake_read in readable:
                os.read(self._wake_read, _READ_BYTES)
            if port.fileno() in readable:
                data = os.read(port.fileno(), _READ_BYTES)
                if not data:
                    raise OSError("the port is gone")
                with self._changed:
                    self._host.receive(data, _now_ms())
                    self._share()

    def _share(self) -> None:
        """To those who wait; with the lock."""
        for result in self._host.results():
            if result.number in self._waiting:
                self._results[result.number] = result
        self._events.extend(self._host.events())
        self._changed.notify_all()

    def _wake(self) -> None:
        with suppress(OSError):  # full: it wakes anyway
            os.write(self._wake_write, b"\x00")


def _lost(why: Why) -> NoReturn:
    reason, text = _LOST[why]
    raise PartFailed(reason, text)


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
