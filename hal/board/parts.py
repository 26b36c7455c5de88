"""One board, shared by the parts that lie behind it: opened with the first of them, closed with the last.

Its one thread takes the events: of a card that came it reads the record at once, so that whoever polls is told of
the card with what stands on it, as of a card in any other reader.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from typing import Final

from firmware import protocol as p
from hal.board.host_end import Event
from hal.board.line import EVENTS_MAX, Line, refusal
from hal.card import PAGE_BYTES
from hal.errors import HalError, PartFailed
from hal.events import ButtonPressed, CardPresented, CardRemoved
from loyalty.card_slots import USER_FIRST_PAGE, USER_PAGES, Chip

CHIPS: Final = {
    p.CHIP_NTAG213: Chip.NTAG213,
    p.CHIP_NTAG215: Chip.NTAG215,
    p.CHIP_NTAG216: Chip.NTAG216,
    p.CHIP_MF0UL11: Chip.MF0UL11,
    p.CHIP_MF0UL21: Chip.MF0UL21,
}
_EVENT_WAIT_S: Final = 0.5
START_WAIT_S: Final = 1.0  # for the first session; a board that is not there then is one that vanished
STATISTICS_EVERY_S: Final = 20.0
JOIN_S: Final = 5.0


class Board:
    """See the module. Safe to call from several threads."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self._lock = threading.Lock()
        self._cards: deque[CardPresented | CardRemoved] = deque(maxlen=EVENTS_MAX)
        self._buttons: deque[ButtonPressed] = deque(maxlen=EVENTS_MAX)
        self._card: bytes | None = None  # what was said last
        self._chip: Chip | None = None
        self._boot = 0
        self._reader_error = p.OK
        self.statistics: dict[str, int] = {}  # of both sides, from a short while ago
        self._statistics_at_s = 0.0
        self._closed = False
        self._thread = threading.Thread(target=self._attend, name="board-events", daemon=True)
        self._thread.start()

    # -- for the parts

    def cards(self) -> list[CardPresented | CardRemoved]:
        """Raises PartFailed where there is nothing to say and no reader to say it."""
        with self._lock:
            out = list(self._cards)
            self._cards.clear()
            error = self._reader_error
        if not out:
            self.line.check()
            if error != p.OK:
                raise refusal(error, b"")
        return out

    def buttons(self) -> list[ButtonPressed]:
        with self._lock:
            out = list(self._buttons)
            self._buttons.clear()
        if not out:
            self.line.check()
        return out

    @property
    def present(self) -> bytes | None:
        with self._lock:
            return self._card

    def chip(self, uid: bytes) -> Chip | None:
        """Of the card that lies there, if it is this one."""
        with self._lock:
            return self._chip if self._card == uid else None

    def read(self, uid: bytes, page: int, pages: int) -> bytes:
        out = b""
        while pages:
            count = min(pages, p.PAGES_MAX)
            out += self.line.call(p.READ, bytes((len(uid),)) + uid + bytes((page, count)))
            page, pages = page + count, pages - count
        return out

    def close(self) -> None:
        self._closed = True
        self.line.close()
        self._thread.join(JOIN_S)

    # -- the thread

    def _attend(self) -> None:
        while not self._closed:
            event = self.line.next_event(_EVENT_WAIT_S)
            hello = self.line.hello
            if hello is not None and hello.boot != self._boot:
                self._boot = hello.boot
                with self._lock:  # what a board that began anew forgot to say
                    self._reader_error = p.OK
                self._left()
            if event is not None and event.boot == self._boot:
                self._take(event)
            if time.monotonic() >= self._statistics_at_s:
                self._statistics_at_s = time.monotonic() + STATISTICS_EVERY_S
                with suppress(PartFailed):
                    self.statistics = self.line.statistics()

    def _take(self, event: Event) -> None:
        match event.code:
            case p.CARD_CAME if len(event.data) > 1:
                self._came(CHIPS.get(event.data[0]), event.data[1:])
            case p.CARD_LEFT:
                self._left()
            case p.BUTTON if event.data:
                with self._lock:
                    self._buttons.append(ButtonPressed(button=event.data[0]))
            case p.READER_FAILED if event.data:
                with self._lock:
                    self._reader_error = event.data[0]
            case p.READER_HEALED:
                with self._lock:
                    self._reader_error = p.OK

    def _came(self, chip: Chip | None, uid: bytes) -> None:
        if self._card == uid:
            return  # it lay there already, when the session began
        self._left()
        record = b""
        if chip is not None:
            with suppress(HalError):  # a password guards it, or it is gone again
                record = self.read(uid, USER_FIRST_PAGE, USER_PAGES[chip])
        with self._lock:
            self._card, self._chip = uid, chip
            self._cards.append(CardPresented(uid=uid, record=record, chip=chip or ""))

    def _left(self) -> None:
        with self._lock:
            if self._card is not None:
                self._cards.append(CardRemoved(uid=self._card))
            self._card = self._chip = None


_OPEN: Final[dict[str, tuple[Board, int]]] = {}  # by device: the board and how many parts use it
_OPEN_LOCK: Final = threading.Lock()


def share(device: str) -> Board:
    """The board at `device`, there or not; give it back with `release`."""
    with _OPEN_LOCK:
        board, users = _OPEN[device] if device in _OPEN else (Board(Line(device)), 0)
        _OPEN[device] = (board, users + 1)
    board.line.wait_open(START_WAIT_S)
    return board


def release(device: str, board: Board) -> None:
    with _OPEN_LOCK:
        known, users = _OPEN.get(device, (board, 1))
        if known is board and users > 1:
            _OPEN[device] = (board, users - 1)
            return
        _OPEN.pop(device, None)
    board.close()


PAGES: Final = {Chip.NTAG213: 45, Chip.NTAG215: 135, Chip.NTAG216: 231, Chip.MF0UL11: 20, Chip.MF0UL21: 41}


def check_pages(chip: Chip | None, page: int, pages: int) -> None:
    """Raises ValueError for pages that this chip does not have."""
    last = PAGES[chip] if chip is not None else max(PAGES.values())
    if page < 0 or pages < 1 or page + pages > last:
        raise ValueError(f"pages {page} to {page + pages - 1} are not all within 0 to {last - 1}")


def check_bytes(what: str, data: bytes, size: int = PAGE_BYTES) -> None:
    """Raises ValueError."""
    if len(data) != size:
        raise ValueError(f"a {what} has {size} bytes, not {len(data)}")
