"""Time in the world, and the clock of each unit: wrong by any amount, drifting, without a battery."""

from __future__ import annotations

from random import Random
from typing import Final

from hal.clock import Reading

BEGIN_MS: Final = 1_800_000_000_000  # the world's true wall time at its beginning
NEVER_SET_MS: Final = -BEGIN_MS  # what a clock without a battery is off by: it wakes up in 1970
NEVER_MS: Final = 1 << 62  # when something is due that is not
BOOT_BYTES: Final = 8
NTP_ERROR_MS: Final = 50


class Time:
    """True time: milliseconds since the world's beginning."""

    def __init__(self) -> None:
        self.now_ms = 0

    @property
    def wall_ms(self) -> int:
        return BEGIN_MS + self.now_ms


class UnitClock:
    """A `hal.clock.Clock`. `off_ms`: how wrong its wall time is; `ppm`: how fast it runs away, both of its times."""

    def __init__(self, time: Time, rng: Random) -> None:
        self._time, self._rng = time, rng
        self.off_ms = 0
        self.ppm = 0
        self.synchronised = True  # a time source disciplines it, and it says so
        self.boot = b""
        self.reboot()

    def reboot(self) -> None:
        """The machine starts: monotonic time begins anew, and wall time as the clock had it."""
        self.boot = self._rng.randbytes(BOOT_BYTES)
        self._booted_ms = self._time.now_ms

    def jump(self, by_ms: int) -> None:
        """Somebody sets it wrong, or the battery is gone; no time source sees to it."""
        self.off_ms += by_ms
        self.synchronised = False

    def forget(self) -> None:
        """It stands at the beginning of 1970."""
        self.off_ms = NEVER_SET_MS - self._time.now_ms
        self.synchronised = False

    def discipline(self) -> None:
        """A time source is in reach."""
        self.off_ms, self.synchronised = 0, True

    def read(self) -> Reading:
        up_ms = self._time.now_ms - self._booted_ms
        run_away_ms = up_ms * self.ppm // 1_000_000
        if self.synchronised:
            return Reading(self._time.wall_ms, up_ms + run_away_ms, True, NTP_ERROR_MS)
        return Reading(max(0, self._time.wall_ms + self.off_ms + run_away_ms), up_ms + run_away_ms, False, 0)
