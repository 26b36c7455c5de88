"""The unit's end of the link: the port of a World in another process, over a unix socket.

`connect` runs in the unit's process, and again in its camera process; `serve` (here for its name, `serving`
for its code) in the simulator. Frames travel raw: one of 1280x720 takes 0.3 ms, where zlib at its fastest takes
15 ms and still leaves more than half of the bytes (measured on 2 shared x86-64 cores).

What can fail: the simulator goes away, and every call but `clock_setting` raises PartFailed(VANISHED) until it
is back. A new attempt is made by the next call after a back-off that doubles with jitter; a call never waits
for the back-off. A message that is not ours closes the connection with its reason (PartFailed(PROTOCOL)).
"""

from __future__ import annotations

import random
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from hal.errors import CardForeign, CardGone, CardRefused, HalError, HalReason, PartFailed, PartMissing
from hal.events import ButtonPressed, CardPresented, CardRemoved
from hal.indicators import Light, Sound
from hal.virtual import framing
from hal.virtual.framing import Answer, Ask, Ended, Garbage
from hal.virtual.port import (
    HANG_MAX_S,
    ClockSetting,
    RawFrame,
    check_duration,
    check_frame_wait,
    check_pixels,
)
from hal.virtual.serving import PATH_BYTES_MAX, Server, serve

__all__ = ["Link", "Server", "connect", "serve"]

CALL_WAIT_S: Final = 2.0  # for an answer, beside what the call itself waits for
CONNECT_WAIT_S: Final = 5.0  # for the first connection
CONNECT_POLL_S: Final = 0.05
BACKOFF_FIRST_S: Final = 0.05
BACKOFF_MAX_S: Final = 2.0
HANG_POLL_S: Final = 0.5  # how often a hung camera looks whether it was healed
ERRORS: Final[dict[str, type[HalError]]] = {
    kind.__name__: kind for kind in (PartFailed, CardGone, CardForeign, CardRefused)
}
A = TypeVar("A", bound=Answer)


def connect(socket_path: Path, wait_s: float = CONNECT_WAIT_S) -> Link:
    """A link to the world that is served at `socket_path`. Raises PartMissing when nobody serves it in time."""
    if len(bytes(socket_path)) > PATH_BYTES_MAX:
        raise PartMissing(HalReason.NOT_FOUND, f"a socket's path has at most {PATH_BYTES_MAX} bytes: {socket_path}")
    link = Link(socket_path)
    deadline = time.monotonic() + wait_s
    while True:
        try:
            link.hello()
        except PartFailed as error:
            if time.monotonic() >= deadline:
                link.close()
                raise PartMissing(HalReason.NOT_FOUND, f"no simulator answers at {socket_path}: {error}") from error
            time.sleep(CONNECT_POLL_S)
        else:
            return link


class Link:
    """A `port.Port` to a world in another process. Safe to call from several threads, one call at a time; frames
    have a connection of their own, so that waiting for one never delays the display."""

    def __init__(self, path: Path) -> None:
        self._parts = _Channel(path)
        self._camera = _Channel(path)
        self._clock = ClockSetting()
        self._card: bytes | None = None
        self._card_session = 0

    def show(self, pixels: bytes) -> None:
        check_pixels(pixels)
        self._parts.call(framing.Show(bytes(pixels)), framing.Done)

    def signal(self, light: Light, sound: Sound, duration_ms: int) -> None:
        check_duration(duration_ms)
        self._parts.call(framing.Signal(light, sound, duration_ms), framing.Done)

    def card_events(self) -> list[CardPresented | CardRemoved]:
        with self._parts.lock:
            events = framing.unpack_cards(self._parts.call(framing.CardEvents(), framing.Cards))
            if self._card_session != self._parts.session:
                self._card_session = self._parts.session
                events = self._after_a_gap(events)
            for event in events:
                self._card = event.uid if isinstance(event, CardPresented) else None
            return events

    def _after_a_gap(self, events: list[CardPresented | CardRemoved]) -> list[CardPresented | CardRemoved]:
        """A new connection begins with the card that lies in the slot; say only what changed meanwhile."""
        if self._card is None:
            return events
        if events and isinstance(events[0], CardPresented) and events[0].uid == self._card:
            return events[1:]
        return [CardRemoved(uid=self._card), *events]

    def card_read(self, uid: bytes, page: int, pages: int) -> bytes:
        return self._parts.call(framing.CardRead(uid, page, pages), framing.Pages).data

    def card_write(self, uid: bytes, page: int, data: bytes) -> None:
        self._parts.call(framing.CardWrite(uid, page, data), framing.Done)

    def card_authenticate(self, uid: bytes, password: bytes) -> bytes:
        return self._parts.call(framing.CardAuthenticate(uid, password), framing.Pages).data

    def card_counter(self, uid: bytes, number: int) -> int:
        return self._parts.call(framing.CardCounter(uid, number), framing.Count).value

    def button_events(self) -> list[ButtonPressed]:
        return framing.unpack_buttons(self._parts.call(framing.ButtonEvents(), framing.Buttons))

    def clock_setting(self) -> ClockSetting:
        with suppress(PartFailed):
            self._clock = self._parts.call(framing.AskClock(), framing.ClockIs).setting
        return self._clock

    def frame(self, after: int, timeout_s: float) -> RawFrame | None:
        check_frame_wait(timeout_s)
        answer = self._frame(framing.AskFrame(after, int(timeout_s * 1000)), timeout_s)
        if isinstance(answer, framing.NoFrame):
            return None
        if not isinstance(answer, framing.FrameIs) or answer.width_px * answer.height_px != len(answer.grey):
            raise PartFailed(HalReason.PROTOCOL, "what came for a frame is none, or its size does not fit")
        return RawFrame(answer.number, answer.mono_ms, answer.width_px, answer.height_px, answer.grey)

    def _frame(self, ask: framing.AskFrame, timeout_s: float) -> Answer:
        """A camera that the world says is HUNG keeps its caller, as the kernel's would."""
        deadline = time.monotonic() + HANG_MAX_S
        while True:
            try:
                return self._camera.ask(ask, timeout_s)
            except PartFailed as error:
                if error.reason is not HalReason.HUNG or time.monotonic() >= deadline:
                    raise
            time.sleep(HANG_POLL_S)

    def hello(self) -> None:
        """Make sure that the world is there. Raises PartFailed."""
        self._parts.call(framing.AskClock(), framing.ClockIs)

    def close(self) -> None:
        self._parts.close()
        self._camera.close()


