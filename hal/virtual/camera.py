"""The camera of a virtual unit: frames that the world's lens made, taken over the port.

It runs in the camera process (`hal.decode.process`), as a real camera does, with a link of its own to the
world. Frames carry pixels and nothing else. What can fail: PartFailed, from the port, when the world is gone
or says that the camera is broken; a camera that hangs is the watcher's affair (`hal.decode.process`).
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

import numpy as np

from hal.camera import Frame
from hal.errors import HalReason, PartFailed
from hal.virtual.port import FRAME_WAIT_MAX_S, Port


class VirtualCamera:
    """A `hal.camera.Camera` over a port. Closing it closes the port."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._given = 0  # number of the frame given last
        self._closed = False

    def read(self, timeout_s: float) -> Frame | None:
        """The newest frame not yet given; None when none came within `timeout_s` (>= 0). Raises PartFailed."""
        if self._closed:
            raise PartFailed(HalReason.VANISHED, "the camera is closed")
        raw = self._port.frame(self._given, min(max(timeout_s, 0.0), FRAME_WAIT_MAX_S))
        if raw is None:
            return None
        if len(raw.grey) != raw.width_px * raw.height_px or len(raw.grey) == 0:
            raise PartFailed(
                HalReason.PROTOCOL,
                f"frame {raw.number} has {len(raw.grey)} bytes for {raw.width_px}x{raw.height_px} pixels",
            )
        self._given = raw.number
        grey = np.frombuffer(raw.grey, np.uint8).reshape(raw.height_px, raw.width_px)
        return Frame(raw.number, raw.mono_ms, grey)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._closed:
            self._closed = True
            self._port.close()
