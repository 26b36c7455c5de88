"""Points that people buy, give, exchange and cash out at the centre move as asked, once, and stay moved (G2 to G8).

At rest, by the postings: what the centre said is booked is there; nothing is there that nobody asked for, or that was
refused; and it moved exactly what was asked for. A database that was restored may have lost what came after its copy:
facts that are born at the centre need its own backups.
"""

from __future__ import annotations

from typing import ClassVar

from simulator.world.checks import stores
from simulator.world.checks.base import Watch
from simulator.world.checks.stores import Disk, Unreadable
from simulator.world.observe import AtRest, CentreRestored, PointsAsked, PointsMoved, Seen


class MovedAsAsked(Watch):
    """See the module."""

    name: ClassVar = "moved-as-asked"

    def __init__(self) -> None:
        self._asked: dict[bytes, PointsAsked] = {}
        self._booked: set[bytes] = set()
        self._refused: set[bytes] = set()

    def saw(self, seen: Seen) -> None:
        if isinstance(seen, PointsAsked):
            self._asked[seen.name] = seen
        elif isinstance(seen, PointsMoved):
            if not seen.booked and seen.name in self._booked:
                self.broken(f"{seen.name.hex()} was booked, and is refused when it is asked again")
            (self._booked if seen.booked else self._refused).add(seen.name)
        elif isinstance(seen, CentreRestored):
            self._booked.clear()
            self._refused.clear()  # a person who asks again may find the points there by now, or gone

    def at_rest(self, world: AtRest) -> None:
        try:
            with stores.opened(world.centre) as disk:
                self._look(disk)
        except Unreadable as error:
            self.broken(f"the centre's database can't be read: {error}")

    def _look(self, disk: Disk) -> None:
        there: dict[bytes, tuple[str, dict[int, int]]] = {}
        for name, kind, holder, amount in disk.rows(
            "SELECT t.name, t.kind, a.holder, p.amount FROM transfers t JOIN postings p ON p.transfer = t.id"
            " JOIN accounts a ON a.id = p.account"
            " WHERE t.kind IN ('buy', 'give', 'exchange', 'cash_out') AND a.kind = 'member'"
        ):
            there.setdefault(name, (kind, {}))[1][holder] = amount
        for name, (kind, legs) in there.items():
            asked = self._asked.get(name)
            if asked is None or name in self._refused:
                self.broken(f"{kind} {name.hex()} moved points, and nobody was told that it would")
            mine = asked.points if kind == "buy" else -asked.points
            meant = {asked.holder: mine} | ({asked.to: asked.points} if kind == "give" else {})
            if (kind, legs) != (asked.kind, meant):
                self.broken(f"{asked.kind} {name.hex()} of {asked.points} points moved {legs}")
        for name in sorted(self._booked - there.keys()):
            self.broken(f"the centre said that {name.hex()} is booked, and has it no more")
