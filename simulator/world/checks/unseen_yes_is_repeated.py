"""A decision on disk that nobody saw is repeated to the shopper who scans again on that lane, not refused (promise 1).

A unit that went down may have on its disk, with the stamp of that very moment, decisions whose yes nobody saw. The next
scan of the same coupon on that unit is answered with the same yes, said again: not with a no, and not with a second
decision. And the other way round: once a yes was seen and the unit went on, it is not repeated.

After a salvage or a restore this is not asked for: 'when in doubt the answer to a second scan is no'. Nor from a unit
that can't answer at all (out of service, busy with a question), nor for a code whose text is no longer believed. A full
disk may keep a unit from writing down that a yes was seen, until it serves again, and a display that stays blank shows
none: such a yes may be said again too.
"""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Final

from simulator.world.checks import stores
from simulator.world.checks.base import Watch
from simulator.world.checks.facts import Use, read
from simulator.world.checks.stores import Unreadable
from simulator.world.observe import (
    Blank,
    DiskFull,
    DiskRestored,
    DiskSpoilt,
    Down,
    Green,
    Refused,
    Seen,
    TakenBack,
    UnitAtRest,
)

What = tuple[int, int, int]  # campaign, serial, holder

OUT_OF_SERVICE: Final = "out_of_service"
MAY_STILL_BE_SAID: Final = frozenset(
    {
        "busy",
        OUT_OF_SERVICE,
        "unknown_key",
        "key_retired",
        "not_genuine",
        "unconfirmed",
        "damaged",
        "incomplete",
        "not_a_coupon",
        "unknown_version",
    }
)
LAST_FACTS: Final = 200  # of a journal, looked through for decisions of the moment at which the unit went down


class _Unit:
    def __init__(self) -> None:
        self.moment = (b"", -1)  # at which it last showed a yes
        self.shown: Counter[What] = Counter()  # then
        self.down: Down | None = None
        self.in_doubt = False  # since it was last up, its disk was restored or spoilt
        self.unseen: dict[What, Down] = {}
        self.sales: dict[What, bytes] = {}  # of those, where they belong to one
        self.seen: set[What] = set()  # since the last fault after which one may be repeated
        self.unwritten: set[What] = set()  # seen, and perhaps not written down: it will be before it serves again
        self.faults = 0
        self.repeats: Counter[tuple[int, int]] = Counter()  # of coupons without serials, by campaign and holder


class UnseenYesIsRepeated(Watch):
    """See the module."""

    name: ClassVar = "unseen-yes-is-repeated"

    def __init__(self) -> None:
        self._units: dict[str, _Unit] = {}

    def saw(self, seen: Seen) -> None:
        if isinstance(seen, Green):
            self._green(seen)
        elif isinstance(seen, Refused):
            self._refused(seen)
        elif isinstance(seen, TakenBack):
            unit = self._of(seen.device)
            for what in [what for what in unit.unseen if seen.sale and unit.sales.get(what) == seen.sale]:
                del unit.unseen[what]
        elif isinstance(seen, Down):
            unit = self._fault(seen.device)
            unit.down = seen
        elif isinstance(seen, DiskRestored | DiskSpoilt):
            unit = self._fault(seen.device)
            unit.in_doubt = True
            unit.unseen.clear()
        elif isinstance(seen, DiskFull):
            unit = self._of(seen.device)
            unwritten = unit.unwritten | unit.seen
            self._fault(seen.device).unwritten = unwritten
        elif isinstance(seen, Blank):
            self._fault(seen.device)

    def came_up(self, unit: UnitAtRest) -> None:
        known = self._of(unit.device)
        down, known.down = known.down, None
        in_doubt, known.in_doubt = known.in_doubt, False
        if down is None or in_doubt:
            return
        moment = (down.boot, down.mono_ms)
        shown = Counter(known.shown) if known.moment == moment else Counter[What]()
        try:
            with stores.opened(unit.store) as disk:
                rows = disk.rows("SELECT body FROM journal ORDER BY position DESC LIMIT ?", (LAST_FACTS,))
        except Unreadable:
            return  # `shown-is-on-disk` says so
        for (body,) in reversed(rows):
            fact = read(body)
            if isinstance(fact, Use) and fact.moment == moment:
                if shown[fact.what]:
                    shown[fact.what] -= 1
                else:
                    known.unseen[fact.what] = down
                    known.sales[fact.what] = fact.sale

    def _of(self, device: str) -> _Unit:
        return self._units.setdefault(device, _Unit())

    def _fault(self, device: str) -> _Unit:
        unit = self._of(device)
        unit.seen.clear()
        unit.unwritten.clear()
        unit.faults += 1
        return unit

    def _serves(self, device: str) -> _Unit:
        """It answers a shopper: whatever it had not written down is written now."""
        unit = self._of(device)
        unit.seen |= unit.unwritten
        unit.unwritten.clear()
        return unit

    def _green(self, green: Green) -> None:
        unit, what = self._serves(green.device), (green.campaign, green.serial, green.holder)
        down = unit.unseen.pop(what, None)
        if not green.again:
            if down is not None:
                self.broken(
                    f"{green.device} decided {_named(what)} anew at {green.at_ms},"
                    f" though its yes of {down.at_ms} was on disk and unseen"
                )
            moment = (green.boot, green.mono_ms)
            if moment != unit.moment:
                unit.moment, unit.shown = moment, Counter()
            unit.shown[what] += 1
        elif green.serial:
            if what in unit.seen:
                self.broken(f"{green.device} repeated at {green.at_ms} the yes to {_named(what)}, which had been seen")
        else:
            key = (green.campaign, green.holder)
            unit.repeats[key] += 1
            if unit.repeats[key] > unit.faults:
                self.broken(
                    f"{green.device} repeated {unit.repeats[key]} times a yes to campaign {green.campaign} without"
                    f" serials; {unit.faults} times something may have kept one from being seen"
                )
        if green.serial:
            unit.seen.add(what)

    def _refused(self, refused: Refused) -> None:
        out = refused.reason == OUT_OF_SERVICE
        unit = self._of(refused.device) if out else self._serves(refused.device)
        if not unit.unseen or not refused.serial or refused.reason in MAY_STILL_BE_SAID:
            return
        for what, down in unit.unseen.items():
            if what[:2] == (refused.campaign, refused.serial):
                self.broken(
                    f"{refused.device} said '{refused.reason}' at {refused.at_ms} to {_named(what)},"
                    f" whose yes of {down.at_ms} was on disk and unseen"
                )


def _named(what: What) -> str:
    return f"serial {what[1]:x} of campaign {what[0]}"
