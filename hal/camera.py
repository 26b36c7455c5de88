"""The camera: grey frames, newest first. Runs inside the camera process (`hal.decode.process`)."""

from __future__ import annotations

from types import TracebackType
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray


class Frame(NamedTuple):
    """One picture: `grey` is uint8, shape (height, width)."""

    number: int  # counts up by one with each frame that the camera took
    mono_ms: int  # when it was taken
    grey: NDArray[np.uint8]


class Camera(Protocol):
    """Opened by its constructor's caller with `with`; raises PartMissing or PartFailed."""

    def read(self, timeout_s: float) -> Frame | None:
        """The newest frame not yet given; None when none came in time. Raises PartFailed."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
