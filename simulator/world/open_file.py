"""A file of a simulated disk as one connection has it open: reading, locks, and its place in shared memory."""

from __future__ import annotations

import os
from ctypes import c_char, memset, string_at
from typing import TYPE_CHECKING

from simulator.world import file_locks
from simulator.world import sqlite_abi as sql
from simulator.world.file_locks import SharedMemory
from simulator.world.unsynced import Content

if TYPE_CHECKING:
    from simulator.world.disk import Disk


class OpenFile:
    """Stale (not `alive`) once its process was killed or its disk lost power: then it does nothing but fail."""

    def __init__(self, disk: Disk, content: Content, flags: int, path: str) -> None:
        self.disk, self.content, self.path = disk, content, path
        self.owner = disk.owner
        self.alive = True
        self.level = sql.LOCK_NONE
        self.slots_shared = self.slots_exclusive = 0  # bits, one for each slot
        self._memory: SharedMemory | None = None
        # SQLite's own file system syncs the folder together with a log that may be new, once.
        self.syncs_folder = bool(flags & sql.OPEN_CREATE and flags & sql.OPEN_ANY_LOG)
        self.deleted_on_close = bool(flags & sql.OPEN_DELETEONCLOSE)

    def read(self, into: int, count: int, offset: int) -> int:
        if not self.alive:
            return sql.IOERR_READ
        got = os.preadv(self.content.fd, ((c_char * count).from_address(into),), offset)
        if got == count:
            return sql.OK
        memset(into + got, 0, count - got)
        return sql.IOERR_SHORT_READ

    def write(self, source: int, count: int, offset: int) -> int:
        if not self.alive:
            return sql.IOERR_WRITE
        return self.disk.write(self.content, string_at(source, count), offset)

    def lock(self, level: int) -> int:
        return file_locks.lock(self, level)

    def shared_memory(self) -> SharedMemory:
        if self._memory is None:
            if self.content.memory is None:
                self.content.memory = SharedMemory()
            self._memory = self.content.memory
            self._memory.users.append(self)
        return self._memory

    def leave_memory(self) -> None:
        """From here on the connection does not look at it any more."""
        self._stop_using()
        self._memory = None

    def go_stale(self) -> None:
        """Let go of all locks. The connection may still look at the shared memory, so that stays where it is."""
        self.alive = False
        self.level = sql.LOCK_NONE
        self.content.handles.remove(self)
        self._stop_using()

    def _stop_using(self) -> None:
        self.slots_shared = self.slots_exclusive = 0
        memory = self._memory
        if memory is not None and self in memory.users:
            memory.users.remove(self)
            if not memory.users and self.content.memory is memory:
                self.content.memory = None
