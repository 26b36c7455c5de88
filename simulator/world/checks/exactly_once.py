"""What was shown reaches the centre exactly once, and nothing else does (promises 2 and 4).

At rest the greens and the redemptions that count are the same, one by one: by unit, boot, monotonic time, campaign,
serial and holder.

    shown, not booked    only what the fault model lets be lost: decided by a unit whose disk was restored from an older
                         image or spoilt afterwards; or still on the disk of a unit that is gone, blocked or down; or
                         booked so long before a restore of the centre that units no longer kept it
    booked, not shown    only decided at the very moment at which the unit went down: a commit before a kill
    said again           a decision of that unit about that coupon is booked, or may be lost
    booked twice         never: of the same bytes under several epochs one counts, the others are void

The centre's own copy of each journal is whole: numbers without gaps up to the one it acknowledges, hashes that follow.
"""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Final

from simulator.world.checks import booked, stores
from simulator.world.checks.base import Watch
from simulator.world.checks.booked import BookedUse, Odd
from simulator.world.checks.facts import Points, Use, read
from simulator.world.checks.losses import Losses
from simulator.world.checks.stores import Disk, Unreadable
from simulator.world.observe import AtRest, Blank, Down, Green, PointsSeen, Seen, UnitAtRest

Key = tuple[str, bytes, int, object]  # device, boot, monotonic time, what

KEPT_MS: Final = 30 * 86_400_000  # how long a unit keeps what is booked (`unit.keep_acked_days`)


