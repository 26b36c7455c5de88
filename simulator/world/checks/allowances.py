"""How much may be used beyond a limit, by what was done to disks, units and the centre: counted from what was seen.

A use that was seen counts as allowed beyond the limit if, and only if

    its unit's disk was restored or spoilt before it    an old part may be spent once more; a question may be asked anew
    its unit was written off                            what it held and had not reported was granted again to others
    its unit was enrolled after the backup from         the centre knows nothing of what it granted to it
      which the centre came back
    it was lost with its disk, and the centre was       nobody knows of it any more
      restored after it

Nothing else does: not being cut off, killed, cut from power; not lost or doubled messages; not a restore of the centre.
"""

from __future__ import annotations

from typing import NamedTuple

from simulator.world.checks.losses import Losses


class Spent(NamedTuple):
    """Something that was seen to take of a limit."""

    at_ms: int
    device: str
    uses: int  # or points
    yen: int


class Tally:
    """What was seen to be taken of one limit."""

    def __init__(self) -> None:
        self.count = self.yen = 0
        self._spent: list[Spent] = []

    def add(self, spent: Spent) -> None:
        self._spent.append(spent)
        self.count += spent.uses
        self.yen += spent.yen

    def back(self, uses: int, yen: int) -> None:
        """So much of it was asked back by whoever it belongs to: it may be used again."""
        self.count -= uses
        self.yen -= yen

    def allowed_beyond(self, losses: Losses) -> tuple[int, int]:
        """How many of the uses, and of the yen, may lie beyond the limit."""
        beyond = [spent for spent in self._spent if _may_be_beyond(spent, losses)]
        return sum(spent.uses for spent in beyond), sum(spent.yen for spent in beyond)

    def lost(self, losses: Losses) -> tuple[int, int]:
        """How many of the uses, and of the yen, may never have been reported."""
        gone = [spent for spent in self._spent if losses.gone(spent.device, spent.at_ms)]
        return sum(spent.uses for spent in gone), sum(spent.yen for spent in gone)


def _may_be_beyond(spent: Spent, losses: Losses) -> bool:
    device, at_ms = spent.device, spent.at_ms
    enrolled_ms = losses.enrolled.get(device)
    return (
        losses.disk_replaced(device, at_ms) is not None
        or device in losses.written_off
        or (enrolled_ms is not None and losses.forgot_what_came(enrolled_ms))
        or (losses.gone(device, at_ms) and losses.centre_forgot(at_ms))
    )
