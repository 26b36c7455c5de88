"""What was shown to a shopper is on disk for good (promise 1), and the journal is whole.

Whenever a unit comes up, and at rest: each green and each amount of points that it has shown is in its journal, found
by what was decided and when by the unit's own monotonic time, or was pruned, which it may be once it is booked. A yes
that was repeated for an earlier decision is for good as well, from then on. The journal's numbers have no gaps, and
each hash follows from the one before.

Not held against a unit: what its disk lost by the fault model (`losses`): what came after the image that it was
restored from; anything before it came up with a disk that was spoilt.

Cost: each time a unit comes up, the facts that were not booked when it came up before.
"""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, NamedTuple

from simulator.world.checks import stores
from simulator.world.checks.base import Watch
from simulator.world.checks.facts import Points, Use, read
from simulator.world.checks.stores import Disk, Span, Unreadable
from simulator.world.observe import (
    AtRest,
    DiskRestored,
    DiskSpoilt,
    Green,
    PointsSeen,
    Seen,
    UnitAtRest,
)


class _Due(NamedTuple):
    """Something that must be on a disk."""

    at_ms: int
    key: tuple[object, ...]
    again: bool
    words: str


class _Unit:
    """What is remembered of a unit."""

    def __init__(self) -> None:
        self.due: list[_Due] = []
        self.settled = 0  # the position up to which everything was booked when it came up last
        self.whole: dict[bytes, tuple[int, bytes]] = {}  # epoch: (number, hash) up to which the chain was followed
        self.spoilt = False

    def begin_anew(self) -> None:
        self.settled = 0
        self.whole.clear()


