"""What the virtual camera sees: a picture through the lens model, or raw frames of a webcam.

Frames are made only when a camera asks, at most one each FRAME_INTERVAL_MS. In picture mode the same picture
gives a new frame each time, since the lens model's noise goes by the frame's number.
"""

from __future__ import annotations

import threading
import time

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hal.virtual.lens import Lens, Pose, check
from hal.virtual.port import FRAME_INTERVAL_MS, FRAME_SIDE_MAX_PX, RawFrame, check_frame_wait


class Source:
    """Safe to call from several threads: the world's controls and any number of cameras."""

    def __init__(self, lens_seed: int = 0) -> None:
        self._lens_seed = lens_seed
        self._lens: Lens | None = None  # made with the first frame: it takes a tenth of a second
        self._changed = threading.Condition()
        self._picture: Image.Image | None = None
        self._pose = Pose()
        self._webcam = False
        self._newest: RawFrame | None = None
        self._number = 0

    @property
    def newest(self) -> RawFrame | None:
        """The last frame that a camera was given, for whoever watches over its shoulder."""
        with self._changed:
            return self._newest

    def show(self, picture: Image.Image | None, pose: Pose | None) -> None:
        """Raises ValueError for a pose out of its bounds; nothing has changed then."""
        checked = None if pose is None else check(pose)
        with self._changed:
            self._picture = picture
            self._pose = self._pose if checked is None else checked
            self._webcam = False
            self._changed.notify_all()

    def set_pose(self, pose: Pose) -> None:
        check(pose)
        with self._changed:
            self._pose = pose

    def feed(self, grey: NDArray[np.uint8]) -> None:
        """A frame of a webcam, uint8, shape (height, width). Raises ValueError."""
        if grey.dtype != np.uint8 or grey.ndim != 2:
            raise ValueError(f"a frame is uint8 of shape (height, width), not {grey.dtype} of shape {grey.shape}")
        if min(grey.shape) < 1 or max(grey.shape) > FRAME_SIDE_MAX_PX:
            raise ValueError(f"a frame's sides are 1 to {FRAME_SIDE_MAX_PX} pixels, not {grey.shape}")
        with self._changed:
            self._webcam = True
            self._keep(grey.copy())
            self._changed.notify_all()

    def frame(self, after: int, timeout_s: float) -> RawFrame | None:
        """See `port.Port.frame`."""
        check_frame_wait(timeout_s)
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                newest, now_ms = self._newest, time.monotonic_ns() // 1_000_000
                due_ms = 0 if newest is None else newest.mono_ms + FRAME_INTERVAL_MS
                if newest is not None and newest.number > after and (self._webcam or now_ms < due_ms):
                    return newest
                if not self._webcam and now_ms >= due_ms:
                    self._lens = self._lens or Lens(self._lens_seed)
                    return self._keep(self._lens.frame(self._picture, self._pose, self._number + 1))
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return None
                self._changed.wait(left_s if self._webcam else min(left_s, (due_ms - now_ms) / 1000))

    def _keep(self, grey: NDArray[np.uint8]) -> RawFrame:
        self._number += 1
        height, width = grey.shape
        flat = np.ascontiguousarray(grey).data.cast("B")
        self._newest = RawFrame(self._number, time.monotonic_ns() // 1_000_000, width, height, flat)
        return self._newest
