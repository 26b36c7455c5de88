"""The virtual card reader: cards that a person puts into the World's slot."""

from __future__ import annotations

from hal.events import CardPresented, CardRemoved
from hal.virtual.port import Port


class VirtualCardReader:
    """A `hal.card.CardReader` for the tags of `tag.Tag`. Raises ValueError for pages and counters that no tag has,
    PartFailed, CardGone and CardRefused."""

    def __init__(self, port: Port) -> None:
        self._port = port

    def poll(self) -> list[CardPresented | CardRemoved]:
        return self._port.card_events()

    def read(self, uid: bytes, page: int, pages: int) -> bytes:
        return self._port.card_read(uid, page, pages)

    def write(self, uid: bytes, page: int, data: bytes) -> None:
        self._port.card_write(uid, page, data)

    def authenticate(self, uid: bytes, password: bytes) -> bytes:
        return self._port.card_authenticate(uid, password)

    def counter(self, uid: bytes, number: int) -> int:
        return self._port.card_counter(uid, number)

    def close(self) -> None:
        self._port.close()
