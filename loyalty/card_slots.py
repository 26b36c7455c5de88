"""Two slots on a tag, against torn writes: which chip holds what, the newest valid record, and the writes of an update.

The user's memory is split into two slots of equal size. An update is written to the slot that does not hold the newest
valid record, page by page; until its last byte is there that slot's MAC does not fit, so a power cut or a card that
is pulled away at any point leaves the old record, and afterwards the new one. Nothing is ever written elsewhere.

What two slots can't help against: a thief of the key, a tag whose UID can be chosen and that is copied whole, and
an old slot that is written back. Those are the business of generation, counter and journal (docs/card.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from loyalty.card import (
    BALANCE_BYTES,
    BALANCES_MAX,
    COUNTER_MAX,
    HEAD_BYTES,
    MAC_BYTES,
    PAGE_BYTES,
    Balance,
    Record,
    card_key,
    decode,
    encode,
    resembles,
)

SLOTS: Final = 2
USER_FIRST_PAGE: Final = 4  # on every supported chip
WRITES_MAX: Final = 24  # pages of the longest record: 11 + 15 x 5 + 8 bytes


class Chip(StrEnum):
    """The supported chips, by their names in NXP's data sheets."""

    NTAG213 = "ntag213"
    NTAG215 = "ntag215"
    NTAG216 = "ntag216"
    MF0UL11 = "mf0ul11"  # MIFARE Ultralight EV1 with 48 bytes
    MF0UL21 = "mf0ul21"  # MIFARE Ultralight EV1 with 128 bytes


USER_PAGES: Final[dict[Chip, int]] = {
    Chip.MF0UL11: 12, Chip.MF0UL21: 32, Chip.NTAG213: 36, Chip.NTAG215: 126, Chip.NTAG216: 222,
}  # fmt: skip

_NAMED: Final = {chip.value: chip for chip in Chip}


class Budget(msgspec.Struct, frozen=True):
    """What a chip has room for."""

    user_bytes: int
    slot_bytes: int
    balances: int
    free_bytes: int  # of a slot that is as full as it may be


def chip_named(name: str) -> Chip | None:
    """None: a chip that we don't know, and never write to."""
    return _NAMED.get(name)


def slot_pages(chip: Chip) -> int:
    return USER_PAGES[chip] // SLOTS


def budget(chip: Chip) -> Budget:
    slot_bytes = slot_pages(chip) * PAGE_BYTES
    balances = min(BALANCES_MAX, (slot_bytes - HEAD_BYTES - MAC_BYTES) // BALANCE_BYTES)
    used = HEAD_BYTES + balances * BALANCE_BYTES + MAC_BYTES
    return Budget(USER_PAGES[chip] * PAGE_BYTES, slot_bytes, balances, slot_bytes - used)


def fit(balances: Sequence[Balance], chip: Chip) -> tuple[tuple[Balance, ...], tuple[Balance, ...]]:
    """Those that fit on the chip, the first ones first, and those that do not: said at issue time."""
    room = budget(chip).balances
    return tuple(balances[:room]), tuple(balances[room:])


class Found(msgspec.Struct, frozen=True):
    """The newest valid record of a card, and where it stands."""

    record: Record
    slot: int


class Kind(StrEnum):
    """What a tag turned out to be."""

    OURS = "ours"  # a valid record is on it
    BROKEN = "broken"  # a record of ours, by its looks, that is not valid: torn, forged, or copied from another tag
    EMPTY = "empty"  # as it came from the factory: an issuing kiosk may write it
    FOREIGN = "foreign"  # somebody else's: never written


class Look(msgspec.Struct, frozen=True):
    """What was seen on a tag. `found` belongs to OURS."""

    kind: Kind
    found: Found | None = None


def look(memory: bytes, chip: Chip | None, uid: bytes, keys: Iterable[bytes]) -> Look:
    """What the user's memory of a tag holds. `keys`: the programme's keys that are accepted, at least one for OURS."""
    if chip is None or len(memory) != USER_PAGES[chip] * PAGE_BYTES:
        return Look(Kind.FOREIGN)
    slots = _slots(memory, chip)
    newest: Found | None = None
    for key in keys:
        ours = card_key(key, uid)
        for number, data in enumerate(slots):
            record = decode(data, number, ours)
            if record is not None and (newest is None or record.counter > newest.record.counter):
                newest = Found(record, number)
    if newest is not None:
        return Look(Kind.OURS, newest)
    if any(resembles(data) for data in slots):
        return Look(Kind.BROKEN)
    return Look(Kind.EMPTY if is_empty(memory) else Kind.FOREIGN)


class PageWrite(msgspec.Struct, frozen=True):
    """One page of 4 bytes, by the chip's own number of it."""

    page: int
    data: bytes


class Plan(msgspec.Struct, frozen=True):
    """An update: `record` is what the card says when all `writes` are done in order, and not before."""

    record: Record  # with the counter that it gets
    slot: int
    writes: tuple[PageWrite, ...]

    @property
    def first_page(self) -> int:
        return self.writes[0].page

    @property
    def data(self) -> bytes:
        """What the written pages hold in the end, for the read-back."""
        return b"".join(write.data for write in self.writes)


def plan(record: Record, before: Found | None, chip: Chip, uid: bytes, key: bytes) -> Plan | None:
    """How `record` gets onto the card that says `before` (None: nothing that is valid). Its counter is one above the
    card's, its balances are those that fit. None: the card has been written COUNTER_MAX times and is worn out.

    `key`: the programme's newest.
    """
    counter = 1 if before is None else before.record.counter + 1
    if counter > COUNTER_MAX:
        return None
    slot = 0 if before is None else 1 - before.slot
    kept, _ = fit(record.balances, chip)
    new = msgspec.structs.replace(record, counter=counter, balances=kept)
    data = encode(new, slot, card_key(key, uid))
    first = USER_FIRST_PAGE + slot * slot_pages(chip)
    pages = (data[at : at + PAGE_BYTES] for at in range(0, len(data), PAGE_BYTES))
    return Plan(new, slot, tuple(PageWrite(first + number, page) for number, page in enumerate(pages)))


def is_empty(memory: bytes) -> bool:
    """Whether this is a tag as the factory delivers it: zeros, or an empty NDEF message behind its lock control TLV
    (NXP data sheet NTAG213/215/216, 'memory content at delivery')."""
    rest = memory[5:] if memory[:2] == b"\x01\x03" else memory
    return not any(rest.removeprefix(b"\x03\x00\xfe"))


def _slots(memory: bytes, chip: Chip) -> tuple[bytes, bytes]:
    middle = slot_pages(chip) * PAGE_BYTES
    return memory[:middle], memory[middle:]
