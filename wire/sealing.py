"""Keyed hashes of serials and holders for the caches, so that a stolen unit's list can't be spent."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

HASH_BYTES: Final = 16


def serial_hash(secret: bytes, campaign: int, serial: int) -> bytes:
    return blake2b(
        campaign.to_bytes(4, "big") + serial.to_bytes(8, "big"), key=secret, digest_size=HASH_BYTES, person=b"serial"
    ).digest()


def holder_hash(secret: bytes, holder: int) -> bytes:
    return blake2b(holder.to_bytes(8, "big"), key=secret, digest_size=HASH_BYTES, person=b"holder").digest()


def card_hash(secret: bytes, uid: bytes) -> bytes:
    return blake2b(uid, key=secret, digest_size=HASH_BYTES, person=b"card").digest()


def phone_hash(secret: bytes, campaign: int, phone: bytes) -> bytes:
    return blake2b(campaign.to_bytes(4, "big") + phone, key=secret, digest_size=HASH_BYTES, person=b"phone").digest()


def fact_id(device: str, epoch: bytes, number: int) -> bytes:
    """The name of a fact in the feed: the same for its hint and for its booking."""
    return blake2b(device.encode() + b"\0" + epoch + number.to_bytes(8, "big"), digest_size=HASH_BYTES).digest()


class Hashes:
    """`serial_hash` and `holder_hash` for one secret, prepared once: three times as fast for many."""

    def __init__(self, secret: bytes) -> None:
        self._serial = blake2b(key=secret, digest_size=HASH_BYTES, person=b"serial")
        self._holder = blake2b(key=secret, digest_size=HASH_BYTES, person=b"holder")

    def serial(self, campaign: int, serial: int) -> bytes:
        keyed = self._serial.copy()
        keyed.update(campaign.to_bytes(4, "big") + serial.to_bytes(8, "big"))
        return keyed.digest()

    def holder(self, holder: int) -> bytes:
        keyed = self._holder.copy()
        keyed.update(holder.to_bytes(8, "big"))
        return keyed.digest()


class FactNames:
    """`fact_id` for the facts of one epoch, prepared once."""

    def __init__(self, device: str, epoch: bytes) -> None:
        self._named = blake2b(device.encode() + b"\0" + epoch, digest_size=HASH_BYTES)

    def of(self, number: int) -> bytes:
        named = self._named.copy()
        named.update(number.to_bytes(8, "big"))
        return named.digest()
