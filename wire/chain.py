"""The hash chain of a journal: each fact's hash covers all facts before it in its epoch.

Equal hashes at one number mean equal histories up to it; that is how the centre tells a duplicate from a
fork, and how a unit knows that an acknowledgement speaks of its own facts.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
EPOCH_BYTES: Final = 16


def genesis(device: str, epoch: bytes) -> bytes:
    """The hash before the first fact of an epoch."""
    return sha256(b"tokuten journal 1\0" + device.encode() + b"\0" + epoch).digest()


def link(before: bytes, fact: bytes) -> bytes:
    """The hash after `fact`, given the hash before it."""
    return sha256(before + fact).digest()


def links(before: bytes, facts: Iterable[bytes]) -> list[bytes]:
    """The hash after each of `facts`."""
    out = []
    for fact in facts:
        before = sha256(before + fact).digest()
        out.append(before)
    return out


def signed_head(device: str, epoch: bytes, last: int, after: bytes) -> bytes:
    """What the device's key signs for each batch: this device's history up to `last` is exactly `after`."""
    return b"tokuten head 1\0" + device.encode() + b"\0" + epoch + last.to_bytes(8, "big") + after
