"""The member card's record: what stands on a tag about its holder, and how it is told from a forgery (M1, M2, M12).

    byte 0        version (high four bits) and number of balances (low four)
    bytes 1..6    holder: 48 random bits, the pseudonym of the facts; no personal data is on a card (M10)
    byte 7        generation: 1 for the first card of a person, one more with each card that replaces a lost one (M2)
    bytes 8..10   counter: grows with each write of this card; the newer of two slots is the one with the higher
    5 bytes each  balances, last used first: programme (2 bytes) and points (3 bytes)
    8 bytes       MAC over the slot's number and all bytes before it
    0..3 bytes    zero, to the end of the page

Numbers are big-endian. The smallest chip's slot has 24 bytes: one balance fits. A balance is a hint that can only
lower what may be spent: what does not fit is cut (more points than three bytes hold, a debt below zero).

The MAC is keyed BLAKE2b (RFC 7693) of 8 bytes, with a key that is diversified by the tag's UID, so a record that is
copied to another tag is refused there, and a key that leaks from one card opens no other. Eight bytes, because a
forgery can be tried against a reader only, ten times a second at best: a century of that is 2^35 tries of 2^64. Longer
ones would help against nobody who has the key, and cost the smallest chip its balance.

Nothing here fails: what is no record of ours is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from hmac import compare_digest
from typing import Final

import msgspec

VERSION: Final = 1
PAGE_BYTES: Final = 4
HEAD_BYTES: Final = 11
BALANCE_BYTES: Final = 5
MAC_BYTES: Final = 8
KEY_BYTES: Final = 32

HOLDER_MAX: Final = 2**48 - 1
GENERATION_MAX: Final = 2**8 - 1
COUNTER_MAX: Final = 2**24 - 1  # a page of these chips endures 100,000 writes
BALANCES_MAX: Final = 15  # on any chip: each costs write time, in which a hand pulls the card away
PROGRAMME_MAX: Final = 2**16 - 1
POINTS_MAX: Final = 2**24 - 1


class Balance(msgspec.Struct, frozen=True):
    """The points of one programme, as they stood when the card was written."""

    programme: int  # 1..PROGRAMME_MAX
    points: int  # 0..POINTS_MAX


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a card says. Raises ValueError for what no card can say."""

    holder: int
    generation: int
    counter: int = 1
    balances: tuple[Balance, ...] = ()  # last used first, each programme once

    def __post_init__(self) -> None:
        if not (0 < self.holder <= HOLDER_MAX and 0 < self.generation <= GENERATION_MAX):
            raise ValueError(f"holder {self.holder} of generation {self.generation} can't stand on a card")
        if not 0 < self.counter <= COUNTER_MAX:
            raise ValueError(f"a card's counter is 1 to {COUNTER_MAX}, not {self.counter}")
        programmes = [balance.programme for balance in self.balances]
        if len(programmes) > BALANCES_MAX or len(set(programmes)) != len(programmes):
            raise ValueError(f"a card has at most {BALANCES_MAX} balances, each programme once")
        for balance in self.balances:
            if not (0 < balance.programme <= PROGRAMME_MAX and 0 <= balance.points <= POINTS_MAX):
                raise ValueError(f"programme {balance.programme} with {balance.points} points can't stand on a card")

    def points(self, programme: int) -> int | None:
        """The hint for this programme; None: the card does not speak of it."""
        return next((balance.points for balance in self.balances if balance.programme == programme), None)

    def with_points(self, programme: int, points: int) -> Record:
        """The same card with this balance as the last used one; of too many the one used longest ago gives way."""
        if not 0 < programme <= PROGRAMME_MAX:
            return self
        others = tuple(balance for balance in self.balances if balance.programme != programme)
        hint = Balance(programme, max(0, min(points, POINTS_MAX)))
        return msgspec.structs.replace(self, balances=(hint, *others)[:BALANCES_MAX])


def size(balances: int) -> int:
    """The bytes that a record with so many balances takes, to the end of its last page."""
    return -(-(HEAD_BYTES + balances * BALANCE_BYTES + MAC_BYTES) // PAGE_BYTES) * PAGE_BYTES


def card_key(programme_key: bytes, uid: bytes) -> bytes:
    """The key of one card. `programme_key`: 32 bytes, the same for all cards of a tenant."""
    return blake2b(uid, key=programme_key, digest_size=KEY_BYTES, person=b"tk card key").digest()


def encode(record: Record, slot: int, key: bytes) -> bytes:
    """The record as it stands in slot 0 or 1 of the card with this `card_key`, whole pages."""
    head = bytes((VERSION << 4 | len(record.balances),))
    head += record.holder.to_bytes(6, "big") + bytes((record.generation,)) + record.counter.to_bytes(3, "big")
    for balance in record.balances:
        head += balance.programme.to_bytes(2, "big") + balance.points.to_bytes(3, "big")
    return (head + _mac(head, slot, key)).ljust(size(len(record.balances)), b"\0")


def decode(data: bytes, slot: int, key: bytes) -> Record | None:
    """The record that a slot's bytes begin with; None: there is none that this key made for this slot."""
    length = _length(data)
    if length == 0:
        return None
    head, mac = data[: length - MAC_BYTES], data[length - MAC_BYTES : length]
    if not compare_digest(mac, _mac(head, slot, key)):
        return None
    return _parse(head) if not any(data[length : size(data[0] & 15)]) else None


def resembles(data: bytes) -> bool:
    """Whether a slot looks like a record of ours, true or not: a torn one, a forgery, a copy from another card."""
    length = _length(data)
    return length > 0 and _parse(data[: length - MAC_BYTES]) is not None


def _length(data: bytes) -> int:
    """The bytes of the record and its MAC, if they are there; else 0."""
    if not data or data[0] >> 4 != VERSION:
        return 0
    length = HEAD_BYTES + (data[0] & 15) * BALANCE_BYTES + MAC_BYTES
    return length if size(data[0] & 15) <= len(data) else 0


def _parse(head: bytes) -> Record | None:
    try:
        return Record(
            holder=int.from_bytes(head[1:7], "big"),
            generation=head[7],
            counter=int.from_bytes(head[8:HEAD_BYTES], "big"),
            balances=tuple(_balances(head[HEAD_BYTES:])),
        )
    except ValueError:
        return None


def _balances(data: bytes) -> Sequence[Balance]:
    return [
        Balance(int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + BALANCE_BYTES], "big"))
        for at in range(0, len(data), BALANCE_BYTES)
    ]


def _mac(head: bytes, slot: int, key: bytes) -> bytes:
    return blake2b(bytes((slot,)) + head, key=key, digest_size=MAC_BYTES, person=b"tk card mac").digest()