class ExactlyOnce(Watch):
    """See the module."""

    name: ClassVar = "exactly-once"

    def __init__(self) -> None:
        self._shown: Counter[Key] = Counter()
        self._at_ms: dict[Key, int] = {}
        self._again: dict[tuple[str, int, int, int], int] = {}  # the last time
        self._downs: set[tuple[str, bytes, int]] = set()
        self._losses = Losses()

    def saw(self, seen: Seen) -> None:
        self._losses.saw(seen)
        if isinstance(seen, Green):
            what = (seen.campaign, seen.serial, seen.holder)
            if seen.again:
                self._again[seen.device, *what] = seen.at_ms
            else:
                self._was_shown((seen.device, seen.boot, seen.mono_ms, what), seen.at_ms)
        elif isinstance(seen, PointsSeen):
            points = (seen.earned, seen.programme, seen.holder, seen.points)
            self._was_shown((seen.device, seen.boot, seen.mono_ms, points), seen.at_ms)
        elif isinstance(seen, Down | Blank):
            self._downs.add((seen.device, seen.boot, seen.mono_ms))

    def _was_shown(self, key: Key, at_ms: int) -> None:
        self._shown[key] += 1
        self._at_ms[key] = at_ms

    def at_rest(self, world: AtRest) -> None:
        try:
            with stores.opened(world.centre) as disk:
                self._chains(disk)
                uses = booked.uses(disk)
                points = booked.points(disk)
                unbooked = disk.rows(
                    "SELECT f.epoch_id, f.seq FROM facts f LEFT JOIN redemptions r"
                    " ON r.epoch_id = f.epoch_id AND r.seq = f.seq WHERE f.type = 'rd' AND r.id IS NULL LIMIT 1"
                )
        except Odd as error:
            self.broken(str(error))
        except Unreadable as error:
            self.broken(f"the centre's database can't be read: {error}")
        if unbooked:
            self.broken("fact {} of epoch {} is a use, and no redemption is booked for it".format(*unbooked[0][::-1]))
        self._told_twice(uses)
        counted: Counter[Key] = Counter()
        for row in uses:
            if row.counts:
                counted[row.device, row.use.boot, row.use.mono_ms, row.use.what] += 1
        for one in points:
            fact = one.points
            what = (fact.earned, fact.programme, fact.holder, fact.points)
            counted[one.device, fact.boot, fact.mono_ms, what] += 1
        self._not_booked(self._shown - counted, world)
        self._not_shown(counted - self._shown)
        self._repeated({(row.device, *row.use.what) for row in uses if row.counts}, world)

    # --- the centre's copies of the journals ------------------------------------------------------------

    def _chains(self, disk: Disk) -> None:
        for number, epoch, device, upto, upto_hash in disk.rows(
            "SELECT e.id, e.epoch, d.name, e.upto, e.upto_hash FROM epochs e JOIN devices d ON d.id = e.device_id"
        ):
            expected, before = 1, stores.chain_begins(device, epoch)
            for seq, digest, body in disk.rows(
                "SELECT seq, hash, body FROM facts WHERE epoch_id = ? ORDER BY seq", (number,)
            ):
                if seq != expected:
                    self.broken(f"the centre lacks number {expected} of epoch {epoch.hex()} of {device}, and has {seq}")
                before = stores.chain_goes_on(before, body)
                if before != digest:
                    self.broken(f"the centre's hash of number {seq} of epoch {epoch.hex()} of {device} does not follow")
                expected += 1
            if (upto, upto_hash) != (expected - 1, before):
                self.broken(
                    f"the centre says it has {upto} facts of epoch {epoch.hex()} of {device}, and has {expected - 1}"
                    + ("" if upto != expected - 1 else " with another hash")
                )

    # --- one by one -------------------------------------------------------------------------------------

    def _told_twice(self, uses: list[BookedUse]) -> None:
        counting: dict[tuple[str, bytes], BookedUse] = {}
        for row in uses:
            if not row.counts:
                continue
            other = counting.setdefault((row.device, row.body), row)
            if other is not row:
                self.broken(
                    f"redemptions {other.id} and {row.id} of {row.device} are the same fact, serial"
                    f" {row.use.serial:x} of campaign {row.use.campaign}, and both count"
                )
        for row in uses:
            if not row.counts and (row.device, row.body) not in counting:
                self.broken(f"redemption {row.id} of {row.device} is void, and none with the same fact counts")

    def _not_booked(self, missing: Counter[Key], world: AtRest) -> None:
        units = {unit.device: unit for unit in world.units}
        on_disk: dict[str, Counter[Key]] = {}
        for key, count in missing.items():
            device, at_ms = key[0], self._at_ms[key]
            if self._losses.gone(device, at_ms) or self._too_old(at_ms):
                continue
            unit = units.get(device)
            if unit is None or not (unit.enrolled and unit.up):
                if unit is None:
                    continue  # nobody can say where its disk is
                if device not in on_disk:
                    on_disk[device] = _decided(unit)
                if on_disk[device][key] >= count:
                    continue
            self.broken(f"{device} showed {_named(key)} at {at_ms}, and the centre has not booked it ({count} missing)")

    def _too_old(self, at_ms: int) -> bool:
        """Whether the centre forgot it in a restore when units kept it no longer."""
        return any(one.at_ms - KEPT_MS > at_ms for one in self._losses.centre)

    def _not_shown(self, surplus: Counter[Key]) -> None:
        for key, count in surplus.items():
            device, boot, mono_ms, _ = key
            if (device, boot, mono_ms) not in self._downs:
                shown = self._shown[key]
                self.broken(
                    f"the centre has booked {_named(key)} of {device} at its {mono_ms} ms {shown + count} times;"
                    f" it was shown {shown} times, and the unit did not go down then"
                )

    def _repeated(self, decided: set[tuple[str, int, int, int]], world: AtRest) -> None:
        units = {unit.device: unit for unit in world.units}
        for key, at_ms in self._again.items():
            device = key[0]
            unit = units.get(device)
            if key in decided or self._losses.gone(device, at_ms) or self._too_old(at_ms):
                continue
            if unit is None or not (unit.enrolled and unit.up):
                continue
            self.broken(
                f"{device} said again at {at_ms} that {_named((device, b'', 0, key[1:]))} counts,"
                " and no decision of it is booked"
            )


def _decided(unit: UnitAtRest) -> Counter[Key]:
    """What lies on the disk of a unit."""
    found: Counter[Key] = Counter()
    try:
        with stores.opened(unit.store) as disk:
            for (body,) in disk.rows("SELECT body FROM journal"):
                fact = read(body)
                if isinstance(fact, Use):
                    found[unit.device, fact.boot, fact.mono_ms, fact.what] += 1
                elif isinstance(fact, Points):
                    what = (fact.earned, fact.programme, fact.holder, fact.points)
                    found[unit.device, fact.boot, fact.mono_ms, what] += 1
    except Unreadable:
        pass  # `shown-is-on-disk` says so
    return found


def _named(key: Key) -> str:
    what = key[3]
    if isinstance(what, tuple) and len(what) == 3:
        return f"serial {what[1]:x} of campaign {what[0]} (holder {what[2]:x})"
    assert isinstance(what, tuple)
    earned, programme, holder, points = what
    return f"{points} points {'earned' if earned else 'spent'} by holder {holder:x} in programme {programme}"
