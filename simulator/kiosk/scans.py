"""The log of scans: the unit's own words about each step, put together by scan (`{"event": "scan", ...}`).

Kept: the last `SCANS_MAX`. A line that is not a step of a scan is nobody's business here and is left alone.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

SCANS_MAX: Final = 60
SAME_FACT_MS: Final = 5_000  # between a fact's own time and the step 'on_disk', both by the unit's clock
STEPS: Final = ("seen", "decoded", "asked", "decided", "on_disk", "shown", "sent", "booked")


class Step(msgspec.Struct, frozen=True):
    """One JSON line of the unit."""

    event: str
    scan: str = ""
    step: str = ""
    wall_ms: int = 0
    mono_ms: int = 0
    reason: str = ""
    campaign: int | None = None
    name: str | None = None
    detail: str = ""
    position: int = 0  # in the unit's journal
    ok: bool = True  # events 'store' and 'part'
    part: str = ""


class Moment(msgspec.Struct, frozen=True):
    wall_ms: int  # by the unit's clock, which may be wrong
    mono_ms: int


class Scan(msgspec.Struct):
    """One scan so far."""

    id: str
    at_ms: int  # when its first step was heard of, by the real clock
    reason: str = ""
    campaign: int | None = None
    name: str = ""  # of the campaign
    detail: str = ""
    position: int = 0  # in the unit's journal; 0: no fact came of it
    steps: dict[str, Moment] = {}


_decoder = msgspec.json.Decoder(Step)


def parse(line: bytes) -> Step | None:
    """The step or event in a line of the unit; None when it is not one."""
    try:
        return _decoder.decode(line)
    except msgspec.MsgspecError:
        return None


class Scans:
    """The scans of this run, newest last."""

    def __init__(self) -> None:
        self._scans: OrderedDict[str, Scan] = OrderedDict()
        self._life = 0

    def new_life(self) -> None:
        """The unit started again: it counts its scans from 1."""
        self._life += 1

    def add(self, step: Step) -> Scan | None:
        """The scan that the step belongs to, as it is now; None for a line that is no step of a scan."""
        if step.event != "scan" or not step.scan or step.step not in STEPS:
            return None
        key = f"{self._life}-{step.scan}"
        scan = self._scans.get(key)
        if scan is None:
            scan = self._scans[key] = Scan(key, time.time_ns() // 1_000_000, steps={})
            if len(self._scans) > SCANS_MAX:
                self._scans.popitem(last=False)
        scan.steps.setdefault(step.step, Moment(step.wall_ms, step.mono_ms))
        scan.reason = step.reason or scan.reason
        scan.campaign = step.campaign if step.campaign else scan.campaign
        scan.name = step.name or scan.name
        scan.detail = step.detail or scan.detail
        scan.position = step.position or scan.position
        return scan

    def unanswered(self, reason: str) -> Scan | None:
        """Give the newest scan this answer, if it has none: the unit gave it to whatever was held up."""
        scan = next(reversed(self._scans.values()), None)
        if scan is None or scan.reason:
            return None
        scan.reason = reason
        return scan

    def booked(self, rows: Sequence[Mapping[str, Any]]) -> list[Scan]:
        """Complete, from the centre's bookings, the scans of lives that ended before they could say it."""
        completed = []
        for key, scan in self._scans.items():
            stored = scan.steps.get("on_disk")
            if stored is None or "booked" in scan.steps or key.startswith(f"{self._life}-"):
                continue
            for row in rows:
                same = (row["seq"], row["campaign"]) == (scan.position, scan.campaign)
                if same and abs(row["at_ms"] - stored.wall_ms) <= SAME_FACT_MS:
                    after_ms = max(0, row["booked_ms"] - row["at_ms"])
                    scan.steps["booked"] = Moment(row["booked_ms"], stored.mono_ms + after_ms)
                    completed.append(scan)
        return completed

    def all(self) -> list[Scan]:
        return list(self._scans.values())
