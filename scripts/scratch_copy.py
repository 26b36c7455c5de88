"""Copies of the tree in which a bug is planted, and one of the sound code to hold its finders against."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from scripts.planted import ROOT, Bug

IMPORT_WITHIN_S: Final = 120
PACKAGES: Final = ("central", "cli", "edge_agent", "firmware", "hal", "loyalty", "simulator", "wire", "scripts")
LEFT_OUT: Final = ("__pycache__", "*.egg-info", ".*_cache", ".hypothesis")
LEFT_OUT_AT_THE_TOP: Final = frozenset({".git", ".venv", ".venv-lock", "site", "var", "build", "dist"})


def _left_out(folder: str, names: list[str]) -> set[str]:
    ignored = shutil.ignore_patterns(*LEFT_OUT)(folder, names)
    return ignored | (LEFT_OUT_AT_THE_TOP & set(names) if Path(folder) == ROOT else set())


class Unsound(RuntimeError):
    """The copies are not what they should be; the message says how."""


class Ended(msgspec.Struct, frozen=True):
    """How a command ended. `code` None: it took too long and was killed."""

    code: int | None
    said: str


def _modules(root: Path, package: str) -> set[str]:
    return {str(path.relative_to(root)) for path in (root / package).rglob("*.py")}


class Copy:
    """A copy of the tree in which commands run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(ROOT, folder, ignore=_left_out, symlinks=True)
        names = ", ".join(PACKAGES)
        where = self.run(["-c", f"import {names}\nfor one in ({names}): print(*one.__path__)"], IMPORT_WITHIN_S)
        strays = [line for line in where.said.splitlines() if not line.startswith(str(folder))]
        if where.code != 0 or strays:
            raise Unsound(f"the packages of the copy are not the ones that are imported: {where.said}")
        # What the copy lacked would be taken from the installed packages behind it.
        lacking = {path for name in PACKAGES for path in _modules(ROOT, name) - _modules(folder, name)}
        if lacking:
            raise Unsound(f"the copy lacks {', '.join(sorted(lacking))}")

    def run(self, arguments: list[str], within_s: float) -> Ended:
        """Runs Python in the copy, and ends it and what it started when its time is up."""
        environment = os.environ | {"PYTHONPATH": str(self.folder), "COLUMNS": "500", "NO_COLOR": "1"}
        with subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                said, _ = process.communicate(timeout=within_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                said, _ = process.communicate()
                return Ended(None, said)
            return Ended(process.returncode, said)

    @contextmanager
    def planted(self, bug: Bug) -> Iterator[None]:
        """The bug is in the copy. Raises DoesNotApply."""
        file = self.folder / bug.file
        sound = file.read_text(encoding="utf-8")
        try:
            self._write(file, bug.put_into(sound))
            yield
        finally:
            self._write(file, sound)

    def _write(self, file: Path, source: str) -> None:
        # A file changed within a second to one of the same length would be taken for the one that is compiled.
        file.write_text(source, encoding="utf-8")
        Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)


class Sound:
    """The code without a bug: what fails there too has found nothing."""

    def __init__(self, folder: Path) -> None:
        self._copy = Copy(folder)  # at once: the tree may change while a long search goes on
        self._lock = threading.Lock()
        self._passed: dict[tuple[str, ...], bool] = {}
        self.failed: dict[str, str] = {}  # command -> what it said

    def passes(self, arguments: list[str], within_s: float) -> bool:
        """Whether the sound code does. What does not is kept in `failed`, for a person to see."""
        command = tuple(arguments)
        with self._lock:
            if command not in self._passed:
                ended = self._copy.run(arguments, within_s)
                self._passed[command] = ended.code == 0
                if ended.code != 0:
                    self.failed[" ".join(arguments)] = ended.said
            return self._passed[command]
