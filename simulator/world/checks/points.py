"""Points: earned always, spent within floors, and the centre's sums are those of what people saw.

`points-within-floors`: at each spending, what was seen to be spent of a floor (a person's, and that of all together) is
at most the highest that it was ever set to, plus what `allowances` counts.

`points-add-up`: at rest the sums of the centre are recomputed from what people saw. What is booked as spent of each
floor is what was spent under it, each spending once; every spending is written down by its name once; and what a
person earned and spent according to the facts is what that person saw, less what was lost with disks.
"""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from simulator.world.checks import booked, stores
from simulator.world.checks.allowances import Spent, Tally
from simulator.world.checks.base import Watch
from simulator.world.checks.losses import Losses
from simulator.world.checks.sales import Asked, Sales
from simulator.world.checks.stores import Disk, Unreadable
from simulator.world.observe import AtRest, Blank, DiskFull, Down, FloorSet, PointsSeen, Seen, TakenBack

Floor = tuple[int, int]  # programme, holder


class PointsWithinFloors(Watch):
    """See the module."""

    name: ClassVar = "points-within-floors"

    def __init__(self) -> None:
        self._losses = Losses()
        self._floors: dict[Floor, int] = {}
        self._asked = Asked()
        self._of_sale: dict[bytes, list[PointsSeen]] = {}
        self._tallies: dict[Floor, Tally] = {}

    def saw(self, seen: Seen) -> None:
        self._losses.saw(seen)
        if isinstance(seen, FloorSet):
            floor = (seen.programme, seen.holder)
            self._floors[floor] = max(seen.points, self._floors.get(floor, 0))
        elif isinstance(seen, TakenBack):
            if self._asked.add(seen.sale, seen.yen):
                for one in self._of_sale.pop(seen.sale, []):
                    for holder in (0, one.holder):
                        self._tallies[one.programme, holder].back(one.points, 0)
        elif isinstance(seen, PointsSeen) and not seen.earned:
            if seen.sale in self._asked:
                return  # taken back before it was seen
            self._of_sale.setdefault(seen.sale, []).append(seen)
            for holder in (0, seen.holder):
                self._spent((seen.programme, holder), seen)

    def _spent(self, floor: Floor, seen: PointsSeen) -> None:
        tally = self._tallies.setdefault(floor, Tally())
        tally.add(Spent(seen.at_ms, seen.device, seen.points, 0))
        over = tally.count - self._floors.get(floor, 0)
        if over > 0 and over > (allowed := tally.allowed_beyond(self._losses)[0]):
            self.broken(
                f"{tally.count} points of {_named(floor)} were spent, the floor is {self._floors.get(floor, 0)}, and"
                f" disks and units that were given up explain {allowed} more; the last by {seen.device} at {seen.at_ms}"
            )


class PointsAddUp(Watch):
    """See the module."""

    name: ClassVar = "points-add-up"

    def __init__(self) -> None:
        self._losses = Losses()
        self._shown: Counter[tuple[bool, int, int]] = Counter()  # earned?, programme, holder: points
        self._maybe_lost: Counter[tuple[bool, int, int]] = Counter()
        self._seen: list[PointsSeen] = []
        self._floor_ms: dict[Floor, int] = {}
        self._first_ms: dict[Floor, int] = {}
        self._downs: set[tuple[str, bytes, int]] = set()

    def saw(self, seen: Seen) -> None:
        self._losses.saw(seen)
        if isinstance(seen, PointsSeen):
            self._seen.append(seen)
            if not seen.earned:
                for holder in (0, seen.holder):
                    self._first_ms.setdefault((seen.programme, holder), seen.at_ms)
        elif isinstance(seen, FloorSet):
            self._floor_ms.setdefault((seen.programme, seen.holder), seen.at_ms)
        elif isinstance(seen, Down | Blank | DiskFull):
            self._downs.add((seen.device, seen.boot, seen.mono_ms))

    def at_rest(self, world: AtRest) -> None:
        away = {unit.device for unit in world.units if not (unit.enrolled and unit.up)}
        try:
            with stores.opened(world.centre) as disk:
                facts = booked.points(disk)
                self._persons(facts, away)
                self._floors(facts, disk)
                self._names(facts, disk)
        except Unreadable as error:
            self.broken(f"the centre's database can't be read: {error}")

    def _persons(self, facts: list[booked.BookedPoints], away: set[str]) -> None:
        """Of each person and programme: shown less lost <= booked <= shown plus what nobody saw before a kill."""
        least: Counter[tuple[bool, int, int]] = Counter()
        most: Counter[tuple[bool, int, int]] = Counter()
        for seen in self._seen:
            key = (seen.earned, seen.programme, seen.holder)
            most[key] += seen.points
            if seen.device not in away and not self._losses.gone(seen.device, seen.at_ms):
                least[key] += seen.points
        booked_sums: Counter[tuple[bool, int, int]] = Counter()
        for row in facts:
            fact = row.points
            key = (fact.earned, fact.programme, fact.holder)
            booked_sums[key] += fact.points
            if (row.device, *fact.moment) in self._downs:
                most[key] += fact.points
        for key in most.keys() | booked_sums.keys():
            if not least[key] <= booked_sums[key] <= most[key]:
                earned, programme, holder = key
                self.broken(
                    f"holder {holder:x} saw {'' if least[key] == most[key] else f'{least[key]} to '}{most[key]} points"
                    f" {'earned' if earned else 'spent'} in programme {programme}, and {booked_sums[key]} are booked"
                )

    def _floors(self, facts: list[booked.BookedPoints], disk: Disk) -> None:
        spent: Counter[Floor] = Counter()
        sales = Sales(disk)
        for row in facts:
            fact = row.points
            if not fact.earned:
                points = fact.points - sales.undone(fact)
                spent[fact.programme, 0] += points
                if fact.holder:
                    spent[fact.programme, fact.holder] += points
        for programme, holder, count in disk.rows("SELECT id, holder, spent_count FROM pots WHERE kind = 'p'"):
            floor = (programme, holder)
            since_ms = self._floor_ms.get(floor)
            if since_ms is None or self._losses.forgot_what_came(since_ms):
                continue
            if self._first_ms.get(floor, since_ms) < since_ms:
                continue  # some were spent before there was a floor to spend of
            if count != spent[floor]:
                self.broken(f"the centre counts {count} points spent of {_named(floor)}, its facts {spent[floor]}")

    def _names(self, facts: list[booked.BookedPoints], disk: Disk) -> None:
        written = {row[0]: row[1] for row in disk.rows("SELECT id, count FROM part_moves WHERE side = 'spent'")}
        told = {row.points.name: row.points.points for row in facts if not row.points.earned}
        if written != told:
            odd = sorted(written.items() ^ told.items())[0]
            self.broken(
                f"a spending of {odd[1]} points named {odd[0].hex()} is written down once too often or too rarely"
            )


def _named(floor: Floor) -> str:
    programme, holder = floor
    return f"holder {holder:x} in programme {programme}" if holder else f"all holders in programme {programme}"
