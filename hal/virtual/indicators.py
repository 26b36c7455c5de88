"""Virtual lights, buzzer and buttons: the World plays and shows them, and darkens them in time."""

from __future__ import annotations

from contextlib import suppress

from hal.errors import PartFailed
from hal.events import ButtonPressed
from hal.indicators import Light, Sound
from hal.virtual.port import Port

_MOMENT_MS = 1


class VirtualIndicators:
    """A `hal.indicators.Indicators`. Raises ValueError for a duration out of bounds, and PartFailed."""

    def __init__(self, port: Port) -> None:
        self._port = port

    def signal(self, light: Light, sound: Sound, duration_ms: int) -> None:
        self._port.signal(light, sound, duration_ms)

    def buttons(self) -> list[ButtonPressed]:
        """What was pressed since the last call, in order. Never blocks."""
        return self._port.button_events()

    def close(self) -> None:
        with suppress(PartFailed):  # lights that are gone are dark
            self._port.signal(Light.OFF, Sound.NONE, _MOMENT_MS)
        self._port.close()
