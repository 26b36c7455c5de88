"""A unit without a time source never goes back behind a time that it was sure of (DESIGN, 'Clocks').

The clock is raised to the store's last trusted time, which is written down every ten minutes, in a quiet moment. So no
fact in a journal is stamped longer before the newest trusted stamp above it than that takes. Only what a fact was
stamped with counts: the world's clocks are right whenever they say that they can be trusted.

A disk that was replaced by an old copy, or spoilt, has forgotten.
"""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec

from simulator.world.checks import stores
from simulator.world.checks.base import Watch
from simulator.world.checks.stores import Disk, Unreadable
from simulator.world.observe import AtRest, DiskRestored, DiskSpoilt, Seen, UnitAtRest

WRITTEN_EVERY_MS: Final = 600_000
QUIET_WITHIN_MS: Final = 60_000


class TimeGoesOn(Watch):
    """See the module."""

    name: ClassVar = "time-goes-on"

    def __init__(self) -> None:
        self._forgot: set[str] = set()

    def saw(self, seen: Seen) -> None:
        if isinstance(seen, DiskRestored | DiskSpoilt):
            self._forgot.add(seen.device)

    def at_rest(self, world: AtRest) -> None:
        for unit in world.units:
            if unit.enrolled and unit.device not in self._forgot:
                try:
                    with stores.opened(unit.store) as disk:
                        self._unit(unit, disk)
                except Unreadable as error:
                    self.broken(f"the store of {unit.device} can't be read: {error}")

    def _unit(self, unit: UnitAtRest, disk: Disk) -> None:
        sure_ms = 0
        for position, body in disk.rows("SELECT position, body FROM journal ORDER BY position"):
            wall_ms, _, _, trusted, *_ = msgspec.msgpack.decode(body)[1]
            if wall_ms < sure_ms - WRITTEN_EVERY_MS - QUIET_WITHIN_MS:
                behind_s = (sure_ms - wall_ms) // 1000
                self.broken(
                    f"fact {position} of {unit.device} is {behind_s} s behind a time that it was sure of before"
                )
            if trusted:
                sure_ms = max(sure_ms, wall_ms)
