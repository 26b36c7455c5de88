"""Two buttons, debounced: a press is told once, when it has held for STEADY_MS."""

from firmware import protocol as p
from firmware.events import Events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

STEADY_MS = 20


class Buttons:
    """See the module."""

    def __init__(self, pressed: "Callable[[int], bool]", count: int, events: Events) -> None:
        self._pressed = pressed
        self._events = events
        self._steady = [False] * count
        self._since_ms = [0] * count  # since when it differs from what is steady; 0: it does not

    def tick(self, now_ms: int) -> None:
        """To be called often."""
        for number in range(len(self._steady)):
            if self._pressed(number) == self._steady[number]:
                self._since_ms[number] = 0
            elif not self._since_ms[number]:
                self._since_ms[number] = now_ms
            elif now_ms - self._since_ms[number] >= STEADY_MS:
                self._steady[number] = not self._steady[number]
                self._since_ms[number] = 0
                if self._steady[number]:
                    self._events.add(p.BUTTON, bytes((number,)))
