"""Light and buzzer. Fail-safe: each falls back to its default by itself, and without a host the board says 'out of
service'.

A light burns for the time that it was given, at most SIGNAL_MAX_MS, whoever gave it and whether or not they live.
Green is never shown but on command. Out of service: a short red blink every two seconds, which no verdict looks
like.
"""

from firmware import protocol as p

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Lamp(Protocol):
        """The outputs: three duties of 0 to 65535, and a tone in Hz (0: silence)."""

        def light(self, red: int, green: int, blue: int) -> None: ...

        def tone(self, hertz: int) -> None: ...


_FULL = 65535
_COLOURS = ((0, 0, 0), (0, _FULL, 0), (_FULL, 0, 0), (_FULL, 20000, 0), (0, 0, _FULL))  # by protocol.LIGHT_*
_SOUNDS = (  # by protocol.SOUND_*: tones in turn, (Hz, ms)
    (),
    ((2000, 120),),
    ((400, 150), (0, 80), (400, 150)),
    ((4000, 20),),
)
BLINK_MS = 100
BLINK_EVERY_MS = 2_000


class Signals:
    """See the module."""

    def __init__(self, lamp: "Lamp") -> None:
        self._lamp = lamp
        self._light = p.LIGHT_OFF
        self._until_ms = 0
        self._sound: tuple[tuple[int, int], ...] = ()
        self._place = 0
        self._tone_until_ms = 0
        self._shown = -1
        lamp.tone(0)
        self._show(p.LIGHT_OFF)

    def set(self, light: int, sound: int, duration_ms: int, now_ms: int) -> bool:
        """False: no such light, sound or duration."""
        if light >= len(_COLOURS) or sound >= len(_SOUNDS) or not 1 <= duration_ms <= p.SIGNAL_MAX_MS:
            return False
        self._light, self._until_ms = light, now_ms + duration_ms
        self._show(light)
        self._sound, self._place = _SOUNDS[sound], 0
        self._next_tone(now_ms)
        return True

    def tick(self, now_ms: int, host: bool) -> None:
        """To be called often; `host`: somebody is there to serve shoppers."""
        if not host:
            self._light = p.LIGHT_OFF
        if now_ms >= self._until_ms:
            self._light = p.LIGHT_OFF
        if host or self._light != p.LIGHT_OFF:
            self._show(self._light)
        else:
            self._show(p.LIGHT_RED if now_ms % BLINK_EVERY_MS < BLINK_MS else p.LIGHT_OFF)
        if self._sound and now_ms >= self._tone_until_ms:
            self._place += 1
            self._next_tone(now_ms)

    def _next_tone(self, now_ms: int) -> None:
        if self._place < len(self._sound):
            hertz, ms = self._sound[self._place]
            self._lamp.tone(hertz)
            self._tone_until_ms = now_ms + ms
        else:
            self._sound = ()
            self._lamp.tone(0)

    def _show(self, light: int) -> None:
        if light != self._shown:
            self._shown = light
            red, green, blue = _COLOURS[light]
            self._lamp.light(red, green, blue)
