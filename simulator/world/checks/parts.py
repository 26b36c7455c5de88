"""What units hold of limits is what the centre says they hold: nothing may be spent that is granted to others as well.

At rest, for each part in the store of an enrolled unit: the centre knows of all that was granted to that epoch, also
where its database was restored, and what the unit has left it has left in the centre's books. With the auditor's law
of what is leased and `exactly-once` (what was shown is booked) that gives

    shown + left at units  <=  spent + parts + under way + open questions (at the centre)  <=  cap + exposure
"""

from __future__ import annotations

from typing import Any, ClassVar

from simulator.world.checks.base import Watch
from simulator.world.checks.stores import Disk, Unreadable, opened
from simulator.world.observe import AtRest, UnitAtRest

Key = tuple[Any, ...]  # device, epoch, kind of pot, number, holder
_GRANTED = "granted_{0}"
_LEFT = "max(0, granted_{0} + moved_{0} - spent_{0})"
UNITS = ("count", "yen")


class PartsAreKnown(Watch):
    """See the module."""

    name: ClassVar = "parts-are-known"

    def at_rest(self, world: AtRest) -> None:
        try:
            with opened(world.centre) as disk:
                known = _at_centre(disk)
            for unit in world.units:
                if unit.enrolled:
                    with opened(unit.store) as disk:
                        self._unit(unit, disk, known)
        except Unreadable as error:
            self.broken(f"a database can't be read: {error}")

    def _unit(self, unit: UnitAtRest, disk: Disk, known: dict[Key, tuple[int, ...]]) -> None:
        epoch = disk.value("SELECT epoch FROM epochs WHERE last IS NULL")
        for kind, number, holder, *sums in disk.rows(f"SELECT kind, id, holder, {_sums(_LEFT)} FROM parts"):  # noqa: S608
            booked = known.get((unit.device, epoch, kind, number, holder), (0, 0, 0, 0))
            for what, here, there in zip(WHAT, sums, booked, strict=True):
                if here > there:
                    self.broken(
                        f"{unit.device} {what.format(here)} of pot {kind} {number} holder {holder:x}, and the centre"
                        f" knows of {there}"
                    )


WHAT = ("was granted {} uses", "was granted {} yen", "has {} uses left", "has {} yen left")


def _sums(left: str) -> str:
    return ", ".join(column.format(unit) for column in (_GRANTED, left) for unit in UNITS)


def _at_centre(disk: Disk) -> dict[Key, tuple[int, ...]]:
    """Granted uses and yen, left uses and yen."""
    left = "max(0, granted_{0} + moved_{0} - spent_{0} - written_off_{0})"
    return {
        row[:5]: row[5:]
        for row in disk.rows(
            f"SELECT d.name, p.epoch, p.kind, p.id, p.holder, {_sums(left)}"  # noqa: S608
            " FROM parts p JOIN devices d ON d.id = p.device_id"
        )
    }
