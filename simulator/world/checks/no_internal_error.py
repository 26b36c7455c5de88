"""No shopper, no unit and no operator is ever told 'internal error': every reason says what is the matter.

Looked at: the reason of each no; at rest, the reasons of questions and dead letters, the notes of conflicts, the
details with which epochs were opened, and what the operator was told.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

from simulator.world.checks import disks
from simulator.world.checks.base import Watch
from simulator.world.checks.disks import Unreadable
from simulator.world.observe import AtRest, Refused, Seen

BAD: Final = re.compile(
    r"\b(internal|fault|faults|exception|traceback|assert\w*|unreachable|unexpected|bug)\b|\b\w+(Error|Exception)\b",
    re.IGNORECASE,
)
REASON: Final = re.compile(r"[a-z][a-z0-9_]*")

_COLUMNS: Final = (
    ("questions", "reason", ""),
    ("dead_letters", "reason", ""),
    ("conflicts", "note", " WHERE note <> ''"),
    ("notices", "en", ""),
)


class NoInternalError(Watch):
    """See the module."""

    name: ClassVar = "no-internal-error"

    def saw(self, seen: Seen) -> None:
        if isinstance(seen, Refused) and (not REASON.fullmatch(seen.reason) or BAD.search(seen.reason)):
            self.broken(
                f"{seen.device} refused serial {seen.serial:x} of campaign {seen.campaign} at {seen.at_ms}"
                f" with {seen.reason!r}, which is no reason"
            )

    def at_rest(self, world: AtRest) -> None:
        try:
            with disks.opened(world.centre) as disk:
                for table, column, where in _COLUMNS:
                    for (words,) in disk.rows(f"SELECT DISTINCT {column} FROM {table}{where}"):  # noqa: S608
                        if BAD.search(words):
                            self.broken(f"{table}.{column} of the centre says {words!r}")
        except Unreadable as error:
            self.broken(f"the centre's database can't be read: {error}")
