"""How many frames a second the camera takes: few while nothing moves, many while something is held up.

Looks at each frame with a difference gate of its own (about 0.3 ms) and keeps fast for `HELD_MS` after the last
movement. Time comes from the frames; nothing can fail here.
"""

from __future__ import annotations

from typing import Final

from hal.camera import Frame
from hal.decode.gate import Gate

HELD_MS: Final = 4_000


class Pace:
    """`fast` after `see`. It begins fast: whoever starts a camera wants to see something."""

    def __init__(self) -> None:
        self._gate = Gate()
        self._moved_ms: int | None = None
        self.fast = True

    def see(self, frame: Frame) -> bool:
        """Whether the pace is another one now."""
        if self._gate.changed(frame.grey) or self._moved_ms is None:
            self._moved_ms = frame.mono_ms
        fast = frame.mono_ms - self._moved_ms <= HELD_MS
        changed, self.fast = fast != self.fast, fast
        return changed
