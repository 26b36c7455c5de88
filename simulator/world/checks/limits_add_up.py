"""The auditor of limits: the centre's pots and parts, recomputed from the facts and from their own parts.

For each pot (a campaign's cap and budget, a floor of points), at rest:

    spent       the uses that are booked of the campaign, each fact once
    out         the sum over its parts of granted + moved - spent - written off, none below zero, of what is limited
    transit     what was booked as given by one unit and not as taken by the other
    exposure    spent beyond parts, written off, and what facts out of an old copy of a disk spent or gave away
    the law     spent + out + transit + held by open questions <= the highest limit that was set + exposure

For each part: what is spent of it is what the facts of that epoch of that unit say, and a unit that still has the disk
it began with and was never written off holds the same part as the centre believes: granted at most that, moved and
spent exactly that.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar, NamedTuple

from loyalty.campaign import Policy
from simulator.world.checks import booked, disks
from simulator.world.checks.base import Watch
from simulator.world.checks.booked import BookedUse, Odd
from simulator.world.checks.disks import Disk, Unreadable
from simulator.world.checks.facts import Other, Points, read
from simulator.world.checks.issued import Issues
from simulator.world.checks.losses import Losses
from simulator.world.observe import AtRest, FloorSet, Seen, UnitAtRest

PotKey = tuple[str, int, int]  # kind, campaign or programme, holder
CAMPAIGN = "c"
POINTS = "p"


class Sum(NamedTuple):
    """So many uses (or points), and so many yen."""

    uses: int = 0
    yen: int = 0

    def plus(self, other: Sum, times: int = 1) -> Sum:
        return Sum(self.uses + times * other.uses, self.yen + times * other.yen)

    def above_zero(self) -> Sum:
        return Sum(max(0, self.uses), max(0, self.yen))

    def of(self, uses: bool, yen: bool) -> Sum:
        """What of it is limited."""
        return Sum(self.uses if uses else 0, self.yen if yen else 0)


class _Part(NamedTuple):
    device: str
    epoch: bytes
    granted: Sum
    moved: Sum
    spent: Sum
    written_off: Sum


class LimitsAddUp(Watch):
    """See the module."""

    name: ClassVar = "limits-add-up"

    def __init__(self) -> None:
        self._issues = Issues()
        self._losses = Losses()
        self._floors: dict[PotKey, FloorSet] = {}  # the highest

    def saw(self, seen: Seen) -> None:
        self._issues.saw(seen)
        self._losses.saw(seen)
        if isinstance(seen, FloorSet):
            key = (POINTS, seen.programme, seen.holder)
            before = self._floors.get(key)
            if before is None or before.points < seen.points:
                self._floors[key] = seen if before is None else seen._replace(at_ms=before.at_ms)

    def at_rest(self, world: AtRest) -> None:
        try:
            with disks.opened(world.centre) as disk:
                uses = [row for row in booked.uses(disk) if row.counts]
                old_gifts = _given_by_old_copies(disk)
                for row in disk.rows(
                    "SELECT kind, id, holder, cap_count, cap_yen, spent_count, spent_yen, out_count, out_yen,"
                    " transit_count, transit_yen, exposure_count, exposure_yen FROM pots"
                ):
                    key: PotKey = row[:3]
                    self._pot(key, row[3:], uses, old_gifts.get(key, (Sum(), Sum())), disk)
                for unit in world.units:
                    changed = unit.device in self._losses.lost or unit.device in self._losses.written_off
                    if unit.enrolled and unit.up and not changed:
                        self._same_parts(unit, disk)
        except Odd as error:
            self.broken(str(error))
        except Unreadable as error:
            self.broken(f"a disk can't be read: {error}")

    # --- pots -------------------------------------------------------------------------------------------

    def _pot(
        self, key: PotKey, row: tuple[Any, ...], uses: list[BookedUse], gifts: tuple[Sum, Sum], disk: Disk
    ) -> None:
        cap_count, cap_yen, *numbers = row
        spent, out, transit, exposure = (Sum(*numbers[at : at + 2]) for at in range(0, 8, 2))
        limited = (cap_count is not None, cap_yen is not None)
        parts = _parts(disk, key)
        for what, has in (("spent", spent), ("out", out), ("transit", transit), ("exposure", exposure)):
            if min(has) < 0:
                self.broken(f"{_named(key)}: {what} is {_said(has)}")
        self._equal(key, "out", out, _total(_left(part).of(*limited) for part in parts))
        self._equal(key, "transit", transit, _under_way(disk, key))
        mine = [use for use in uses if use.use.campaign == key[1]] if key[0] == CAMPAIGN else []
        if self._whole_history(key):
            if key[0] == CAMPAIGN:
                self._equal(key, "spent", spent, _total(Sum(1, use.use.cost_yen) for use in mine))
                self._parts_spent(key, parts, mine, disk)
            beyond = _total(_beyond(part).of(*limited).plus(part.written_off) for part in parts)
            outside = beyond.plus(_outside(mine)).plus(_points_outside(disk, key))
            least, most = outside.plus(gifts[0]), outside.plus(gifts[1])
            if not (least.uses <= exposure.uses <= most.uses and least.yen <= exposure.yen <= most.yen):
                self.broken(
                    f"{_named(key)}: the exposure is {_said(exposure)}, and what was spent beyond parts, written off or"
                    f" spent by old copies of disks makes {_said(least)}"
                )
        self._law(key, spent.plus(out).plus(transit).plus(_held(disk, key)), exposure, limited)

    def _equal(self, key: PotKey, what: str, has: Sum, expected: Sum) -> None:
        if has != expected:
            self.broken(f"{_named(key)}: {what} is {_said(has)} in its row, and {_said(expected)} recomputed")

    def _whole_history(self, key: PotKey) -> bool:
        """Whether the pot has been there for everything that is booked."""
        if key[0] == CAMPAIGN:
            states = self._issues.states(key[1])
            limited = {(state.cap is not None, state.budget_yen is not None) for state in states}
            held = self._issues.always_held(key[1]) and len(limited) == 1 and (False, False) not in limited
            return held and not self._issues.forgotten(key[1])
        floor = self._floors.get(key)
        return floor is not None and not self._losses.forgot_what_came(floor.at_ms)

    def _parts_spent(self, key: PotKey, parts: list[_Part], uses: list[BookedUse], disk: Disk) -> None:
        epochs = {
            number: (epoch, previous) for number, epoch, previous in disk.rows("SELECT id, epoch, previous FROM epochs")
        }
        spent: dict[tuple[str, bytes], Sum] = {}
        for row in uses:
            if row.use.leased and (not row.carried or row.salvaged):
                epoch, previous = epochs[row.epoch_id]
                owner = (row.device, previous if row.carried else epoch)
                spent[owner] = spent.get(owner, Sum()).plus(Sum(1, row.use.cost_yen))
        for part in parts:
            expected = spent.pop((part.device, part.epoch), Sum())
            if part.spent != expected:
                self.broken(
                    f"{_named(key)}: the part of {part.device} in epoch {part.epoch.hex()} has {_said(part.spent)}"
                    f" spent, its facts say {_said(expected)}"
                )
        if spent:
            (device, epoch), amount = next(iter(spent.items()))
            self.broken(
                f"{_named(key)}: {device} spent {_said(amount)} in epoch {epoch.hex()} of a part that is nowhere"
            )

    def _law(self, key: PotKey, promised: Sum, exposure: Sum, limited: tuple[bool, bool]) -> None:
        if key[0] == CAMPAIGN:
            if not self._issues.always_held(key[1]):
                return
            limits = (self._issues.cap(key[1]), self._issues.budget_yen(key[1]))
            known = bool(self._issues.states(key[1]))
            online = Policy.ONLINE in self._issues.policies(key[1]) and bool(self._losses.written_off)
        else:
            floor = self._floors.get(key)
            limits, known, online = (None if floor is None else floor.points, None), floor is not None, False
        if not known or online:
            return  # what was asked for is charged to nothing; `cap-holds-in-sum` counts it
        for number, (limit, is_limited) in enumerate(zip(limits, limited, strict=True)):
            if is_limited and limit is not None and promised[number] > limit + exposure[number]:
                self.broken(
                    f"{_named(key)}: spent, out, under way and held make {promised[number]} {('', 'yen ')[number]}of"
                    f" {limit} and an exposure of {exposure[number]}"
                )

    # --- what a unit believes -----------------------------------------------------------------------------

    def _same_parts(self, unit: UnitAtRest, centre: Disk) -> None:
        with disks.opened(unit.store) as disk:
            epoch = next((span.epoch for span in disks.spans(disk) if span.open), b"")
            for kind, number, holder, *numbers in disk.rows(
                "SELECT kind, id, holder, granted_count, granted_yen, moved_count, moved_yen, spent_count, spent_yen"
                " FROM parts"
            ):
                granted, moved, spent = (Sum(*numbers[at : at + 2]) for at in range(0, 6, 2))
                key: PotKey = (kind, number, holder)
                told = next((p for p in _parts(centre, key) if (p.device, p.epoch) == (unit.device, epoch)), None)
                if told is None:
                    if granted != Sum() or moved != Sum() or spent != Sum():
                        self.broken(f"{unit.device} holds a part of {_named(key)} that the centre knows nothing of")
                    continue
                if (moved, spent) != (told.moved, told.spent) or granted.plus(told.granted, -1).above_zero() != Sum():
                    self.broken(
                        f"{_named(key)}: {unit.device} holds {_said(granted)} granted, {_said(moved)} moved and"
                        f" {_said(spent)} spent; the centre believes {_said(told.granted)}, {_said(told.moved)} and"
                        f" {_said(told.spent)}"
                    )


def _parts(disk: Disk, key: PotKey) -> list[_Part]:
    return [
        _Part(device, epoch, *(Sum(*numbers[at : at + 2]) for at in range(0, 8, 2)))
        for device, epoch, *numbers in disk.rows(
            "SELECT d.name, p.epoch, p.granted_count, p.granted_yen, p.moved_count, p.moved_yen, p.spent_count,"
            " p.spent_yen, p.written_off_count, p.written_off_yen FROM parts p JOIN devices d ON d.id = p.device_id"
            " WHERE p.kind = ? AND p.id = ? AND p.holder = ?",
            key,
        )
    ]


def _left(part: _Part) -> Sum:
    return part.granted.plus(part.moved).plus(part.spent, -1).plus(part.written_off, -1).above_zero()


def _beyond(part: _Part) -> Sum:
    return part.spent.plus(part.granted, -1).plus(part.moved, -1).above_zero()


def _total(sums: Any) -> Sum:
    total = Sum()
    for one in sums:
        total = total.plus(one)
    return total


def _under_way(disk: Disk, key: PotKey) -> Sum:
    """What was given and not taken."""
    row = disk.row(
        "SELECT coalesce(sum(g.count), 0), coalesce(sum(g.yen), 0) FROM part_moves g WHERE g.side = 'given'"
        " AND g.kind = ? AND g.pot_id = ? AND g.holder = ?"
        " AND NOT EXISTS (SELECT 1 FROM part_moves t WHERE t.id = g.id AND t.side = 'taken')",
        key,
    )
    return Sum(*row) if row is not None else Sum()


def _held(disk: Disk, key: PotKey) -> Sum:
    """What open questions hold."""
    if key[0] != CAMPAIGN:
        return Sum()
    row = disk.row(
        "SELECT count(*), coalesce(sum(cost_yen), 0) FROM questions WHERE campaign = ? AND state = 'granted'", (key[1],)
    )
    return Sum(*row) if row is not None else Sum()


def _outside(uses: list[BookedUse]) -> Sum:
    """What facts that an old copy of a disk carried over took of a part: it had been spent before."""
    return _total(Sum(1, row.use.cost_yen) for row in uses if row.use.leased and row.carried and not row.salvaged)


def _points_outside(disk: Disk, key: PotKey) -> Sum:
    if key[0] != POINTS:
        return Sum()
    seen: set[bytes] = set()
    total = 0
    for body, seq, flagged_until, opened_by in disk.rows(
        "SELECT f.body, f.seq, e.flagged_until, e.opened_by FROM facts f JOIN epochs e ON e.id = f.epoch_id"
        " WHERE f.type = 'ps' ORDER BY f.booked_ms, f.epoch_id, f.seq"
    ):
        fact = read(body)
        if not isinstance(fact, Points) or fact.name in seen:
            continue
        seen.add(fact.name)
        mine = fact.programme == key[1] and key[2] in (0, fact.holder)
        if mine and seq <= flagged_until and opened_by != "salvaged" and not fact.asked:
            total += fact.points
    return Sum(total)


def _given_by_old_copies(disk: Disk) -> dict[PotKey, tuple[Sum, Sum]]:
    """What old copies of disks gave to other lanes: at least and at most, where two epochs tell of one transfer."""
    told: dict[bytes, tuple[PotKey, Sum, Counter[bool]]] = {}
    for body, seq, flagged_until, opened_by in disk.rows(
        "SELECT f.body, f.seq, e.flagged_until, e.opened_by FROM facts f JOIN epochs e ON e.id = f.epoch_id"
        " WHERE f.type = 'lg'"
    ):
        fact = read(body)
        assert isinstance(fact, Other)
        transfer, _, pot, amount = fact.fields[:4]
        kind, number, *holder = pot
        entry = told.setdefault(transfer, ((kind, number, holder[0] if holder else 0), Sum(*amount), Counter()))
        entry[2][seq <= flagged_until and opened_by != "salvaged"] += 1
    found: dict[PotKey, tuple[Sum, Sum]] = {}
    for key, amount, ways in told.values():
        least, most = found.get(key, (Sum(), Sum()))
        found[key] = (least if ways[False] else least.plus(amount), most.plus(amount) if ways[True] else most)
    return found


def _said(amount: Sum) -> str:
    return f"{amount.uses} ({amount.yen} yen)" if amount.yen else str(amount.uses)


def _named(key: PotKey) -> str:
    kind, number, holder = key
    if kind == CAMPAIGN:
        return f"the limit of campaign {number}"
    return f"the floor of {f'holder {holder:x}' if holder else 'all holders'} in programme {number}"
