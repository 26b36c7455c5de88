"""The unit's time: wall time with a floor, monotonic time, and how far the wall can be trusted.

A Pi has no clock of its own: it may wake up in 1970. Wall time is never below the latest of the software's
build time and the last time that was trusted here; below that floor it runs on from there by monotonic time
and is not trusted (DESIGN, 'Clocks').
"""

from __future__ import annotations

from typing import Final

from edge_agent.core.visit import Moment
from hal.clock import Clock

BUILD_MS: Final = 1_795_392_000_000  # 2026-11-23, UTC: no unit with this software lives earlier
SAVE_EVERY_MS: Final = 600_000


class Timekeeper:
    """See the module. `floor_ms` is the last trusted time that the store knows."""

    def __init__(self, clock: Clock, floor_ms: int) -> None:
        self._clock = clock
        self._floor_ms = max(BUILD_MS, floor_ms)
        self._floor_mono_ms = clock.read().mono_ms
        self._saved_ms = floor_ms

    def now(self) -> Moment:
        reading = self._clock.read()
        floor_ms = self._floor_ms + reading.mono_ms - self._floor_mono_ms
        wall_ms = reading.wall_ms
        trusted = reading.synchronised and wall_ms >= BUILD_MS  # before that, whoever says so is wrong
        if trusted:
            self._floor_ms, self._floor_mono_ms = wall_ms, reading.mono_ms
        elif wall_ms < floor_ms:
            wall_ms = floor_ms
        return Moment(
            wall_ms=wall_ms,
            mono_ms=reading.mono_ms,
            boot=self._clock.boot,
            trusted=trusted,
            error_ms=reading.error_ms if trusted else 0,
        )

    def to_save(self, at: Moment) -> int | None:
        """A trusted time that is worth writing down, every ten minutes."""
        if not at.trusted or abs(at.wall_ms - self._saved_ms) < SAVE_EVERY_MS:
            return None
        self._saved_ms = at.wall_ms
        return at.wall_ms
