"""The cards that lie beside the kiosk: the people's member cards, empty tags, and one that is none of ours.

They are tags of `hal.virtual.tag`, so what the kiosk writes on them stays, also over a restart of the demo: `keep`
writes what has changed into a file. There is always one empty tag, until TAGS_MAX lie there.

What can fail: OSError from `keep`; a file that can't be read is as if there was none, and the cards are made anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from hal.card import PAGE_BYTES
from hal.virtual.tag import Tag
from loyalty.card_slots import USER_FIRST_PAGE, Chip, is_empty
from simulator.home import write_private

TAGS_MAX: Final = 12
FOREIGN: Final = "pass"
FOREIGN_UID: Final = bytes.fromhex("04fe11ca5500aa")
FOREIGN_MEMORY: Final = b"\x01\x10\x20\x30IC PASS 2020  " * 3  # of a railway, as far as we can tell
NEW: Final = "new-"


class Kept(msgspec.Struct, frozen=True):
    """A tag as the file has it."""

    name: str
    uid: str
    memory: str
    chip: Chip = Chip.NTAG213


class Wallet:
    """See the module."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.tags: dict[str, Tag] = {}
        for kept in _read(file):
            self.tags[kept.name] = _tag(bytes.fromhex(kept.uid), kept.chip, bytes.fromhex(kept.memory))
        self._kept = self._all()

    def put(self, name: str, uid: bytes, memory: bytes) -> None:
        """A tag of that name, in the place of one that was there."""
        self.tags[name] = _tag(uid, Chip.NTAG213, memory)

    def fill(self) -> None:
        """The tag of the railway, and one that is empty."""
        if FOREIGN not in self.tags:
            self.put(FOREIGN, FOREIGN_UID, FOREIGN_MEMORY)
        if len(self.tags) < TAGS_MAX and not any(is_empty(tag.user_memory) for tag in self.tags.values()):
            number = 1 + sum(name.startswith(NEW) for name in self.tags)
            self.put(f"{NEW}{number}", bytes((0x04, 0xE0, 0, 0, 0, 0, number)), b"")

    def faces(self) -> list[dict[str, str]]:
        """What a person sees of each: a member's name, 'empty', 'new' (written since), or 'foreign'."""
        return [{"name": name, "kind": _kind(name, tag)} for name, tag in sorted(self.tags.items(), key=_order)]

    def keep(self) -> bool:
        """Write down what has changed; whether anything has. Raises OSError."""
        now = self._all()
        if now == self._kept:
            return False
        write_private(self._file, msgspec.json.encode(now).decode())
        self._kept = now
        return True

    def _all(self) -> list[Kept]:
        return [Kept(name, tag.uid.hex(), tag.user_memory.hex(), tag.chip) for name, tag in self.tags.items()]


def _tag(uid: bytes, chip: Chip, memory: bytes) -> Tag:
    tag = Tag(uid, chip)
    padded = memory.ljust(-(-len(memory) // PAGE_BYTES) * PAGE_BYTES, b"\0")
    for at in range(0, len(padded), PAGE_BYTES):
        tag.write(USER_FIRST_PAGE + at // PAGE_BYTES, padded[at : at + PAGE_BYTES])
    return tag


def _kind(name: str, tag: Tag) -> str:
    if name == FOREIGN:
        return "foreign"
    if not name.startswith(NEW):
        return "member"
    return "empty" if is_empty(tag.user_memory) else "new"


def _order(entry: tuple[str, Tag]) -> tuple[int, str]:
    kinds = ("member", "new", "empty", "foreign")
    return kinds.index(_kind(*entry)), entry[0]


def _read(file: Path) -> list[Kept]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[Kept])[:TAGS_MAX]
    except (OSError, msgspec.DecodeError):
        return []
