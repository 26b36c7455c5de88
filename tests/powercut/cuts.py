"""What a power cut leaves of a disk: all writes up to the last flush, and of those after it a part that chance chooses.

A disk with a write cache promises no more than that: what was done since the flush may be there, or not, in any
order. Here each such write is kept, lost or torn; of a torn one each sector is new or old. A sector itself
is never torn. Discards are taken as not carried out.
"""

from __future__ import annotations

from random import Random
from typing import Final

from tests.powercut.writelog import FUA, SECTOR_BYTES, Entry, WriteLog

KEPT: Final = (0.0, 0.5, 0.8, 1.0)  # how much of what was not flushed survives, on average: nothing, ..., all
TORN: Final = 0.2  # how many of the writes are torn, unless all or nothing survives


class Replay:
    """The disk at one cut after another. Cuts are asked for in the order of the log."""

    def __init__(self, before: bytes, log: WriteLog) -> None:
        """`before`: the disk when the log began."""
        self._safe, self._log = bytearray(before), log
        self._flushed = 0  # entries that are in `_safe`

    def cut(self, index: int, dice: Random) -> bytes:
        """The disk if the power goes when the first `index` entries were done."""
        entries = self._log.entries
        assert self._flushed <= index <= len(entries), "cuts go forward"
        upto = index
        while upto > self._flushed and not entries[upto - 1].is_flush:
            upto -= 1
        for entry in entries[self._flushed : upto]:
            self._write(self._safe, entry)
        self._flushed = upto
        disk, kept = bytearray(self._safe), dice.choice(KEPT)
        for entry in entries[upto:index]:
            if entry.flags & FUA or kept == 1:
                self._write(disk, entry)
            elif kept > 0:
                self._chance(disk, entry, kept, dice)
        return bytes(disk)

    def _chance(self, disk: bytearray, entry: Entry, kept: float, dice: Random) -> None:
        if dice.random() < TORN:
            self._write(disk, entry, frozenset(at for at in range(entry.sectors) if dice.random() < kept))
        elif dice.random() < kept:
            self._write(disk, entry)

    def _write(self, disk: bytearray, entry: Entry, only: frozenset[int] | None = None) -> None:
        """All of it, or only some sectors."""
        if not entry.is_write:
            return
        data, start = self._log.data(entry), entry.sector * SECTOR_BYTES
        if only is None:
            disk[start : start + len(data)] = data
            return
        for at in only:
            here = slice(at * SECTOR_BYTES, (at + 1) * SECTOR_BYTES)
            disk[start + here.start : start + here.stop] = data[here]
