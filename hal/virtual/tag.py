"""A tag's memory as an NTAG213 has it (NXP data sheet NTAG213/215/216, section 8.5): 45 pages of 4 bytes.

Pages 0 and 1 hold the UID, page 2 the lock bytes, page 3 the one-time bits, 4 to 39 are the user's, 40 to 44
configure the chip. Lock bits and one-time bits can be set and never cleared. Password protection is not
modelled, so the configuration pages refuse every write rather than accept one without effect.
"""

from __future__ import annotations

from typing import Final

from hal.card import PAGE_BYTES
from hal.errors import CardRefused, HalReason

PAGES: Final = 45
USER_FIRST: Final = 4
USER_PAGES: Final = 36
UID_BYTES: Final = 7
_LOCK_PAGE: Final = 2
_OTP_PAGE: Final = 3
_STATIC_LOCKED_LAST: Final = 15  # lock bit n of page 2, bytes 2 and 3, freezes page n (3..15)
_CASCADE_TAG: Final = 0x88
_CAPABILITY: Final = bytes((0xE1, 0x10, 0x12, 0x00))


class Tag:
    """A tag that can be put into the slot and taken out again; it keeps what was written."""

    def __init__(self, uid: bytes) -> None:
        if len(uid) != UID_BYTES:
            raise ValueError(f"a UID has {UID_BYTES} bytes, not {len(uid)}")
        self.uid = bytes(uid)
        self._memory = bytearray(PAGES * PAGE_BYTES)
        check0 = _CASCADE_TAG ^ uid[0] ^ uid[1] ^ uid[2]
        check1 = uid[3] ^ uid[4] ^ uid[5] ^ uid[6]
        self._memory[0:9] = uid[:3] + bytes((check0,)) + uid[3:] + bytes((check1,))
        self._memory[9] = 0x48
        self._memory[12:16] = _CAPABILITY

    @property
    def user_memory(self) -> bytes:
        return self.read(USER_FIRST, USER_PAGES)

    def read(self, page: int, pages: int) -> bytes:
        """Raises ValueError outside the memory: a real chip would roll over to page 0 and look fine."""
        if page < 0 or pages < 1 or page + pages > PAGES:
            raise ValueError(f"pages {page} to {page + pages - 1} are not all within 0 to {PAGES - 1}")
        return bytes(self._memory[page * PAGE_BYTES : (page + pages) * PAGE_BYTES])

    def write(self, page: int, data: bytes, *, torn_after: int | None = None) -> None:
        """One page. With `torn_after`, only so many of its bytes take the new value: power was lost there.

        Raises ValueError (size, page) and CardRefused (UID, configuration or locked page).
        """
        if len(data) != PAGE_BYTES:
            raise ValueError(f"a page has {PAGE_BYTES} bytes, not {len(data)}")
        if not 0 <= page < PAGES:
            raise ValueError(f"no page {page}: a tag has pages 0 to {PAGES - 1}")
        if page < _LOCK_PAGE:
            raise CardRefused(HalReason.CARD_REFUSED, f"page {page} holds the UID and can't be written")
        if page >= USER_FIRST + USER_PAGES:
            raise CardRefused(HalReason.CARD_REFUSED, f"page {page} configures the chip and can't be written here")
        if self._locked(page):
            raise CardRefused(HalReason.CARD_REFUSED, f"page {page} is locked")
        at = page * PAGE_BYTES
        if page == _LOCK_PAGE:
            new = bytes(self._memory[at : at + 2]) + bytes(b | self._memory[at + 2 + i] for i, b in enumerate(data[2:]))
        elif page == _OTP_PAGE:
            new = bytes(b | self._memory[at + i] for i, b in enumerate(data))
        else:
            new = data
        taken = PAGE_BYTES if torn_after is None else torn_after
        self._memory[at : at + taken] = new[:taken]

    def _locked(self, page: int) -> bool:
        if not _OTP_PAGE <= page <= _STATIC_LOCKED_LAST:
            return False
        locks = int.from_bytes(self._memory[_LOCK_PAGE * PAGE_BYTES + 2 : _OTP_PAGE * PAGE_BYTES], "little")
        return bool(locks >> page & 1)
