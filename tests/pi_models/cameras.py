"""A model of picamera2's `Picamera2` and libcamera's `controls`: a camera that sees what a virtual world's lens shows.

Stricter than the real one: nothing before `configure`, no control that the camera does not advertise, a frame that is
not released is missing for good (with all buffers out there are no more frames). `test_pi_signatures.py` holds its
words against the signatures of the released package.
"""

from __future__ import annotations

import sys
import threading
import time
import types
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hal.virtual.lens import Lens, Pose

CONTROLS: Final = ("AeConstraintMode", "AeExposureMode", "ExposureValue", "FrameDurationLimits")
FOCUS: Final = ("AfMode", "AfSpeed")


class Scene:
    """What is in front of the lens, and what is wrong with the camera."""

    def __init__(self, seed: int = 7, *, focus: bool = True) -> None:
        self.lens = Lens(seed)
        self.picture: Image.Image | None = None
        self.cameras = 1
        self.busy = False
        self.broken = False  # the driver answers with errors
        self.still = False  # it gives no frames
        self.has = CONTROLS + (FOCUS if focus else ())
        self.controls: dict[str, Any] = {}
        self.config: dict[str, Any] = {}
        self.released = self.taken = 0
        self.open = False


class Request:
    def __init__(self, scene: Scene, grey: NDArray[np.uint8]) -> None:
        self._scene, self._grey = scene, grey

    def make_array(self, name: str) -> NDArray[np.uint8]:
        assert name == "main"
        height, width = self._grey.shape
        chroma = np.full((height // 2, width), 128, np.uint8)
        return np.pad(np.vstack([self._grey, chroma]), ((0, 0), (0, 64)))  # rows are longer than the picture is wide

    def get_metadata(self) -> dict[str, Any]:
        return {"SensorTimestamp": time.clock_gettime_ns(time.CLOCK_BOOTTIME)}

    def release(self) -> None:
        self._scene.released += 1


class Job:
    def __init__(self, camera: Picamera2) -> None:
        self._camera, self._done = camera, False
        self._due_s = time.monotonic() + camera.frame_s()

    def get_result(self, timeout: float | None = None) -> Request:
        scene = self._camera.scene
        wait_s = max(0.0, self._due_s - time.monotonic())
        assert not self._done, "a job has one result"
        if scene.broken:
            raise RuntimeError("Failed to queue request")
        if (
            scene.still
            or scene.taken - scene.released >= self._camera.buffers
            or (timeout is not None and wait_s > timeout)
        ):
            threading.Event().wait(timeout)
            raise TimeoutError
        threading.Event().wait(wait_s)
        self._done = True
        scene.taken += 1
        return Request(scene, scene.lens.frame(scene.picture, Pose(), scene.taken))


class Picamera2:
    scene: Scene

    def __init__(
        self, camera_num: int = 0, verbose_console: Any = None, tuning: Any = None, allocator: Any = None
    ) -> None:
        if self.scene.busy:
            raise RuntimeError("Camera __init__ sequence did not complete.")
        self.scene.open, self._started, self.buffers = True, False, 0
        self.scene.config = {}

    @classmethod
    def global_camera_info(cls) -> list[dict[str, Any]]:
        return [{"Model": "imx708", "Num": number, "Id": "/base/imx708@1a"} for number in range(cls.scene.cameras)]

    @property
    def camera_controls(self) -> dict[str, tuple[Any, Any, Any]]:
        return dict.fromkeys(self.scene.has, (0, 1, 0))

    def create_video_configuration(
        self, main: dict[str, Any], buffer_count: int = 6, queue: bool = True
    ) -> dict[str, Any]:
        return {"main": main, "buffer_count": buffer_count, "queue": queue}

    def configure(self, camera_config: dict[str, Any]) -> None:
        self.scene.config, self.buffers = camera_config, camera_config["buffer_count"]

    def camera_configuration(self) -> dict[str, Any]:
        return self.scene.config

    def set_controls(self, controls: dict[str, Any]) -> None:
        strange = controls.keys() - set(self.scene.has)
        if strange:
            raise RuntimeError(f"Control {strange.pop()} is not advertised by libcamera")
        self.scene.controls |= controls

    def start(self) -> None:
        if not self.scene.config:
            raise RuntimeError("Camera has not been configured")
        self._started = True

    def capture_request(self, wait: Any = None, signal_function: Any = None, flush: Any = None) -> Job:
        if not self._started or wait is not False:
            raise RuntimeError("the model knows wait=False on a started camera alone")
        return Job(self)

    def frame_s(self) -> float:
        return float(self.scene.controls.get("FrameDurationLimits", (33_333, 33_333))[0]) / 1e6

    def stop(self) -> None:
        self._started = False

    def close(self) -> None:
        self.scene.open = False


def plug_camera(patch: pytest.MonkeyPatch, scene: Scene) -> None:
    """A Pi's system packages, with `scene` before the camera."""
    camera, lib = types.ModuleType("picamera2"), types.ModuleType("libcamera")
    camera.Picamera2 = type("Picamera2", (Picamera2,), {"scene": scene})  # type: ignore[attr-defined]
    lib.controls = types.SimpleNamespace(  # type: ignore[attr-defined]
        AeConstraintModeEnum=types.SimpleNamespace(Highlight=1),
        AeExposureModeEnum=types.SimpleNamespace(Short=1),
        AfModeEnum=types.SimpleNamespace(Continuous=2),
        AfSpeedEnum=types.SimpleNamespace(Fast=1),
    )
    patch.setitem(sys.modules, "picamera2", camera)
    patch.setitem(sys.modules, "libcamera", lib)
