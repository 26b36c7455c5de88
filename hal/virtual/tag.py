"""A tag as the supported chips behave: memory, lock bits, password, counters. Stricter than the chips where it can be.

From NXP's data sheets NTAG213/215/216 (rev. 3.2) and MF0ULx1 (rev. 3.3): pages of 4 bytes, 0 and 1 with the UID, 2 with
the static lock bits, 3 with one-time bits, then the user's, then (not on MF0UL11) dynamic lock bits, two pages of
configuration, password and its acknowledgement (PACK). Lock bits and one-time bits can be set and never cleared;
password and PACK read as zeros. Writing dynamic lock bits is not modelled, so it is refused rather than accepted
without effect.

A refusal (a NAK of the chip) ends the session, as on a chip: what was unlocked by the password is locked again.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hal.card import PAGE_BYTES
from hal.errors import CardRefused, HalReason
from loyalty.card_slots import USER_FIRST_PAGE, USER_PAGES, Chip

UID_BYTES: Final = 7
PASSWORD_BYTES: Final = 4
PACK_BYTES: Final = 2
COUNTER_MAX: Final = 2**24 - 1
NFC_COUNTER: Final = 2  # the one counter of an NTAG21x; MF0ULx1 have 0, 1 and 2
_LOCK_PAGE: Final = 2
_OTP_PAGE: Final = 3
_STATIC_LOCKED_LAST: Final = 15  # lock bit n of page 2, bytes 2 and 3, freezes page n (3..15)
_CASCADE_TAG: Final = 0x88
_READ_TOO: Final = 0x80  # PROT: the password guards reading as well
_CONFIG_LOCKED: Final = 0x40  # CFGLCK
_COUNTS: Final = 0x10  # NFC_CNT_EN
_COUNTER_GUARDED: Final = 0x08  # NFC_CNT_PWD_PROT
_TRIES: Final = 0x07  # AUTHLIM; 0: any number
_NOBODY: Final = 0xFF  # AUTH0 past the last page: nothing is guarded


class _Sheet(NamedTuple):
    """What a data sheet says of one chip."""

    config: int  # CFG 0; CFG 1, PWD and PACK follow
    pages: int
    capability: bytes  # page 3 as delivered
    ntag: bool


_SHEETS: Final[dict[Chip, _Sheet]] = {
    Chip.NTAG213: _Sheet(0x29, 45, bytes((0xE1, 0x10, 0x12, 0x00)), ntag=True),
    Chip.NTAG215: _Sheet(0x83, 135, bytes((0xE1, 0x10, 0x3E, 0x00)), ntag=True),
    Chip.NTAG216: _Sheet(0xE3, 231, bytes((0xE1, 0x10, 0x6D, 0x00)), ntag=True),
    Chip.MF0UL11: _Sheet(0x10, 20, bytes(4), ntag=False),
    Chip.MF0UL21: _Sheet(0x25, 41, bytes(4), ntag=False),
}


class Tag:
    """A tag that can be put into the slot and taken out again; it keeps what was written."""

    def __init__(self, uid: bytes, chip: Chip = Chip.NTAG213) -> None:
        if len(uid) != UID_BYTES:
            raise ValueError(f"a UID has {UID_BYTES} bytes, not {len(uid)}")
        self.uid, self.chip = bytes(uid), chip
        self._sheet = _SHEETS[chip]
        self.pages = self._sheet.pages
        self._memory = bytearray(self.pages * PAGE_BYTES)
        check0 = _CASCADE_TAG ^ uid[0] ^ uid[1] ^ uid[2]
        check1 = uid[3] ^ uid[4] ^ uid[5] ^ uid[6]
        self._memory[0:9] = uid[:3] + bytes((check0,)) + uid[3:] + bytes((check1,))
        self._memory[9] = 0x48
        self._put(_OTP_PAGE, self._sheet.capability)
        self._put(self._sheet.config, bytes((0, 0, 0, _NOBODY)))
        self._put(self._sheet.config + 2, b"\xff" * PASSWORD_BYTES)
        self._counters = [0, 0, 0]
        self._wrong_tries = 0
        self.enter_field()

    def enter_field(self) -> None:
        """The tag gets power: a new session, nothing unlocked."""
        self._unlocked = False
        self._counted = False

    # -- what a reader asks

    @property
    def readable(self) -> bytes:
        """The user's memory as a reader gets it when the tag comes: empty where a password guards reading."""
        try:
            return self.read(USER_FIRST_PAGE, USER_PAGES[self.chip])
        except CardRefused:
            return b""

    def read(self, page: int, pages: int) -> bytes:
        """Raises ValueError outside the memory (a real chip would roll over to page 0 and look fine), CardRefused."""
        if page < 0 or pages < 1 or page + pages > self.pages:
            raise ValueError(f"pages {page} to {page + pages - 1} are not all within 0 to {self.pages - 1}")
        if self._access & _READ_TOO and page + pages > self._guarded_from and not self._unlocked:
            raise self._nak(f"pages from {self._guarded_from} on are read with the password only")
        if self._sheet.ntag and self._access & _COUNTS and not self._counted:
            self._counted = True
            self._counters[NFC_COUNTER] = min(COUNTER_MAX, self._counters[NFC_COUNTER] + 1)
        shown = bytes(self._memory[: (self._sheet.config + 2) * PAGE_BYTES]).ljust(len(self._memory), b"\0")
        return shown[page * PAGE_BYTES : (page + pages) * PAGE_BYTES]

    def write(self, page: int, data: bytes, *, torn_after: int | None = None) -> None:
        """One page. With `torn_after`, only so many of its bytes take the new value: power was lost there.

        Raises ValueError (size, page) and CardRefused (UID, locked or guarded page).
        """
        if len(data) != PAGE_BYTES:
            raise ValueError(f"a page has {PAGE_BYTES} bytes, not {len(data)}")
        if not 0 <= page < self.pages:
            raise ValueError(f"no page {page}: this tag has pages 0 to {self.pages - 1}")
        if page < _LOCK_PAGE:
            raise self._nak(f"page {page} holds the UID and can't be written")
        if USER_FIRST_PAGE + USER_PAGES[self.chip] <= page < self._sheet.config:
            raise self._nak(f"page {page} holds dynamic lock bits and can't be written here")
        if page in (self._sheet.config, self._sheet.config + 1) and self._access & _CONFIG_LOCKED:
            raise self._nak(f"page {page}: the configuration is locked")
        if page >= self._guarded_from and not self._unlocked:
            raise self._nak(f"page {page} is written with the password only")
        if self._locked(page):
            raise self._nak(f"page {page} is locked")
        old = self._page(page)
        new = data
        if page == _LOCK_PAGE:
            new = old[:2] + bytes(before | bit for before, bit in zip(old[2:], data[2:], strict=True))
        elif page == _OTP_PAGE:
            new = bytes(before | bit for before, bit in zip(old, data, strict=True))
        taken = PAGE_BYTES if torn_after is None else torn_after
        self._put(page, new[:taken] + old[taken:])

    def authenticate(self, password: bytes) -> bytes:
        """Unlocks what the password guards until the session ends; the tag's PACK. Raises ValueError, CardRefused."""
        if len(password) != PASSWORD_BYTES:
            raise ValueError(f"a password has {PASSWORD_BYTES} bytes, not {len(password)}")
        limit = self._access & _TRIES
        if limit and self._wrong_tries >= limit:
            raise self._nak("too many wrong passwords were tried: this tag opens no more")
        if password != self._page(self._sheet.config + 2):
            self._wrong_tries += 1
            raise self._nak("the password is wrong")
        self._wrong_tries = 0
        self._unlocked = True
        return self._page(self._sheet.config + 3)[:PACK_BYTES]

    def counter(self, number: int) -> int:
        """A counter that only grows. Raises ValueError outside 0..2, CardRefused where the chip has or shows none."""
        if not 0 <= number < len(self._counters):
            raise ValueError(f"counters are numbered 0 to {len(self._counters) - 1}, not {number}")
        if self._sheet.ntag:
            if number != NFC_COUNTER or not self._access & _COUNTS:
                raise self._nak(f"counter {number} does not count on this tag")
            if self._access & _COUNTER_GUARDED and not self._unlocked:
                raise self._nak("the counter is read with the password only")
        return self._counters[number]

    # -- what only the world may do

    @property
    def user_memory(self) -> bytes:
        """What stands in the user's pages, whoever may read it."""
        first = USER_FIRST_PAGE * PAGE_BYTES
        return bytes(self._memory[first : first + USER_PAGES[self.chip] * PAGE_BYTES])

    def copy_from(self, other: Tag) -> None:
        """Make this tag a copy of another one's user memory, as somebody with a reader of their own can."""
        if other.chip is not self.chip:
            raise ValueError(f"a {self.chip} is no copy of a {other.chip}")
        first = USER_FIRST_PAGE * PAGE_BYTES
        self._memory[first : first + len(other.user_memory)] = other.user_memory

    # -- inside

    @property
    def _access(self) -> int:
        return self._memory[(self._sheet.config + 1) * PAGE_BYTES]

    @property
    def _guarded_from(self) -> int:
        """AUTH0: the first page that the password guards."""
        return self._memory[self._sheet.config * PAGE_BYTES + 3]

    def _nak(self, why: str) -> CardRefused:
        self._unlocked = False
        return CardRefused(HalReason.CARD_REFUSED, why)

    def _page(self, page: int) -> bytes:
        return bytes(self._memory[page * PAGE_BYTES : (page + 1) * PAGE_BYTES])

    def _put(self, page: int, data: bytes) -> None:
        self._memory[page * PAGE_BYTES : (page + 1) * PAGE_BYTES] = data

    def _locked(self, page: int) -> bool:
        if not _OTP_PAGE <= page <= _STATIC_LOCKED_LAST:
            return False
        locks = int.from_bytes(self._memory[_LOCK_PAGE * PAGE_BYTES + 2 : _OTP_PAGE * PAGE_BYTES], "little")
        return bool(locks >> page & 1)
