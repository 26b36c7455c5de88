"""A simulated disk: a folder whose SQLite files may be full, fail, lose their power at any write, and come back.

    with DiskVfs() as vfs:
        disk = vfs.mount(Disk(folder, Random(seed)))
        ...                         # production code opens databases in `folder`, by sqlite3 or SQLAlchemy
        disk.power_cut_in(17)       # the 17th change from now on is the last, and may be torn
        ...                         # sqlite3.OperationalError: disk I/O error; from now on `disk.dead`
        losses = disk.lose_power()  # unsynced changes survive or vanish, by seed; the disk lives again

The files in `folder` hold what a running program sees. What was synced survives a power loss; of the rest `power_loss`
decides. A folder's entries are synced when SQLite syncs them: at the first sync of a new journal or log, and at a
delete that asks for it. Everything follows from the generator that is handed in and the order of calls. Not for two
threads at a time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from random import Random

from simulator.world import power_loss
from simulator.world import sqlite_abi as sql
from simulator.world.disk_trouble import DiskTrouble, Fate
from simulator.world.open_file import OpenFile
from simulator.world.power_loss import Losses
from simulator.world.unsynced import Content, pieces
from simulator.world.unsynced_names import Entry, PlainFiles, UnsyncedNames, folder_of


class Disk(DiskTrouble):
    """See the module. `folder` must exist; files below it count too."""

    def __init__(self, folder: Path, rng: Random) -> None:
        super().__init__(rng)
        self.folder = folder.resolve(strict=True)
        self.prefix = f"{self.folder}{os.sep}"
        self.owner = ""  # whoever opens files now; see `kill`
        self.fault: BaseException | None = None  # an error of this model, never of the code above it
        self.writes = self.syncs = self.folder_syncs = self.power_losses = 0
        self._contents: dict[tuple[int, int], Content] = {}  # by the file's number
        self._handles: list[OpenFile] = []
        self._names = UnsyncedNames()
        self._plain = PlainFiles(self.folder)
        self._moment = 0

    # --- what happens to the machine -------------------------------------------------------------------

    def die(self) -> None:
        """This very moment is the last, between two changes; `lose_power` or `kill` says what kind of end it was."""
        self._dead = True
        self._failed(sql.OK)

    def lose_power(self) -> Losses:
        """The power goes and comes back. Connections need not be closed before: they are stale from now on."""
        self._drop(self._handles)
        self.power_losses += 1
        losses = power_loss.lose(list(self._contents.values()), self._names, self._rng)
        losses.plain_undone = self._plain.undo(self._rng)
        self.settle()
        self._revive()
        return losses

    def kill(self, owner: str | None = None) -> None:
        """The process dies and the machine lives: what was written stays, synced or not. Its files are stale.

        With an `owner`, only what was opened while `disk.owner` had that name; the others go on.
        """
        self._drop(handle for handle in self._handles if owner is None or handle.owner == owner)
        self._forget()
        self._revive()

    def settle(self) -> None:
        """Everything is on the platter now, as after `sync`. To be called before files are changed without SQLite."""
        self._names.entries.clear()
        for content in self._contents.values():
            content.sync()
        self._forget()
        self._plain.note()

    def watch_plain(self, name: str) -> None:
        """A file that is written whole and renamed into place without SQLite: a power loss may undo the rename."""
        self._plain.watch(name)

    def note_plain(self) -> None:
        """What watched files hold now survives. SQLite's syncs of the folder do this too."""
        self._plain.note()

    def close(self) -> None:
        """No more use of this disk; the files stay as a running program saw them."""
        self._drop(self._handles)
        self.settle()

    def _revive(self) -> None:
        super()._revive()
        for handle in self._handles:
            handle.alive = True

    def _drop(self, handles: Iterable[OpenFile]) -> None:
        for handle in list(handles):
            self._handles.remove(handle)
            handle.go_stale()

    def _forget(self) -> None:
        """Close files that nobody has open and that no power loss can change, or bring back."""
        needed = {id(entry.content) for entry in self._names.entries}
        for number, content in list(self._contents.items()):
            if not content.handles and id(content) not in needed and (not content.changes or content.is_nameless):
                os.close(content.fd)
                del self._contents[number]

    # --- what SQLite does ------------------------------------------------------------------------------

    def open(self, path: str, flags: int) -> OpenFile | int:
        """The open file, or SQLite's code. Always open for writing too: SQLite itself heeds `mode=ro`."""
        if self.dead:
            return sql.CANTOPEN
        how = os.O_RDWR | os.O_CLOEXEC
        exists = Path(path).exists()
        if exists and flags & sql.OPEN_CREATE and flags & sql.OPEN_EXCLUSIVE:
            return sql.CANTOPEN
        if not exists:
            if not flags & sql.OPEN_CREATE or self._fate() is Fate.NOTHING:
                return self._failed(sql.CANTOPEN)
            how |= os.O_CREAT | os.O_EXCL
        try:
            content = self._content(os.open(path, how, 0o644))
        except OSError:
            return self._failed(sql.CANTOPEN)
        if not exists:
            self._enter(path, content, created=True)
            if code := self._done(sql.CANTOPEN):
                return code
        handle = OpenFile(self, content, flags, path)
        self._handles.append(handle)
        content.handles.append(handle)
        return handle

    def close_file(self, handle: OpenFile) -> None:
        alive = handle.alive
        if handle in self._handles:
            self._drop([handle])
        if alive and handle.deleted_on_close:
            self.delete(handle.path, sync_folder=False)
        if not self.dead:
            self._forget()
        handle.leave_memory()

    def delete(self, path: str, *, sync_folder: bool) -> int:
        if self.dead:
            return sql.IOERR_DELETE
        if not Path(path).exists():
            return sql.IOERR_DELETE_NOENT
        fate = self._fate()
        if fate is Fate.NOTHING:
            return self._failed(sql.IOERR_DELETE)
        content = self._content(os.open(path, os.O_RDWR | os.O_CLOEXEC))
        Path(path).unlink()
        self._make_room(content.size)
        self._enter(path, content, created=False)
        if sync_folder and fate is Fate.WHOLE:
            self._sync_folder(path)
        return self._done(sql.IOERR_DELETE)

    def write(self, content: Content, data: bytes, offset: int) -> int:
        self.writes += 1
        self._moment += 1
        if not self._calm:
            return self._write_in_trouble(content, data, offset)
        content.write(data, offset, self._moment)
        return sql.OK

    def _write_in_trouble(self, content: Content, data: bytes, offset: int) -> int:
        fate = self._fate()
        if fate is Fate.NOTHING:
            return self._failed(sql.IOERR_WRITE)
        growth = max(0, offset + len(data) - content.size)
        room = self._room_for(growth)
        fits = data[: max(0, len(data) - growth + room)]
        if fate is Fate.PART or self._fails():
            for start, end in power_loss.surviving(pieces(offset, len(fits)), self._rng):
                content.write(fits[start - offset : end - offset], start, self._moment)
            return self._failed(sql.IOERR_WRITE)
        if fits:
            content.write(fits, offset, self._moment)
        return self._done(sql.IOERR_WRITE) if room == growth else self._failed(sql.FULL)

    def truncate(self, content: Content, size: int) -> int:
        if self._fate() is not Fate.WHOLE or self._fails():
            return self._failed(sql.IOERR_TRUNCATE)
        self._make_room(content.size - size)
        self._moment += 1
        content.truncate(size, self._moment)
        return self._done(sql.IOERR_TRUNCATE)

    def sync(self, handle: OpenFile) -> int:
        self.syncs += 1
        if not self._calm and (self._fate() is not Fate.WHOLE or self._fails()):
            return self._failed(sql.IOERR_FSYNC)
        handle.content.sync()
        if handle.syncs_folder:
            handle.syncs_folder = False
            self._sync_folder(handle.path)
        return self._done(sql.IOERR_FSYNC)

    def exists(self, path: str) -> bool:
        """As SQLite wants it: an empty file is none."""
        try:
            return Path(path).stat().st_size > 0
        except FileNotFoundError:
            return False

    # --- inside ----------------------------------------------------------------------------------------

    def _done(self, failed: int) -> int:
        """A change was made; nobody hears of it if that was the moment of the cut."""
        return self._failed(failed) if self.dead else sql.OK

    def _failed(self, code: int) -> int:
        if self.dead:
            for handle in self._handles:
                handle.alive = False
        return code

    def _content(self, fd: int) -> Content:
        """What an open file holds; the descriptor is ours from now on."""
        status = os.fstat(fd)
        number = status.st_dev, status.st_ino
        known = self._contents.get(number)
        if known is None:
            known = self._contents[number] = Content(fd)
        else:
            os.close(fd)
        return known

    def _enter(self, path: str, content: Content, *, created: bool) -> None:
        self._moment += 1
        self._names.enter(Entry(self._moment, path, created, content))

    def _sync_folder(self, path: str) -> None:
        self.folder_syncs += 1
        self._names.sync(folder_of(path))
        if folder_of(path) == str(self.folder):
            self._plain.note()
        self._forget()
