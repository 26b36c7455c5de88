"""The card reader/writer. Cards come and go as events; reading and writing pages is asked for."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from hal.events import CardPresented, CardRemoved

PAGE_BYTES = 4


@runtime_checkable
class Counting(Protocol):
    """A reader that counts what happens on the way to it."""

    @property
    def statistics(self) -> dict[str, int]: ...


class CardReader(Protocol):
    """Raises PartMissing, PartFailed, CardGone, CardForeign, CardRefused. Safe to call from several threads.

    After a CardRefused (the chip said NAK) a session with a password has ended. After a CardGone in a write the page
    may be old, new or torn: only reading it again can tell.
    """

    def poll(self) -> list[CardPresented | CardRemoved]:
        """What happened since the last call, in order. Never blocks."""

    def read(self, uid: bytes, page: int, pages: int) -> bytes:
        """`pages` pages of 4 bytes from `page` on."""

    def write(self, uid: bytes, page: int, data: bytes) -> None:
        """One page of 4 bytes; returns when the card confirmed it."""

    def authenticate(self, uid: bytes, password: bytes) -> bytes:
        """Opens what the chip guards with this password (4 bytes) while the card stays; the chip's answer (2 bytes)."""

    def counter(self, uid: bytes, number: int) -> int:
        """One of the chip's counters that only grow (24 bits): 2 on an NTAG21x, 0 to 2 on a MIFARE Ultralight EV1."""

    def close(self) -> None: ...
