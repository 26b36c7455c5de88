"""Which facts the faults of a life may have taken away for good: the fault model of DESIGN, span by span.

    a disk restored    what the unit decided between the image and the restore
    a disk spoilt      what it had decided before, and until it came up again: salvage finds what it can
    a power cut        nothing: what was shown was on disk
    a unit gone        nothing by itself: its disk can still be read

What was booked before is safe at the centre, unless the centre's database was restored from an older backup as well.
"""

from __future__ import annotations

from typing import NamedTuple

from simulator.world.observe import (
    CentreRestored,
    DiskRestored,
    DiskSpoilt,
    Enrolled,
    Seen,
    Started,
    WrittenOff,
)

_NEVER_MS = 1 << 62


class Lost(NamedTuple):
    """What a unit decided from `from_ms` to `to_ms` (both included) may be gone from its disk, since `at_ms`."""

    from_ms: int
    to_ms: int
    at_ms: int


class Losses:
    """Fed with every observation."""

    def __init__(self) -> None:
        self.lost: dict[str, list[Lost]] = {}
        self.written_off: dict[str, int] = {}  # the first time
        self.enrolled: dict[str, int] = {}  # the first time
        self.centre: list[CentreRestored] = []

    def saw(self, seen: Seen) -> None:
        if isinstance(seen, DiskRestored):
            self.lost.setdefault(seen.device, []).append(Lost(seen.image_ms, seen.at_ms, seen.at_ms))
        elif isinstance(seen, DiskSpoilt):
            self.lost.setdefault(seen.device, []).append(Lost(0, _NEVER_MS, seen.at_ms))
        elif isinstance(seen, Started):
            spans = self.lost.get(seen.device, [])
            for number, one in enumerate(spans):
                if one.to_ms == _NEVER_MS:
                    spans[number] = one._replace(to_ms=seen.at_ms)
        elif isinstance(seen, WrittenOff):
            self.written_off.setdefault(seen.device, seen.at_ms)
        elif isinstance(seen, Enrolled):
            self.enrolled.setdefault(seen.device, seen.at_ms)
        elif isinstance(seen, CentreRestored):
            self.centre.append(seen)

    def gone(self, device: str, at_ms: int) -> bool:
        """Whether what a unit decided at `at_ms` may be gone from its disk."""
        return any(one.from_ms <= at_ms <= one.to_ms for one in self.lost.get(device, ()))

    def disk_replaced(self, device: str, before_ms: int) -> int | None:
        """When the disk of a unit was first restored or spoilt, if that was before then."""
        first = min((one.at_ms for one in self.lost.get(device, ())), default=None)
        return first if first is not None and first <= before_ms else None

    def knew_less(self, device: str, of_ms: int, at_ms: int) -> bool:
        """Whether the disk of a unit, at `at_ms`, may have forgotten what it knew of the time `of_ms`."""
        return any(one.from_ms <= of_ms and one.at_ms <= at_ms for one in self.lost.get(device, ()))

    def gave_up(self, device: str, before_ms: int) -> bool:
        """Whether the operator had written a unit off by then."""
        at_ms = self.written_off.get(device)
        return at_ms is not None and at_ms <= before_ms

    def centre_forgot(self, at_ms: int, before_ms: int = _NEVER_MS) -> bool:
        """Whether the centre's database may have forgotten, by then, what was decided at `at_ms`.

        It may have been booked any time later, so how old the backup was does not matter.
        """
        return any(at_ms <= one.at_ms <= before_ms for one in self.centre)

    def forgot_what_came(self, at_ms: int) -> bool:
        """Whether what came into being at the centre at `at_ms` was forgotten with a restore."""
        return any(one.backup_ms <= at_ms <= one.at_ms for one in self.centre)