class ShownIsOnDisk(Watch):
    """See the module."""

    name: ClassVar = "shown-is-on-disk"

    def __init__(self) -> None:
        self._units: dict[str, _Unit] = {}

    def saw(self, seen: Seen) -> None:
        if isinstance(seen, Green):
            what = (seen.campaign, seen.serial, seen.holder)
            key: tuple[object, ...] = ("again", *what) if seen.again else ("use", seen.boot, seen.mono_ms, *what)
            words = f"the yes to serial {seen.serial:x} of campaign {seen.campaign}"
            self._of(seen.device).due.append(_Due(seen.at_ms, key, seen.again, words))
        elif isinstance(seen, PointsSeen):
            key = ("points", seen.boot, seen.mono_ms, seen.earned, seen.programme, seen.holder, seen.points)
            words = f"{seen.points} points of holder {seen.holder:x}"
            self._of(seen.device).due.append(_Due(seen.at_ms, key, False, words))
        elif isinstance(seen, DiskRestored):
            unit = self._of(seen.device)
            unit.due = [due for due in unit.due if due.at_ms < seen.image_ms]
            unit.begin_anew()
        elif isinstance(seen, DiskSpoilt):
            self._of(seen.device).spoilt = True

    def came_up(self, unit: UnitAtRest) -> None:
        self._look(unit, thorough=False)

    def at_rest(self, world: AtRest) -> None:
        for unit in world.units:
            self._look(unit, thorough=True)

    def _of(self, device: str) -> _Unit:
        return self._units.setdefault(device, _Unit())

    def _look(self, unit: UnitAtRest, *, thorough: bool) -> None:
        known = self._of(unit.device)
        if known.spoilt:
            known.due.clear()
            known.begin_anew()
            if not unit.up and thorough:
                return  # nobody has looked at the damage yet
            known.spoilt = False
        if thorough:
            known.whole.clear()
        try:
            with stores.opened(unit.store) as disk:
                epochs = stores.spans(disk)
                self._chain(unit, known, disk, epochs)
                self._shown(unit, known, disk, epochs)
        except Unreadable as error:
            self.broken(f"the store of {unit.device} can't be read: {error}")

    # --- the journal ----------------------------------------------------------------------------------

    def _chain(self, unit: UnitAtRest, known: _Unit, disk: Disk, epochs: list[Span]) -> None:
        for span in epochs:
            number, before = known.whole.get(span.epoch, (0, b""))
            if number > span.last:
                number, before = 0, b""  # the epoch was cut
            if number:
                row = disk.row("SELECT hash FROM journal WHERE position = ?", (span.base + number,))
                if row is None or row[0] != before:
                    self.broken(
                        f"{unit.device}: number {number} of epoch {span.epoch.hex()} is another fact than it was"
                    )
            else:
                before = stores.chain_begins(unit.device, span.epoch)
            rows = disk.rows(
                "SELECT position, hash, body FROM journal WHERE position > ? AND position <= ? ORDER BY position",
                (span.base + number, span.base + span.last),
            )
            for position, digest, body in rows:
                here = position - span.base
                if here != number + 1:
                    pruned = number == 0 and here - 1 <= span.acked
                    if not pruned:
                        self.broken(
                            f"{unit.device}: after number {number} of epoch {span.epoch.hex()} comes number {here}"
                        )
                elif stores.chain_goes_on(before, body) != digest:
                    self.broken(f"{unit.device}: the hash of number {here} of epoch {span.epoch.hex()} does not follow")
                number, before = here, digest
            if number < span.last and number + 1 <= span.last:
                self.broken(f"{unit.device}: epoch {span.epoch.hex()} has {span.last} facts and ends with {number}")
            if number:
                known.whole[span.epoch] = (number, before)

    # --- what was shown -------------------------------------------------------------------------------

    def _shown(self, unit: UnitAtRest, known: _Unit, disk: Disk, epochs: list[Span]) -> None:
        rows = disk.rows("SELECT position, body FROM journal WHERE position > ? ORDER BY position", (known.settled,))
        at: dict[tuple[object, ...], list[int]] = {}
        for position, body in rows:
            fact = read(body)
            if isinstance(fact, Use):
                at.setdefault(("use", *fact.moment, *fact.what), []).append(position)
                at.setdefault(("again", *fact.what), []).append(position)
            elif isinstance(fact, Points):
                key = ("points", *fact.moment, fact.earned, fact.programme, fact.holder, fact.points)
                at.setdefault(key, []).append(position)
        kept: list[_Due] = []
        missing: list[_Due] = []
        found: Counter[tuple[object, ...]] = Counter()
        for due in known.due:
            places = at.get(due.key, [])
            nth = 0 if due.again else found[due.key]
            found[due.key] += 1
            if nth < len(places):
                if not _booked(places[nth], epochs):
                    kept.append(due)
            elif due.again and _anywhere(disk, due.key):
                continue  # booked long ago
            else:
                missing.append(due)
        if missing:
            pruned = _pruned(disk, epochs, known.settled)
            if len(missing) > pruned or (kept and missing[-1].at_ms > kept[0].at_ms):
                due = missing[-1]
                self.broken(
                    f"{unit.device} has lost {due.words}, shown at {due.at_ms}"
                    f" ({len(missing)} of {len(known.due)} that were shown and not known as booked)"
                )
        known.due = kept
        known.settled = _settled(epochs)


def _booked(position: int, epochs: list[Span]) -> bool:
    return any(span.base < position <= span.base + min(span.acked, span.last) for span in epochs)


def _settled(epochs: list[Span]) -> int:
    """The position up to which all is booked."""
    for span in epochs:
        if span.acked < span.last:
            return span.base + span.acked
    return epochs[-1].base + epochs[-1].last if epochs else 0


def _anywhere(disk: Disk, key: tuple[object, ...]) -> bool:
    for (body,) in disk.rows("SELECT body FROM journal"):
        fact = read(body)
        if isinstance(fact, Use) and ("again", *fact.what) == key:
            return True
    return False


def _pruned(disk: Disk, epochs: list[Span], after: int) -> int:
    """How many facts beyond a position are gone that were booked: as a store prunes them, the oldest first."""
    gone = max(0, epochs[0].base - after) if epochs else 0
    for span in epochs:
        first = disk.number("SELECT min(position) FROM journal WHERE position > ?", (span.base,))
        gap = (first - 1 if first else span.base + span.last) - max(span.base, after)
        gone += max(0, min(gap, span.acked))
    return gone
