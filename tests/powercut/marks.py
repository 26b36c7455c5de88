"""How a yes that was shown gets into the write log: as a write to the tail of the same disk, behind the file system.

The console alone would say that it was shown, but not between which writes. A mark is one sector, written past every
cache of the guest once the light is green; it asks for no flush. A cut after it is a cut after the yes was seen.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import Final, NamedTuple

from tests.powercut.writelog import SECTOR_BYTES, WriteLog

DISK_BYTES: Final = 32 << 20
TAIL_BYTES: Final = 64 << 10
FILE_SYSTEM_BYTES: Final = DISK_BYTES - TAIL_BYTES
_MAGIC: Final = b"tokuten: shown\0\0"
_MARK: Final = struct.Struct("<16sQ")


class Shown(NamedTuple):
    """The yes for `serial` was before the shopper's eyes when the entry `at` was logged."""

    at: int
    serial: int


class Marker:
    """Writes marks in the guest. Close it."""

    def __init__(self, device: Path) -> None:
        self._sector = mmap.mmap(-1, SECTOR_BYTES)  # on a page of its own, as O_DIRECT wants it
        self._disk = os.open(device, os.O_WRONLY | os.O_DIRECT)

    def shown(self, serial: int) -> None:
        self._sector[: _MARK.size] = _MARK.pack(_MAGIC, serial)
        written = os.pwrite(self._disk, self._sector, FILE_SYSTEM_BYTES)
        assert written == SECTOR_BYTES, f"{written} bytes of a mark were written"

    def close(self) -> None:
        os.close(self._disk)
        self._sector.close()


def shown(log: WriteLog) -> list[Shown]:
    """All marks, in order."""
    found = []
    for entry in log.entries:
        if entry.is_write and entry.sector == FILE_SYSTEM_BYTES // SECTOR_BYTES:
            magic, serial = _MARK.unpack_from(log.data(entry))
            assert magic == _MAGIC, "something else wrote to the tail of the disk"
            found.append(Shown(entry.at, serial))
    return found
