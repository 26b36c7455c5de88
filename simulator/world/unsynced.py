"""One file of the simulated disk, and what of it is not on the platter yet.

The real file holds the present content. Beside it stand the changes since the last sync, each with what was there
before, so that after a power loss any part of them can be taken back.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from simulator.world.file_locks import SharedMemory
    from simulator.world.open_file import OpenFile

SECTOR_BYTES: Final = 512  # a disk writes a sector whole or not at all
UNSYNCED_BYTES_MAX: Final = 64 << 20  # beyond it the oldest changes go to the platter by themselves


class Change(NamedTuple):
    """A write, or (`after` is None) a truncation to `offset`."""

    moment: int  # counts all changes of a disk
    offset: int
    before: bytes  # what stood there; shorter than `after` where the file ended
    after: bytes | None
    size_before: int

    @property
    def weight(self) -> int:
        return len(self.before) + len(self.after or b"")


class Content:
    """What one file holds, whatever its name. The descriptor is this object's own."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.size = os.fstat(fd).st_size
        self.changes: list[Change] = []
        self.unsynced_bytes = 0
        self.handles: list[OpenFile] = []  # that are alive
        self.memory: SharedMemory | None = None

    # --- the present -----------------------------------------------------------------------------------

    def write(self, data: bytes, offset: int, moment: int) -> None:
        size = self.size
        before = os.pread(self.fd, len(data), offset) if offset < size else b""
        os.pwrite(self.fd, data, offset)
        self.changes.append(Change(moment, offset, before, data, size))
        end = offset + len(data)
        if end > size:
            self.size = end
        self.unsynced_bytes += len(data) + len(before)
        if self.unsynced_bytes > UNSYNCED_BYTES_MAX:
            self._write_back()

    def truncate(self, size: int, moment: int) -> None:
        before = os.pread(self.fd, self.size - size, size) if size < self.size else b""
        os.ftruncate(self.fd, size)
        self.changes.append(Change(moment, size, before, None, self.size))
        self.size = size
        self.unsynced_bytes += len(before)

    def sync(self) -> None:
        self.changes.clear()
        self.unsynced_bytes = 0

    def _write_back(self) -> None:
        """The oldest half of what is unsynced is on the platter now, as if the kernel had found the time."""
        gone = 0
        while self.unsynced_bytes > UNSYNCED_BYTES_MAX // 2:
            self.unsynced_bytes -= self.changes[gone].weight
            gone += 1
        del self.changes[:gone]

    # --- after a power loss ----------------------------------------------------------------------------

    def take_back(self) -> None:
        """The content as of the last sync; the changes stay in their list."""
        for change in reversed(self.changes):
            if change.before:
                os.pwrite(self.fd, change.before, change.offset)
            os.ftruncate(self.fd, change.size_before)
        if self.changes:
            self.size = self.changes[0].size_before

    def redo(self, change: Change, sectors: Iterable[tuple[int, int]] | None = None) -> None:
        """Do a change that survived; of a write perhaps only some sectors."""
        if change.after is None:
            os.ftruncate(self.fd, change.offset)
            self.size = change.offset
        elif sectors is None:
            self._put(change.after, change.offset)
        else:
            for start, end in sectors:
                self._put(change.after[start - change.offset : end - change.offset], start)

    def grow(self, size: int, rubbish: Random | None) -> None:
        """The file's size was noted and its bytes were not: what shows there is nought, or whatever stood there."""
        if size > self.size:
            if rubbish is not None:
                os.pwrite(self.fd, rubbish.randbytes(size - self.size), self.size)
            os.ftruncate(self.fd, size)
            self.size = size

    def _put(self, data: bytes, offset: int) -> None:
        os.pwrite(self.fd, data, offset)
        self.size = max(self.size, offset + len(data))

    def is_at(self, path: Path) -> bool:
        """Whether the file of this name is this one."""
        return path.exists() and os.path.samestat(path.stat(), os.fstat(self.fd))

    @property
    def is_nameless(self) -> bool:
        """Deleted: it lives only as long as it is open."""
        return os.fstat(self.fd).st_nlink == 0

    def read_all(self) -> bytes:
        return os.pread(self.fd, self.size, 0)


def pieces(offset: int, size: int) -> Iterator[tuple[int, int]]:
    """The sectors of a write, each as (start, end) in the file; the first and the last may be cut by the write."""
    start, last = offset, offset + size
    while start < last:
        end = min((start // SECTOR_BYTES + 1) * SECTOR_BYTES, last)
        yield start, end
        start = end
