"""Nobody is told of an error inside the machine: a no has a reason that is about the coupon, or 'not now'.

An exception that the centre caught and wrote down as 'a fault of the centre' kept the world going, and is a bug.
"""

from __future__ import annotations

from typing import Final

from simulator.world.checks.stores import opened
from simulator.world.observe import AtRest, Refused, Seen, UnitAtRest, Violation

WORDS: Final = ("internal", "fault", "exception", "traceback", "error:")
_COLUMNS: Final = (
    ("dead_letters", "reason", "device"),
    ("questions", "reason", "hex(question)"),
    ("conflicts", "note", "id"),
    ("notices", "en", "id"),
)


class NoInternalError:
    """See the module."""

    name: Final = "no-internal-error"

    def saw(self, seen: Seen) -> None:
        if isinstance(seen, Refused) and (word := _found(seen.reason)):
            what = f"serial {seen.serial:016x} of campaign {seen.campaign}"
            raise Violation(self.name, f"{seen.device} refused {what} with '{seen.reason}' ({word})")

    def came_up(self, unit: UnitAtRest) -> None:
        """Nothing has been said yet."""

    def at_rest(self, world: AtRest) -> None:
        with opened(world.centre) as sql:
            for table, column, who in _COLUMNS:
                for subject, reason in sql.rows(f"SELECT {who}, {column} FROM {table}"):  # noqa: S608
                    if _found(reason):
                        raise Violation(self.name, f"{table} of the centre, about {subject}: '{reason}'")


def _found(reason: str) -> str:
    """The word in it that gives a bug away; empty: none."""
    said = reason.lower()
    return next((word for word in WORDS if word in said), "")
