"""The entries of folders that are not on the platter yet: files created and deleted under a name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from simulator.world.unsynced import Content

ENTRIES_MAX: Final = 64  # beyond it the older half goes to the platter by itself


class Entry(NamedTuple):
    """A file was created under this name, or deleted with its content."""

    moment: int
    path: str
    created: bool
    content: Content


class UnsyncedNames:
    """In the order in which they came."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def enter(self, entry: Entry) -> None:
        self.entries.append(entry)
        if len(self.entries) > ENTRIES_MAX:
            del self.entries[: ENTRIES_MAX // 2]

    def sync(self, folder: str) -> None:
        self.entries = [entry for entry in self.entries if folder_of(entry.path) != folder]

    def by_path(self) -> Iterator[list[Entry]]:
        for path in dict.fromkeys(entry.path for entry in self.entries):
            yield [entry for entry in self.entries if entry.path == path]


def folder_of(path: str) -> str:
    return os.path.dirname(path)  # noqa: PTH120  # on the way of every journal


def give_back(own: list[Entry], survive: int) -> None:
    """Let a name stand again for what it stood for after the first `survive` of its changes."""
    states = [None if own[0].created else own[0].content, *(entry.content if entry.created else None for entry in own)]
    present, found = states[-1], states[survive]
    path = Path(own[0].path)
    if found is present or (present is None and path.exists()):
        return  # the second: somebody else made a file of this name, not through SQLite
    if present is not None:
        if not present.is_at(path):
            return
        path.unlink()
    if found is not None:
        path.write_bytes(found.read_all())


class PlainFiles:
    """Files that are written whole and renamed into place without SQLite, and what a power loss finds instead."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._safe: dict[str, bytes | None] = {}  # None: there was no such file

    def watch(self, name: str) -> None:
        self._safe[name] = self._read(name)

    def note(self) -> None:
        for name in self._safe:
            self._safe[name] = self._read(name)

    def undo(self, rng: Random) -> int:
        """By seed, give names back what they stood for; returns how many."""
        undone = 0
        for name, safe in self._safe.items():
            if self._read(name) != safe and rng.random() < 0.5:
                undone += 1
                if safe is None:
                    (self._folder / name).unlink()
                else:
                    (self._folder / name).write_bytes(safe)
        return undone

    def _read(self, name: str) -> bytes | None:
        path = self._folder / name
        return path.read_bytes() if path.exists() else None
