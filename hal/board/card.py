"""The card reader/writer behind the reader board."""

from __future__ import annotations

from typing import Final

from firmware import protocol as p
from hal.board.parts import check_bytes, check_pages, release, share
from hal.events import CardPresented, CardRemoved

COUNTERS: Final = 3


class BoardCardReader:
    """A `hal.card.CardReader`. Raises what it names, and ValueError for what no tag has. A board that is not there
    yet is
        one that vanished: PartFailed, until it comes."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._board = share(device)
        self._closed = False

    @property
    def present(self) -> bytes | None:
        """The UID of the card that was told of last and has not left."""
        return self._board.present

    def poll(self) -> list[CardPresented | CardRemoved]:
        return self._board.cards()

    def read(self, uid: bytes, page: int, pages: int) -> bytes:
        check_pages(self._board.chip(uid), page, pages)
        return self._board.read(uid, page, pages)

    def write(self, uid: bytes, page: int, data: bytes) -> None:
        check_bytes("page", data)
        check_pages(self._board.chip(uid), page, 1)
        self._board.line.call(p.WRITE, _card(uid) + bytes((page,)) + data)

    def authenticate(self, uid: bytes, password: bytes) -> bytes:
        check_bytes("password", password)
        return self._board.line.call(p.AUTHENTICATE, _card(uid) + password)

    def counter(self, uid: bytes, number: int) -> int:
        if not 0 <= number < COUNTERS:
            raise ValueError(f"counters are numbered 0 to {COUNTERS - 1}, not {number}")
        return int.from_bytes(self._board.line.call(p.COUNTER, _card(uid) + bytes((number,))), "little")

    def signature(self, uid: bytes) -> bytes:
        """The chip maker's signature of the UID, 32 bytes."""
        return self._board.line.call(p.SIGNATURE, _card(uid))

    @property
    def statistics(self) -> dict[str, int]:
        """What both sides of the link counted, a short while ago (for the heartbeat)."""
        return self._board.statistics

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            release(self._device, self._board)


def _card(uid: bytes) -> bytes:
    return bytes((len(uid),)) + uid
