"""Light, buzzer and buttons of the reader board. They go dark by themselves, also when this process is gone."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from firmware import protocol as p
from hal.board.parts import release, share
from hal.errors import PartFailed
from hal.events import ButtonPressed
from hal.indicators import LONGEST_MS, Light, Sound

_LIGHTS: Final = {
    Light.OFF: p.LIGHT_OFF,
    Light.GREEN: p.LIGHT_GREEN,
    Light.RED: p.LIGHT_RED,
    Light.AMBER: p.LIGHT_AMBER,
    Light.BLUE: p.LIGHT_BLUE,
}
_SOUNDS: Final = {
    Sound.NONE: p.SOUND_NONE,
    Sound.YES: p.SOUND_YES,
    Sound.NO: p.SOUND_NO,
    Sound.TICK: p.SOUND_TICK,
}
_MOMENT_MS: Final = 1


class BoardIndicators:
    """A `hal.indicators.Indicators`. Raises ValueError for a duration out of bounds, and PartFailed."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._board = share(device)
        self._closed = False

    def signal(self, light: Light, sound: Sound, duration_ms: int) -> None:
        if not 1 <= duration_ms <= LONGEST_MS:
            raise ValueError(f"a signal lasts 1 to {LONGEST_MS} ms, not {duration_ms}")
        what = bytes((_LIGHTS[light], _SOUNDS[sound])) + duration_ms.to_bytes(2, "little")
        self._board.line.call(p.SIGNAL, what)

    def buttons(self) -> list[ButtonPressed]:
        """What was pressed since the last call, in order. Never blocks."""
        return self._board.buttons()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        with suppress(PartFailed):  # lights that are gone are dark
            self.signal(Light.OFF, Sound.NONE, _MOMENT_MS)
        release(self._device, self._board)
