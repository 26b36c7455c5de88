"""The camera module by picamera2: grey frames, at a low rate while nothing moves and a high one when something does.

It runs in the camera process (`hal.decode.process`), which is killed when the driver hangs: picamera2 can, in the
kernel, after days. Exposure is set for bright screens (highlights are kept, shutters short), focus is continuous
where the lens can. What can fail: PartMissing at opening, PartFailed later.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from hal.camera import Frame
from hal.errors import HalError, HalReason, PartFailed, PartMissing
from hal.pi.options import CameraOptions
from hal.pi.pace import Pace

BUFFERS: Final = 4
FORMAT: Final = "YUV420"  # its first plane is the grey picture
TIMEOUTS: Final = (TimeoutError, FutureTimeout)  # two classes before Python 3.11, one since
Controls = dict[str, object]


class Job(Protocol):
    def get_result(self, timeout: float | None = None) -> Any: ...


class Library(NamedTuple):
    """The two modules that are used. A test holds the calls against the released package's source."""

    camera: Any  # picamera2.Picamera2
    controls: Any  # libcamera.controls


def library() -> Library:
    """Raises PartMissing."""
    try:
        return Library(importlib.import_module("picamera2").Picamera2, importlib.import_module("libcamera").controls)
    except ImportError as error:
        raise PartMissing(
            HalReason.NO_LIBRARY,
            f"the camera needs picamera2 of the Pi's own system: sudo apt install python3-picamera2 ({error})",
        ) from error


class PiCamera:
    """A `hal.camera.Camera`. For one thread."""

    def __init__(
        self,
        options: CameraOptions,
        library: Callable[[], Library] = library,
        boot_ns: Callable[[], int] = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
    ) -> None:
        found = library()
        self._options, self._boot_ns = options, boot_ns
        self._pace = Pace()
        self._number = 0
        self._job: Job | None = None
        self._closed = False
        with _translated(PartMissing):
            if len(found.camera.global_camera_info()) <= options.number:
                raise PartMissing(HalReason.NOT_FOUND, f"no camera number {options.number}; is its cable in?")
            self._camera = found.camera(options.number)
        try:
            with _translated(PartMissing):
                self._begin(found.controls)
        except HalError:
            self._close()
            raise

    def read(self, timeout_s: float) -> Frame | None:
        """The newest frame not yet given; None when none came within `timeout_s`. Raises PartFailed."""
        if self._closed:
            raise PartFailed(HalReason.VANISHED, "the camera is closed")
        with _translated(PartFailed):
            if self._job is None:
                self._job = self._camera.capture_request(wait=False)
            try:
                request = self._job.get_result(timeout=max(timeout_s, 0.0))
            except TIMEOUTS:
                return None  # the job stands, and the next call waits for it
            self._job = None
            try:
                grey, at_ms = self._grey(request.make_array("main")), self._taken_ms(request.get_metadata())
            finally:
                request.release()
        self._number += 1
        frame = Frame(self._number, at_ms, grey)
        if self._pace.see(frame):
            with _translated(PartFailed):
                self._camera.set_controls(self._rate())
        return frame

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._closed:
            self._closed = True
            self._close()

    def _begin(self, controls: Any) -> None:
        config = self._camera.create_video_configuration(
            main={"size": (self._options.width_px, self._options.height_px), "format": FORMAT},
            buffer_count=BUFFERS,
            queue=False,  # a frame that waits is an old one
        )
        self._camera.configure(config)
        self._width_px, self._height_px = self._camera.camera_configuration()["main"]["size"]  # as it was aligned
        self._camera.set_controls(self._exposure(controls) | self._rate())
        self._camera.start()

    def _exposure(self, controls: Any) -> Controls:
        """What suits a phone's screen, as far as this camera has it."""
        wanted: Controls = {
            "AeConstraintMode": controls.AeConstraintModeEnum.Highlight,
            "AeExposureMode": controls.AeExposureModeEnum.Short,
            "ExposureValue": self._options.exposure_ev,
            "AfMode": controls.AfModeEnum.Continuous,
            "AfSpeed": controls.AfSpeedEnum.Fast,
        }
        has = self._camera.camera_controls
        return {name: value for name, value in wanted.items() if name in has}

    def _rate(self) -> Controls:
        fps = self._options.fast_fps if self._pace.fast else self._options.idle_fps
        frame_us = 1_000_000 // fps
        return (
            {"FrameDurationLimits": (frame_us, frame_us)}
            if "FrameDurationLimits" in self._camera.camera_controls
            else {}
        )

    def _grey(self, planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The first plane, copied: the buffer goes back to the camera."""
        height, width = self._height_px, self._width_px
        if planes.dtype != np.uint8 or planes.ndim != 2 or planes.shape[0] < height or planes.shape[1] < width:
            raise PartFailed(HalReason.PROTOCOL, f"a frame of {planes.dtype} {planes.shape}, not {width}x{height}")
        return planes[:height, :width].copy()

    def _taken_ms(self, metadata: dict[str, Any]) -> int:
        """When the frame was taken, on CLOCK_MONOTONIC; libcamera counts on CLOCK_BOOTTIME."""
        now_ns, sensor_ns = time.monotonic_ns(), metadata.get("SensorTimestamp")
        if not isinstance(sensor_ns, int):
            return now_ns // 1_000_000
        return min(now_ns, sensor_ns - self._boot_ns() + now_ns) // 1_000_000

    def _close(self) -> None:
        with suppress(PartFailed), _translated(PartFailed):
            self._camera.stop()
        with suppress(PartFailed), _translated(PartFailed):
            self._camera.close()


@contextmanager
def _translated(kind: type[PartMissing] | type[PartFailed]) -> Iterator[None]:
    """What picamera2 and libcamera raise as ours; what they print stays in the log."""
    try:
        yield
    except HalError:
        raise
    except (RuntimeError, OSError, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        reason = HalReason.NOT_FOUND if kind is PartMissing else HalReason.NO_ANSWER
        raise kind(reason, f"the camera: {type(error).__name__}: {error}") from error
