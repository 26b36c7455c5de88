"""The place where the simulated disk meets SQLite: a file system (VFS) in Python, under production code unchanged.

    with DiskVfs(entropy=rng.randbytes, now_ms=clock.now_ms, sleep_us=clock.sleep_us) as vfs:
        disk = vfs.mount(Disk(folder, rng))
        sqlite3.connect(folder / "store.db")     # simulated
        sqlite3.connect("/elsewhere/store.db")   # SQLite's own file system, at full speed

While the block runs this is SQLite's default file system in this process, so `sqlite3`, SQLAlchemy and everything on
top use it without being told. The randomness of SQLite (salts of a log, `random()`), its clock and its sleep between
tries for a lock are handed in too; left out, they are the real ones.

No error of Python goes through SQLite: it is kept (`fault`), SQLite hears of an I/O error, and the end of the block
raises `DiskModelFault`.
"""

from __future__ import annotations

import atexit
import ctypes
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from ctypes import addressof, c_double, c_int, c_int64, c_void_p, cast, memmove, pointer, sizeof, string_at
from functools import cache
from types import TracebackType
from typing import Any, Final, Self

from simulator.world import sqlite_abi as sql
from simulator.world.disk import Disk
from simulator.world.open_file import OpenFile
from simulator.world.vfs_files import VERSION, file_methods

NAME: Final = b"tokuten-world"
_DAY_MS: Final = 86_400_000.0
_PROBE: Final = "/a-probe-of-the-simulated-disk"


class DiskModelFault(RuntimeError):
    """The simulated disk itself went wrong, so what was seen on it proves nothing."""


