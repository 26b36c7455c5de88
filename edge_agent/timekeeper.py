"""The unit's time: wall time with a floor, monotonic time, who vouches for it, and how far it can be trusted.

A Pi has no clock of its own: it may wake up in 1970. In order of worth (`wire.facts.TimeSource`):

    NTP      the kernel says that a time source disciplines its clock
    CENTRE   what the centre said when it answered a hello of ours, carried on by monotonic time
    CLOCK    the clock as it reads, above the floor; not trusted
    FLOOR    the latest of the software's build time and the last time that was trusted here, carried on by
             monotonic time; not trusted

Wall time is never below the floor (DESIGN, 'Clocks'), whoever says so; only NTP may take the floor back.
"""

from __future__ import annotations

import logging
from typing import Final, NamedTuple

from edge_agent.core.visit import Moment
from hal.clock import Clock
from wire.facts import TimeSource

BUILD_MS: Final = 1_795_392_000_000  # 2026-11-23, UTC: no unit with this software lives earlier
SAVE_EVERY_MS: Final = 600_000
ROUND_TRIP_MAX_MS: Final = 10_000  # an answer that took longer says too little about the time
CENTRE_ERROR_MS: Final = 1_000  # the centre's own clock is kept by NTP
DRIFT_PPM: Final = 200  # of monotonic time, while it carries the centre's word on
HEARD_ERROR_MAX_MS: Final = 60_000  # then the centre's word is too old to be trusted
log = logging.getLogger(__name__)


class _Heard(NamedTuple):
    """The centre's word: `wall_ms` at `mono_ms`, to within `error_ms`."""

    wall_ms: int
    mono_ms: int
    error_ms: int

    def error_at(self, mono_ms: int) -> int:
        return self.error_ms + (mono_ms - self.mono_ms) * DRIFT_PPM // 1_000_000


class Timekeeper:
    """See the module. `floor_ms` is the last trusted time that the store knows."""

    def __init__(self, clock: Clock, floor_ms: int) -> None:
        self._clock = clock
        self._floor_ms = max(BUILD_MS, floor_ms)
        self._floor_mono_ms = clock.read().mono_ms
        self._heard: _Heard | None = None
        self._saved_ms = floor_ms

    def now(self) -> Moment:
        reading = self._clock.read()
        mono_ms = reading.mono_ms
        floor_ms = self._floor_at(mono_ms)
        if reading.synchronised and reading.wall_ms >= BUILD_MS:  # before that, whoever says so is wrong
            self._floor_ms, self._floor_mono_ms = reading.wall_ms, mono_ms
            return self._moment(reading.wall_ms, mono_ms, TimeSource.NTP, reading.error_ms)
        heard = self._heard
        if heard is not None and heard.error_at(mono_ms) <= HEARD_ERROR_MAX_MS:
            wall_ms, error_ms = heard.wall_ms + mono_ms - heard.mono_ms, heard.error_at(mono_ms)
            if wall_ms + error_ms >= floor_ms:
                if wall_ms - error_ms > floor_ms:
                    self._floor_ms, self._floor_mono_ms = wall_ms - error_ms, mono_ms
                return self._moment(max(wall_ms, floor_ms), mono_ms, TimeSource.CENTRE, error_ms)
        if reading.wall_ms < floor_ms:
            return self._moment(floor_ms, mono_ms, TimeSource.FLOOR, None)
        return self._moment(reading.wall_ms, mono_ms, TimeSource.CLOCK, None)

    def hear(self, centre_ms: int, asked_mono_ms: int, answered_mono_ms: int) -> bool:
        """The centre's time, from the answer to a hello; False: it says nothing that could be used.

        The caller vouches that it answers that very hello: then the true time, as the answer came in, lies between
        `centre_ms` and as much later as the answer took.
        """
        took_ms = answered_mono_ms - asked_mono_ms
        if not 0 <= took_ms <= ROUND_TRIP_MAX_MS:
            return False
        heard = _Heard(centre_ms + took_ms // 2, answered_mono_ms, took_ms - took_ms // 2 + CENTRE_ERROR_MS)
        if heard.wall_ms + heard.error_ms < self._floor_at(answered_mono_ms):
            log.warning("the centre names a time before one that was trusted here: it is not taken")
            return False
        before = self._heard
        if before is None or heard.error_ms <= before.error_at(answered_mono_ms):
            self._heard = heard
        return True

    def _floor_at(self, mono_ms: int) -> int:
        return self._floor_ms + mono_ms - self._floor_mono_ms

    def _moment(self, wall_ms: int, mono_ms: int, source: TimeSource, error_ms: int | None) -> Moment:
        """`error_ms` None: not trusted."""
        return Moment(
            wall_ms=wall_ms,
            mono_ms=mono_ms,
            boot=self._clock.boot,
            trusted=error_ms is not None,
            error_ms=error_ms or 0,
            source=source,
        )

    def to_save(self, at: Moment) -> int | None:
        """A trusted time that is worth writing down, every ten minutes."""
        if not at.trusted or abs(at.wall_ms - self._saved_ms) < SAVE_EVERY_MS:
            return None
        self._saved_ms = at.wall_ms
        return at.wall_ms
