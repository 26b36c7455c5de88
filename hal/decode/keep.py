"""Frames of refused scans, for the shop that turned this on (the default keeps none).

A frame may show a person. So it is kept as a file of its own that only the unit's user can read, for the stated
time and no longer: older files are deleted whenever one is written, once a minute, and when the camera starts,
also after the shop has turned it off. Only files of our own naming are touched.

What can fail: OSError from the disk (full, read-only); the caller reports it and goes on without the file.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from PIL import Image

from hal.camera import Frame

FRAMES_HELD_MAX: Final = 4  # in memory, of about 1 MB each: those in which something was read last
FILES_MAX: Final = 200  # on disk, whatever the time says; about 100 MB
PURGE_EVERY_S: Final = 60.0
PATTERN: Final = "refused-*.png"


class Keeper:
    """One folder of kept frames. `keep_s` 0 keeps none, and clears what an earlier setting left."""

    def __init__(self, folder: Path, keep_s: int, wall_s: Callable[[], float] = time.time) -> None:
        self._folder, self._keep_s, self._wall_s = folder, keep_s, wall_s
        self._held: deque[Frame] = deque(maxlen=FRAMES_HELD_MAX)

    @property
    def on(self) -> bool:
        return self._keep_s > 0

    def hold(self, frame: Frame) -> None:
        """Remember this frame for a while: something was read in it, and may be refused."""
        if self.on:
            self._held.append(frame)

    def keep(self, number: int, newest: Frame | None) -> Path | None:
        """Write the frame `number` (the newest, if that one is gone or 0). None when there is nothing to write."""
        if not self.on:
            return None
        frame = next((held for held in self._held if held.number == number), newest)
        if frame is None:
            return None
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"refused-{int(self._wall_s() * 1000)}-{frame.number}.png"
        part = path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                Image.fromarray(frame.grey).save(file, "PNG", compress_level=1)
            part.rename(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        self.purge()
        return path

    def purge(self) -> int:
        """Delete what is older than the stated time, or too much; how many files that were.

        A file from the future (the clock was set back) can't tell its age and goes too.
        """
        now_s = self._wall_s()
        written = sorted((path.stat().st_mtime, path) for path in self._folder.glob(PATTERN))
        too_many = len(written) - FILES_MAX
        old = [
            path
            for place, (at_s, path) in enumerate(written)
            if place < too_many or not now_s - self._keep_s < at_s <= now_s + PURGE_EVERY_S
        ]
        for path in [*old, *self._folder.glob("refused-*.part")]:
            path.unlink(missing_ok=True)
        return len(old)
