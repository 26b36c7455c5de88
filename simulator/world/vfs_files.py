"""What SQLite calls on an open file of a simulated disk: sqlite3_io_methods, in Python.

Each takes SQLite's structure as a number and finds the open file by it. This is the hot path of a world: a redemption
makes some dozens of these calls.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_int, c_int64, c_void_p
from typing import Any, Final

from simulator.world import sqlite_abi as sql
from simulator.world.file_locks import reserved
from simulator.world.open_file import OpenFile

VERSION: Final = 2  # with shared memory, without memory-mapped files


def file_methods(files: dict[int, OpenFile]) -> list[tuple[Any, Callable[..., int | None], int]]:
    """In the order of the structure: the type of each, the function, and the code for an error of the model."""

    def close(file: int) -> int:
        handle = files.pop(file)
        handle.disk.close_file(handle)
        return sql.OK

    def read(file: int, into: int, count: int, offset: int) -> int:
        return files[file].read(into, count, offset)

    def write(file: int, source: int, count: int, offset: int) -> int:
        return files[file].write(source, count, offset)

    def truncate(file: int, size: int) -> int:
        handle = files[file]
        return handle.disk.truncate(handle.content, size) if handle.alive else sql.IOERR_TRUNCATE

    def sync(file: int, _flags: int) -> int:
        handle = files[file]
        return handle.disk.sync(handle) if handle.alive else sql.IOERR_FSYNC

    def size(file: int, out: int) -> int:
        handle = files[file]
        if not handle.alive:
            return sql.IOERR_FSTAT
        c_int64.from_address(out).value = handle.content.size
        return sql.OK

    def lock(file: int, level: int) -> int:
        handle = files[file]
        return handle.lock(level) if handle.alive else sql.IOERR_LOCK

    def unlock(file: int, level: int) -> int:
        handle = files[file]
        handle.level = min(handle.level, level)
        return sql.OK

    def check_reserved(file: int, out: int) -> int:
        handle = files[file]
        if not handle.alive:
            return sql.IOERR_CHECKRESERVEDLOCK
        c_int.from_address(out).value = reserved(handle)
        return sql.OK

    def control(_file: int, _operation: int, _argument: int) -> int:
        return sql.NOTFOUND

    def sector_size(_file: int) -> int:
        return sql.SECTOR_BYTES

    def characteristics(_file: int) -> int:
        return sql.POWERSAFE_OVERWRITE

    def map_memory(file: int, index: int, size_bytes: int, extend: int, out: int) -> int:
        handle = files[file]
        if not handle.alive:
            return sql.IOERR_SHMMAP
        c_void_p.from_address(out).value = handle.shared_memory().region(index, size_bytes, extend=bool(extend))
        return sql.OK

    def lock_memory(file: int, first: int, count: int, flags: int) -> int:
        handle = files[file]
        return handle.shared_memory().lock(handle, first, count, flags) if handle.alive else sql.IOERR_SHMLOCK

    def barrier(_file: int) -> None:
        return None  # there is one thread

    def unmap_memory(file: int, _delete: int) -> int:
        files[file].leave_memory()
        return sql.OK

    return [
        (sql.ONE, close, sql.IOERR),
        (sql.TRANSFER, read, sql.IOERR_READ),
        (sql.TRANSFER, write, sql.IOERR_WRITE),
        (sql.RESIZE, truncate, sql.IOERR_TRUNCATE),
        (sql.NUMBER, sync, sql.IOERR_FSYNC),
        (sql.POINTED, size, sql.IOERR_FSTAT),
        (sql.NUMBER, lock, sql.IOERR_LOCK),
        (sql.NUMBER, unlock, sql.IOERR),
        (sql.POINTED, check_reserved, sql.IOERR_CHECKRESERVEDLOCK),
        (sql.NUMBER_AND_POINTED, control, sql.NOTFOUND),
        (sql.ONE, sector_size, sql.SECTOR_BYTES),
        (sql.ONE, characteristics, sql.POWERSAFE_OVERWRITE),
        (sql.SHM_MAP, map_memory, sql.IOERR_SHMMAP),
        (sql.SHM_LOCK, lock_memory, sql.IOERR_SHMLOCK),
        (sql.BARRIER, barrier, sql.OK),
        (sql.NUMBER, unmap_memory, sql.IOERR),
    ]
