"""The watcher: frames in, scans out. Gate, tiers and acceptance over the stream of one camera.

A frame is decoded when something moved within the last `HELD_UP_MS` (something is being held up: the dear looks
are allowed then), and otherwise once every `FORCED_MS`, cheaply, in case the gate missed something. Time comes
from the frames, so a recorded stream gives the same scans; the clock handed in only stamps when decoding ended.
Nothing can fail here but the shape of a frame (ValueError).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from hal.camera import Frame
from hal.decode.accept import Acceptance
from hal.decode.formats import LINEAR, OPTIONAL, Format
from hal.decode.gate import Gate
from hal.decode.tiers import look
from hal.events import Scanned

HELD_UP_MS: Final = 2000
FORCED_MS: Final = 1000


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class Watcher:
    """For one camera, in one thread. `also`: linear formats that are switched on beside the usual ones."""

    def __init__(self, clock_ms: Callable[[], int] = monotonic_ms, also: frozenset[Format] = frozenset()) -> None:
        self._clock_ms = clock_ms
        self._linear = LINEAR | (also & OPTIONAL)
        self._gate = Gate()
        self._acceptance = Acceptance()
        self._moved_ms: int | None = None
        self._decoded_ms: int | None = None
        self._looks = 0

    @property
    def looks(self) -> int:
        """How many frames were decoded so far (the others stopped at the gate)."""
        return self._looks

    def see(self, frame: Frame) -> list[Scanned]:
        """The scans that this frame completes. Frames come in the order in which they were taken."""
        now_ms = frame.mono_ms
        first = self._decoded_ms is None
        moved = self._gate.changed(frame.grey)
        if moved and not first:  # the first frame ever differs from nothing: it is what the shop looks like
            self._moved_ms = now_ms
        held_up = self._moved_ms is not None and now_ms - self._moved_ms <= HELD_UP_MS
        due = self._decoded_ms is None or now_ms - self._decoded_ms >= FORCED_MS
        if not moved:
            self._acceptance.unchanged(now_ms)
            if not held_up and not due:
                return []
            self._gate.renew(frame.grey)
        self._decoded_ms = now_ms
        self._looks += 1
        sightings = look(frame.grey, held_up, self._looks, self._acceptance.holds, self._linear)
        accepted = self._acceptance.judge(now_ms, sightings)
        done_ms = self._clock_ms()
        return [
            Scanned(
                text=code.text,
                format=code.format.value,
                frame=frame.number,
                seen_mono_ms=code.seen_mono_ms,
                decoded_mono_ms=done_ms,
            )
            for code in accepted
        ]
