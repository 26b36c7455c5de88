"""What the simulated disk needs of SQLite's C interface: its structures, its numbers, and the library itself.

The library must be the very one that Python's `sqlite3` runs on, for a file system is registered in a process's
copy of SQLite. It is found through the extension module: a symbol that is asked of `_sqlite3` is looked up in
what `_sqlite3` itself was linked with.
"""

from __future__ import annotations

import _sqlite3
import ctypes
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p
from functools import cache
from typing import Final

# Results (sqlite3.h)
OK: Final = 0
BUSY: Final = 5
READONLY: Final = 8
IOERR: Final = 10
NOTFOUND: Final = 12
FULL: Final = 13
CANTOPEN: Final = 14
IOERR_READ: Final = IOERR | 1 << 8
IOERR_SHORT_READ: Final = IOERR | 2 << 8
IOERR_WRITE: Final = IOERR | 3 << 8
IOERR_FSYNC: Final = IOERR | 4 << 8
IOERR_TRUNCATE: Final = IOERR | 6 << 8
IOERR_FSTAT: Final = IOERR | 7 << 8
IOERR_DELETE: Final = IOERR | 10 << 8
IOERR_ACCESS: Final = IOERR | 13 << 8
IOERR_CHECKRESERVEDLOCK: Final = IOERR | 14 << 8
IOERR_LOCK: Final = IOERR | 15 << 8
IOERR_SHMLOCK: Final = IOERR | 20 << 8
IOERR_SHMMAP: Final = IOERR | 21 << 8
IOERR_DELETE_NOENT: Final = IOERR | 23 << 8

# How a file is opened
OPEN_READONLY: Final = 0x1
OPEN_READWRITE: Final = 0x2
OPEN_CREATE: Final = 0x4
OPEN_DELETEONCLOSE: Final = 0x8
OPEN_EXCLUSIVE: Final = 0x10
OPEN_ANY_LOG: Final = 0x800 | 0x4000 | 0x80000  # a journal, a super-journal or a write-ahead log

ACCESS_EXISTS: Final = 0

# Locks on a file, and on slots of the shared memory
LOCK_NONE: Final = 0
LOCK_SHARED: Final = 1
LOCK_RESERVED: Final = 2
LOCK_PENDING: Final = 3
LOCK_EXCLUSIVE: Final = 4
SHM_UNLOCK: Final = 1
SHM_SHARED: Final = 4

# What SQLite's own file system for Unix says of its disks; it must be the same here, or SQLite writes otherwise.
SECTOR_BYTES: Final = 4096
POWERSAFE_OVERWRITE: Final = 0x1000  # a write that is cut off harms no byte outside of it

UNIX_EPOCH_JULIAN_MS: Final = 210_866_760_000_000


class SqliteNotReachable(RuntimeError):
    """The SQLite that Python's `sqlite3` runs on can't be reached, so no disk can be put under it."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the simulated disk needs the SQLite library that Python's sqlite3 uses, and {why}. "
            "Use a Python whose sqlite3 is linked with a shared libsqlite3 (Debian's python3, or one that was built "
            "with libsqlite3-dev installed): `ldd` of the _sqlite3 extension names it"
        )


class IoMethods(Structure):
    """sqlite3_io_methods, version 2."""

    _fields_ = [
        ("iVersion", c_int),
        ("xClose", c_void_p),
        ("xRead", c_void_p),
        ("xWrite", c_void_p),
        ("xTruncate", c_void_p),
        ("xSync", c_void_p),
        ("xFileSize", c_void_p),
        ("xLock", c_void_p),
        ("xUnlock", c_void_p),
        ("xCheckReservedLock", c_void_p),
        ("xFileControl", c_void_p),
        ("xSectorSize", c_void_p),
        ("xDeviceCharacteristics", c_void_p),
        ("xShmMap", c_void_p),
        ("xShmLock", c_void_p),
        ("xShmBarrier", c_void_p),
        ("xShmUnmap", c_void_p),
    ]


class Vfs(Structure):
    """sqlite3_vfs, version 3; we fill in version 2."""

    _fields_ = [
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        ("xOpen", c_void_p),
        ("xDelete", c_void_p),
        ("xAccess", c_void_p),
        ("xFullPathname", c_void_p),
        ("xDlOpen", c_void_p),
        ("xDlError", c_void_p),
        ("xDlSym", c_void_p),
        ("xDlClose", c_void_p),
        ("xRandomness", c_void_p),
        ("xSleep", c_void_p),
        ("xCurrentTime", c_void_p),
        ("xGetLastError", c_void_p),
        ("xCurrentTimeInt64", c_void_p),
        ("xSetSystemCall", c_void_p),
        ("xGetSystemCall", c_void_p),
        ("xNextSystemCall", c_void_p),
    ]


# Every pointer is taken as a number: where it points is read and written only where that is needed.
ONE: Final = CFUNCTYPE(c_int, c_void_p)
BARRIER: Final = CFUNCTYPE(None, c_void_p)
NUMBER: Final = CFUNCTYPE(c_int, c_void_p, c_int)
POINTED: Final = CFUNCTYPE(c_int, c_void_p, c_void_p)
TRANSFER: Final = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
RESIZE: Final = CFUNCTYPE(c_int, c_void_p, c_int64)
NUMBER_AND_POINTED: Final = CFUNCTYPE(c_int, c_void_p, c_int, c_void_p)
SHM_MAP: Final = CFUNCTYPE(c_int, c_void_p, c_int, c_int, c_int, c_void_p)
SHM_LOCK: Final = CFUNCTYPE(c_int, c_void_p, c_int, c_int, c_int)
OPEN: Final = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
DELETE: Final = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
ACCESS: Final = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_void_p)


@cache
def library() -> ctypes.CDLL:
    """SQLite, as Python's `sqlite3` uses it. Raises SqliteNotReachable."""
    path = getattr(_sqlite3, "__file__", None)  # None: built into the interpreter
    try:
        found = ctypes.CDLL(path)
        found.sqlite3_vfs_find.restype = POINTER(Vfs)
        found.sqlite3_vfs_find.argtypes = [c_char_p]
        found.sqlite3_vfs_register.argtypes = [POINTER(Vfs), c_int]
        found.sqlite3_vfs_unregister.argtypes = [POINTER(Vfs)]
        found.sqlite3_randomness.argtypes = [c_int, c_void_p]
        found.sqlite3_randomness.restype = None
        found.sqlite3_initialize.argtypes = []
    except (OSError, AttributeError) as error:
        raise SqliteNotReachable(f"its functions are not to be had from {path or 'the interpreter'}") from error
    return found
