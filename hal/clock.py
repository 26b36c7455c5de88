"""The unit's clock: wall time with the trust it deserves, monotonic time, and the boot id."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Reading(NamedTuple):
    """One look at the clock."""

    wall_ms: int  # since 1970, UTC
    mono_ms: int  # CLOCK_MONOTONIC
    synchronised: bool  # the system says that a time source disciplines it
    error_ms: int  # bound of the error, where synchronised


class Clock(Protocol):
    def read(self) -> Reading: ...

    @property
    def boot(self) -> bytes:
        """8 bytes that name this boot of the machine."""
