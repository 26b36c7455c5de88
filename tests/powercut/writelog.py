"""What QEMU's `blklogwrites` driver wrote down: each write, flush and discard of a block device, with its data.

The format is that of Linux's dm-log-writes (docs.kernel.org/admin-guide/device-mapper/log-writes.html; the structures
stand in drivers/md/dm-log-writes.c, QEMU's use of them in block/blklogwrites.c). All numbers are little-endian.

    sector 0   magic u64, version u64, number of entries u64, bytes in a sector u32
    then, for each entry, one sector that begins with: sector u64, sectors u64, flags u64, length u64
    and after it, unless it is a discard, as many sectors of data

An entry is written after its request is done and before the machine is told so: an entry stands in the log before
everything that the machine did because of it. A log that is cut short ends at the last entry that it counts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

SECTOR_BYTES: Final = 512
MAGIC: Final = 0x6A736677736872
VERSION: Final = 1
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
_SUPER: Final = struct.Struct("<QQQI")
_ENTRY: Final = struct.Struct("<QQQQ")


class BadLog(Exception):
    """The file is not such a log, or does not hold what it says."""


class Entry(NamedTuple):
    """One request. `data_at`: where its data begins in the log's file."""

    at: int  # how many entries stand before it
    sector: int
    sectors: int
    flags: int
    data_at: int

    @property
    def is_flush(self) -> bool:
        return bool(self.flags & FLUSH)

    @property
    def is_write(self) -> bool:
        return bool(self.sectors) and not self.flags & (DISCARD | MARK)


class WriteLog:
    """The entries of a log, and their data. Raises BadLog. Close it."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("rb")
        try:
            self.entries: Final = tuple(self._read())
        except BaseException:
            self.close()
            raise

    def _read(self) -> Iterator[Entry]:
        size = self._file.seek(0, 2)
        self._file.seek(0)
        head = self._file.read(_SUPER.size)
        if len(head) < _SUPER.size:
            raise BadLog("the log is empty: nothing was flushed")
        magic, version, count, sector_bytes = _SUPER.unpack(head)
        if (magic, version, sector_bytes) != (MAGIC, VERSION, SECTOR_BYTES):
            raise BadLog(f"not a write log of version {VERSION} with sectors of {SECTOR_BYTES} bytes")
        at = SECTOR_BYTES
        for index in range(count):
            self._file.seek(at)
            head = self._file.read(_ENTRY.size)
            if len(head) < _ENTRY.size:
                raise BadLog(f"the log counts {count} entries and ends at entry {index}")
            sector, sectors, flags, _ = _ENTRY.unpack(head)
            at += SECTOR_BYTES
            yield Entry(index, sector, sectors, flags, at)
            if not flags & DISCARD:
                at += sectors * SECTOR_BYTES
            if at > size:
                raise BadLog(f"the data of entry {index} are not in the log")

    def data(self, entry: Entry) -> bytes:
        self._file.seek(entry.data_at)
        return self._file.read(entry.sectors * SECTOR_BYTES)

    def close(self) -> None:
        self._file.close()
