"""The ways to keep a store that lose their power here: ours, and three that must be found out."""

from __future__ import annotations

from typing import Final, NamedTuple


class Kind(NamedTuple):
    name: str
    mount: str = "barrier=1"  # options of ext4
    pragmas: tuple[str, ...] = ()  # what is changed of the store's own settings


OURS: Final = Kind("ours")
NORMAL: Final = Kind("normal", pragmas=("synchronous=NORMAL",))
DELETE: Final = Kind("delete", pragmas=("journal_mode=DELETE", "synchronous=FULL"))  # Python's default
NO_BARRIER: Final = Kind("no-barrier", mount="barrier=0")  # no flush reaches the disk: to it, all is unsynced
CONTROLS: Final = (NORMAL, DELETE, NO_BARRIER)
KINDS: Final = {kind.name: kind for kind in (OURS, *CONTROLS)}
