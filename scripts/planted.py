"""The planted bugs: what stands in tests/mutants/*.toml, and putting one into a file.

A bug is one change of one file: an exact text that stands there once, and what it becomes. A text that is gone, or
stands there twice, is an error and never passed over: a bug that no longer applies would be found by nobody.
"""

from __future__ import annotations

import ast
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / "tests/mutants"
WORLD, TESTS = "world", "tests"  # who looks for a bug
NAME: Final = "^[a-z][a-z0-9]*(-[a-z0-9]+)+$"


class DoesNotApply(ValueError):
    """The code is not what the bug was written for; the message says which bug and why."""


class Bug(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One deliberate bug."""

    name: str  # in kebab-case
    sentence: str  # what goes wrong for whom
    file: str  # below the repository
    old: str
    new: str
    tests: tuple[str, ...]  # the quick part of the suite that is about this code
    checkers: tuple[str, ...] = ()  # of the world: those that have found it
    kept: bool = False  # no test is written for it: it is there to be found by the world alone

    def digest(self, part: str) -> str:
        """Changes with the bug, and with the list of its tests where those look: an older result counts no more."""
        asked = self.tests if part == TESTS else ()
        return sha256(msgspec.json.encode((self.file, self.old, self.new, asked))).hexdigest()[:16]

    def put_into(self, source: str) -> str:
        """The source with the bug in it. Raises DoesNotApply."""
        count = source.count(self.old)
        if count != 1:
            raise DoesNotApply(f"{self.name}: its old text stands {count} times in {self.file}, not once")
        changed = source.replace(self.old, self.new)
        try:
            ast.parse(changed)
        except SyntaxError as error:
            raise DoesNotApply(f"{self.name}: {self.file} is no Python with it: {error}") from error
        return changed


class Room(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One file of bugs."""

    title: str
    bug: tuple[Bug, ...]


def rooms() -> list[Room]:
    """All of them, in the order of their files' names. Raises msgspec.ValidationError."""
    return [
        msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Room) for path in sorted(FOLDER.glob("*.toml"))
    ]


def bugs() -> list[Bug]:
    return [bug for room in rooms() for bug in room.bug]