class _Channel:
    """One connection: asks and answers in turn, reconnecting."""

    def __init__(self, path: Path) -> None:
        self.lock = threading.RLock()
        self.session = 0  # counts connections
        self._path = path
        self._sock: socket.socket | None = None
        self._closed = False
        self._failures = 0
        self._next_try_s = 0.0

    def call(self, ask: Ask, kind: type[A]) -> A:
        """The answer, of the kind that belongs to `ask`. Raises what the world's port raised, and PartFailed."""
        answer = self.ask(ask, 0.0)
        if not isinstance(answer, kind):
            with self.lock:
                self._drop()
            raise PartFailed(HalReason.PROTOCOL, f"the world answered {type(answer).__name__}, not {kind.__name__}")
        return answer

    def ask(self, ask: Ask, wait_s: float) -> Answer:
        with self.lock:
            sock = self._connected()
            try:
                answer = self._exchange(sock, ask, wait_s)
            except Garbage as error:
                self._drop()
                raise PartFailed(HalReason.PROTOCOL, f"closed the connection to the world: {error}") from error
            except Ended as error:
                self._drop()
                raise PartFailed(HalReason.VANISHED, f"the world at {self._path} is gone: {error}") from error
        if isinstance(answer, framing.Failed):
            raise _raised(answer)
        return answer

    def _exchange(self, sock: socket.socket, ask: Ask, wait_s: float) -> Answer:
        with suppress(Ended):  # the world may have closed with a reason, which then stands to be read
            framing.send(sock, ask)
        answer = framing.receive_answer(sock, wait_s + CALL_WAIT_S)
        if isinstance(answer, framing.Goodbye):
            raise Garbage(f"the world said goodbye: {answer.reason}")
        return answer

    def _connected(self) -> socket.socket:
        if self._sock is not None:
            return self._sock
        if self._closed:
            raise PartFailed(HalReason.VANISHED, "the link was closed")
        if time.monotonic() < self._next_try_s:
            raise PartFailed(HalReason.VANISHED, f"the world at {self._path} is gone; the next try is soon")
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(CALL_WAIT_S)
            sock.connect(bytes(self._path))
            self._exchange(sock, framing.Hello(framing.VERSION), 0.0)
        except (OSError, Ended, Garbage) as error:
            sock.close()
            self._failures += 1
            backoff_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(self._failures, 10))
            self._next_try_s = time.monotonic() + random.uniform(0.5, 1.0) * backoff_s  # noqa: S311 (jitter)
            raise PartFailed(HalReason.VANISHED, f"no world at {self._path}: {error}") from error
        self._sock, self._failures = sock, 0
        self.session += 1
        return sock

    def _drop(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def close(self) -> None:
        with self.lock:
            self._closed = True
            self._drop()


def _raised(failed: framing.Failed) -> Exception:
    if failed.kind == ValueError.__name__:
        return ValueError(failed.text)
    try:
        return ERRORS[failed.kind](HalReason(failed.reason), failed.text)
    except (KeyError, ValueError):
        return PartFailed(HalReason.PROTOCOL, f"{failed.kind} ({failed.reason}): {failed.text}")
