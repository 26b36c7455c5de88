"""The card reader/writer. Cards come and go as events; reading and writing pages is asked for."""

from __future__ import annotations

from typing import Protocol

from hal.events import CardPresented, CardRemoved

PAGE_BYTES = 4


class CardReader(Protocol):
    """Raises PartMissing, PartFailed, CardGone, CardForeign, CardRefused."""

    def poll(self) -> list[CardPresented | CardRemoved]:
        """What happened since the last call, in order. Never blocks."""

    def read(self, uid: bytes, page: int, pages: int) -> bytes:
        """`pages` pages of 4 bytes from `page` on."""

    def write(self, uid: bytes, page: int, data: bytes) -> None:
        """One page of 4 bytes; returns when the card confirmed it."""

    def close(self) -> None: ...
