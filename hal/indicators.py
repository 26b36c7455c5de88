"""Lights, buzzer and the two buttons beside them.

Every output falls back to its default (dark, silent) after a longest duration, also when the agent is gone:
a green light that stays on is a yes that nobody gave.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Protocol

from hal.events import ButtonPressed

LONGEST_MS: Final = 10_000


class Light(StrEnum):
    OFF = "off"
    GREEN = "green"
    RED = "red"
    AMBER = "amber"  # wait
    BLUE = "blue"  # ready


class Sound(StrEnum):
    NONE = "none"
    YES = "yes"  # one bright tone
    NO = "no"  # two low tones
    TICK = "tick"  # something was seen


class Indicators(Protocol):
    """Raises PartFailed."""

    def signal(self, light: Light, sound: Sound, duration_ms: int) -> None:
        """Set the light for `duration_ms` (at most LONGEST_MS) and play the sound once."""

    def buttons(self) -> list[ButtonPressed]:
        """What was pressed since the last call, in order. Never blocks."""

    def close(self) -> None:
        """All outputs to their defaults."""