class DiskVfs:
    """See the module. One at a time in a process."""

    def __init__(
        self,
        *,
        entropy: Callable[[int], bytes] | None = None,
        now_ms: Callable[[], int] | None = None,
        sleep_us: Callable[[int], object] | None = None,
    ) -> None:
        self.entropy, self.now_ms, self.sleep_us = entropy, now_ms, sleep_us
        self.disks: list[Disk] = []
        self._fault: BaseException | None = None

    @property
    def fault(self) -> BaseException | None:
        """The first error of the model, on any disk."""
        return next((disk.fault for disk in self.disks if disk.fault), self._fault)

    def note(self, error: BaseException, disk: Disk | None = None) -> None:
        if disk is not None:
            disk.fault = disk.fault or error
        self._fault = self._fault or error

    def mount(self, disk: Disk) -> Disk:
        """From now on the files below the disk's folder are simulated."""
        for other in self.disks:
            if disk.folder.is_relative_to(other.folder) or other.folder.is_relative_to(disk.folder):
                raise ValueError(f"{disk.folder} and {other.folder}: one disk can't lie in another")
        self.disks.append(disk)
        return disk

    def unmount(self, disk: Disk) -> None:
        """The folder is an ordinary one again. What connections still have open there is stale."""
        self.disks.remove(disk)
        disk.close()

    def disk_of(self, path: str) -> Disk | None:
        for disk in self.disks:
            if path.startswith(disk.prefix):
                return disk
        return None

    def __enter__(self) -> Self:
        _plumbing().put_in(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _plumbing().take_out()
        for disk in list(self.disks):
            self.unmount(disk)
        if self._fault is not None and error is None:
            raise DiskModelFault(f"the simulated disk failed by itself: {self._fault!r}") from self._fault


class _Plumbing:
    """The structures that SQLite points at. They stay for good: a forgotten connection may close at any time.

    Also while the interpreter ends and takes its modules apart: then every call fails without looking at anything.
    """

    def __init__(self) -> None:
        self.library = sql.library()
        self.library.sqlite3_initialize()
        self.world: DiskVfs | None = None
        self.probed = False
        self.files: dict[int, OpenFile] = {}  # by the address of SQLite's structure
        self.original = self.library.sqlite3_vfs_find(None)
        self._kept: list[object] = []
        self._methods = sql.IoMethods(VERSION, *self._callbacks(file_methods(self.files)))
        self._methods_at = addressof(self._methods)
        self._vfs = self._made_vfs()
        self._ended = False
        atexit.register(self._end)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))

    # --- in and out ------------------------------------------------------------------------------------

    def put_in(self, world: DiskVfs) -> None:
        if self.world is not None:
            raise RuntimeError("the simulated disk is in use already: one DiskVfs at a time in a process")
        own, original = self._vfs, self.original.contents
        own.xRandomness = self._own[0] if world.entropy else original.xRandomness
        own.xSleep = self._own[1] if world.sleep_us else original.xSleep
        own.xCurrentTime = self._own[2] if world.now_ms else original.xCurrentTime
        own.xCurrentTimeInt64 = self._own[3] if world.now_ms else original.xCurrentTimeInt64
        self.world = world
        self.library.sqlite3_vfs_register(pointer(own), 1)
        # Also lets SQLite's own file system open its first file: at that moment it resets SQLite's randomness.
        self.probed = False
        self._touch(_PROBE)
        self._start_randomness_anew()
        if not self.probed:
            self.take_out()
            raise sql.SqliteNotReachable("another copy of it answered than the one that Python uses")

    def take_out(self) -> None:
        self.library.sqlite3_vfs_register(self.original, 1)
        self.library.sqlite3_vfs_unregister(pointer(self._vfs))
        self.world = None
        self._start_randomness_anew()

    def _end(self) -> None:
        if self.world is not None:
            self.take_out()
        self._ended = True

    def _start_randomness_anew(self) -> None:
        """SQLite draws from a generator of its own, which takes its seed from the default file system, once."""
        self.library.sqlite3_randomness(0, None)

    def _touch(self, path: str) -> None:
        """Let Python's `sqlite3` try to open a file that is not there."""
        with suppress(sqlite3.OperationalError):
            sqlite3.connect(f"file:{path}?mode=ro", uri=True).close()

    # --- what SQLite calls -----------------------------------------------------------------------------

    def _callbacks(self, functions: list[tuple[Any, Callable[..., int | None], int]]) -> list[int | None]:
        """Addresses that C can call. An error of ours becomes a code."""
        made = [prototype(self._guarded(function, failed)) for prototype, function, failed in functions]
        self._kept.extend(made)
        return [cast(callback, c_void_p).value for callback in made]

    def _guarded(self, function: Callable[..., int | None], failed: int) -> Callable[..., int | None]:
        def call(*arguments: int) -> int | None:
            if self._ended:
                return failed
            try:
                return function(*arguments)
            except BaseException as error:  # noqa: BLE001  # ctypes would print it and give SQLite any number
                if self.world is not None:
                    handle = self.files.get(arguments[0])
                    self.world.note(error, handle.disk if handle else None)
                return failed

        return call

    def _disk_of(self, name: int | None) -> tuple[str, Disk | None]:
        path = string_at(name).decode() if name else ""
        return path, self.world.disk_of(path) if self.world else None

    def _made_vfs(self) -> sql.Vfs:
        original = self.original.contents
        original_at = addressof(original)
        open_elsewhere = sql.OPEN(original.xOpen)
        delete_elsewhere = sql.DELETE(original.xDelete)
        access_elsewhere = sql.ACCESS(original.xAccess)

        def open_(_vfs: int, name: int | None, file: int, flags: int, flags_out: int | None) -> int:
            c_void_p.from_address(file).value = None  # SQLite must not call `close` if this fails
            path, disk = self._disk_of(name)
            self.probed = self.probed or path == _PROBE
            if disk is None:
                return int(open_elsewhere(original_at, name, file, flags, flags_out))
            opened = disk.open(path, flags)
            if isinstance(opened, int):
                return opened
            self.files[file] = opened
            c_void_p.from_address(file).value = self._methods_at
            if flags_out:
                c_int.from_address(flags_out).value = flags
            return sql.OK

        def delete(_vfs: int, name: int, sync_folder: int) -> int:
            path, disk = self._disk_of(name)
            if disk is None:
                return int(delete_elsewhere(original_at, name, sync_folder))
            return disk.delete(path, sync_folder=bool(sync_folder))

        def access(_vfs: int, name: int, flags: int, out: int) -> int:
            path, disk = self._disk_of(name)
            if disk is None or flags != sql.ACCESS_EXISTS:
                return int(access_elsewhere(original_at, name, flags, out))
            if disk.dead:
                return sql.IOERR_ACCESS
            c_int.from_address(out).value = disk.exists(path)
            return sql.OK

        def randomness(_vfs: int, count: int, out: int) -> int:
            assert self.world is not None
            assert self.world.entropy is not None
            memmove(out, self.world.entropy(count), count)
            return count

        def sleep(_vfs: int, microseconds: int) -> int:
            assert self.world is not None
            assert self.world.sleep_us is not None
            self.world.sleep_us(microseconds)
            return microseconds

        def julian_ms() -> int:
            assert self.world is not None
            assert self.world.now_ms is not None
            return self.world.now_ms() + sql.UNIX_EPOCH_JULIAN_MS

        def current_time(_vfs: int, out: int) -> int:
            c_double.from_address(out).value = julian_ms() / _DAY_MS
            return sql.OK

        def current_time_int64(_vfs: int, out: int) -> int:
            c_int64.from_address(out).value = julian_ms()
            return sql.OK

        open_at, delete_at, access_at = self._callbacks([
            (sql.OPEN, open_, sql.CANTOPEN),
            (sql.DELETE, delete, sql.IOERR_DELETE),
            (sql.ACCESS, access, sql.IOERR_ACCESS),
        ])  # fmt: skip
        self._own = self._callbacks([
            (sql.NUMBER_AND_POINTED, randomness, 0),
            (sql.NUMBER, sleep, 0),
            (sql.POINTED, current_time, sql.IOERR),
            (sql.POINTED, current_time_int64, sql.IOERR),
        ])  # fmt: skip
        return sql.Vfs(
            iVersion=2,
            szOsFile=max(original.szOsFile, sizeof(c_void_p)),
            mxPathname=original.mxPathname,
            zName=NAME,
            xOpen=open_at,
            xDelete=delete_at,
            xAccess=access_at,
            xFullPathname=original.xFullPathname,
            xDlOpen=original.xDlOpen,
            xDlError=original.xDlError,
            xDlSym=original.xDlSym,
            xDlClose=original.xDlClose,
            xGetLastError=original.xGetLastError,
        )


@cache
def _plumbing() -> _Plumbing:
    return _Plumbing()
