"""SQLite's locks between connections of this process, and the shared memory of a write-ahead log.

Nobody waits here: a lock is had or it is not (`BUSY`), and SQLite's busy handler does the waiting by `xSleep`. Shared
memory lives as long as a connection uses it, and never on the disk: after a kill or a power loss SQLite makes it anew
out of the log, as it does when the first process opens a database.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from simulator.world.sqlite_abi import (
    BUSY,
    LOCK_EXCLUSIVE,
    LOCK_NONE,
    LOCK_PENDING,
    LOCK_SHARED,
    OK,
    SHM_SHARED,
    SHM_UNLOCK,
)

if TYPE_CHECKING:
    from simulator.world.open_file import OpenFile


def lock(handle: OpenFile, level: int) -> int:
    """Raise a connection's lock, as `unixLock` does. Asking for EXCLUSIVE may leave it PENDING."""
    if handle.level >= level:
        return OK
    others = max((other.level for other in handle.content.handles if other is not handle), default=LOCK_NONE)
    if level == LOCK_SHARED:
        if others >= LOCK_PENDING:
            return BUSY
        handle.level = LOCK_SHARED
        return OK
    if others > LOCK_SHARED:
        return BUSY
    if level == LOCK_EXCLUSIVE and others == LOCK_SHARED:
        handle.level = LOCK_PENDING  # the readers may finish, new ones are held off
        return BUSY
    handle.level = level
    return OK


def reserved(handle: OpenFile) -> bool:
    """Whether any connection means to write."""
    return any(other.level > LOCK_SHARED for other in handle.content.handles)


class SharedMemory:
    """The index of one write-ahead log: regions at addresses that do not change, and eight slots to lock."""

    def __init__(self) -> None:
        self.users: list[OpenFile] = []
        self._regions: list[ctypes.Array[ctypes.c_char]] = []

    def region(self, index: int, size_bytes: int, *, extend: bool) -> int | None:
        """The address of a region; None: there is none, and none was to be made."""
        if index >= len(self._regions):
            if not extend:
                return None
            while index >= len(self._regions):
                self._regions.append(ctypes.create_string_buffer(size_bytes))
        return ctypes.addressof(self._regions[index])

    def lock(self, handle: OpenFile, first: int, count: int, flags: int) -> int:
        mask = ((1 << count) - 1) << first
        if flags & SHM_UNLOCK:
            handle.slots_shared &= ~mask
            handle.slots_exclusive &= ~mask
            return OK
        if flags & SHM_SHARED:
            for other in self.users:
                if other is not handle and other.slots_exclusive & mask:
                    return BUSY
            handle.slots_shared |= mask
            return OK
        for other in self.users:
            if other is not handle and (other.slots_exclusive | other.slots_shared) & mask:
                return BUSY
        handle.slots_exclusive |= mask
        return OK
