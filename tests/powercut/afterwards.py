"""After a power cut: the disk is mounted, the store is opened by the real agent, and shoppers come again.

What went wrong is judged by what shoppers had seen before the cut, and by nothing else.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from edge_agent.store.connection import StoreError
from edge_agent.store.store import Store, epoch_beside
from tests.powercut.lane import DEVICE, UNIT, Lane
from tests.powercut.machine import program
from wire.facts import Redeemed, decode_fact

TOOL_S: Final = 60.0
_CLEAN: Final = (0, 1)  # of e2fsck: nothing wrong, or nothing that asks for a person


class Fault(StrEnum):
    DISK = "the file system is damaged"
    UNREADABLE = "the store can't be opened"
    SALVAGED = "the store was damaged"
    LOST = "a yes that was shown is not in the journal"
    ORDER = "the journal does not hold the scans in their order"
    MORE = "the journal holds more than was shown and the one in hand"
    CHAIN = "the hash chain is broken"
    MARK = "a yes is marked as shown that nobody saw"
    IDENTITY = "the file beside the store does not name its epoch"
    AGAIN = "a second scan is answered wrongly"
    BOOKED = "a second scan changed the journal wrongly"


class Kept(NamedTuple):
    """What the unit's disk holds."""

    serials: list[int]
    marked: set[int]


def on_disk(disk: bytes, folder: Path, shown: Sequence[int]) -> Iterator[Fault]:
    """Everything that is wrong on `disk` after a cut before which `shown` were seen. Files go into `folder`."""
    image = folder / "cut"
    image.write_bytes(disk)
    mounted = folder / "mounted"
    shutil.rmtree(mounted, ignore_errors=True)
    mounted.mkdir()
    if _taken_out(image, mounted):
        yield from in_folder(mounted, shown)
    else:
        yield Fault.DISK


def in_folder(mounted: Path, shown: Sequence[int]) -> Iterator[Fault]:
    """Everything that is wrong in the root of a mounted disk."""
    try:
        lane = Lane(mounted / UNIT)
    except StoreError:
        yield Fault.UNREADABLE
        return
    try:
        if lane.salvaged:
            yield Fault.SALVAGED
            return
        kept = _kept(lane.store)
        yield from _judged(lane.store, kept, shown)
        yield from _second_scans(lane, kept, shown)
    finally:
        lane.close()


def _taken_out(image: Path, folder: Path) -> bool:
    """What a boot does: replay the file system's journal and check it without asking anybody (`e2fsck -p`); then take
    the files out. False if a person would be asked."""
    checked = subprocess.run([program("e2fsck"), "-fp", str(image)], capture_output=True, check=False, timeout=TOOL_S)
    if checked.returncode not in _CLEAN:
        return False
    subprocess.run(
        [program("debugfs"), "-R", f"rdump /{UNIT} {folder}", str(image)],
        capture_output=True,
        check=True,
        timeout=TOOL_S,
    )
    return True


def _kept(store: Store) -> Kept:
    bodies = store.connection.rows("SELECT body FROM journal ORDER BY position")
    facts = [decode_fact(body) for (body,) in bodies]
    marked = store.connection.rows("SELECT serial FROM own WHERE shown = 1")
    return Kept([fact.serial for fact in facts if isinstance(fact, Redeemed)], {serial for (serial,) in marked})


def _judged(store: Store, kept: Kept, shown: Sequence[int]) -> Iterator[Fault]:
    if not set(shown) <= set(kept.serials):
        yield Fault.LOST
    if kept.serials != list(range(1, len(kept.serials) + 1)):  # they were scanned in this order
        yield Fault.ORDER
    if len(set(kept.serials) - set(shown)) > 1:
        yield Fault.MORE
    if not _chained(store):
        yield Fault.CHAIN
    if not kept.marked <= set(shown):
        yield Fault.MARK
    if epoch_beside(store.folder) != store.journal.epoch:
        yield Fault.IDENTITY


def _chained(store: Store) -> bool:
    """Computed here once more, from what the documentation says of the chain."""
    before = sha256(b"tokuten journal 1\0" + DEVICE.encode() + b"\0" + store.journal.epoch).digest()
    rows = store.connection.rows("SELECT position, hash, body FROM journal ORDER BY position")
    for number, (position, after, body) in enumerate(rows, start=1):
        before = sha256(before + body).digest()
        if position != number or after != before:
            return False
    return True


def _second_scans(lane: Lane, kept: Kept, shown: Sequence[int]) -> Iterator[Fault]:
    """The last two shoppers, the one in hand and a new one come again, each twice."""
    highest = max([0, *shown, *kept.serials])
    booked = list(kept.serials)
    for serial in range(max(1, highest - 2), highest + 2):
        unseen = "ok_again" if serial in kept.serials else "ok"
        first = "used" if serial in kept.marked else unseen
        if first == "ok":
            booked.append(serial)
        if (lane.scan(serial), lane.scan(serial)) != (first, "used"):
            yield Fault.AGAIN
    if _kept(lane.store).serials != booked:
        yield Fault.BOOKED
