"""The camera's driver on a model of picamera2: controls, pace, frames that do not come, frames that are given back."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import pytest
import segno
from PIL import Image

from hal.backends import open_camera
from hal.camera import Camera, Frame
from hal.decode.watcher import Watcher
from hal.errors import HalReason, PartFailed, PartMissing
from hal.pi.camera import BUFFERS, PiCamera, library
from hal.pi.options import CameraOptions
from hal.pi.pace import HELD_MS, Pace
from tests.pi_models.cameras import Scene, plug_camera

Plug = Callable[..., Scene]


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Plug:
    def made(**changes: object) -> Scene:
        scene = Scene()
        for name, value in changes.items():
            setattr(scene, name, value)
        plug_camera(monkeypatch, scene)
        return scene

    return made


def read(camera: Camera) -> Frame:
    frame = camera.read(2.0)
    assert frame is not None
    return frame


def test_it_asks_for_what_suits_a_phones_screen_and_starts_fast(plug: Plug) -> None:
    scene = plug()
    with open_camera("pi", {"exposure_ev": -1.0}):
        assert scene.controls == {
            "AeConstraintMode": 1, "AeExposureMode": 1, "ExposureValue": -1.0, "AfMode": 2, "AfSpeed": 1,
            "FrameDurationLimits": (33_333, 33_333),
        }  # fmt: skip
        assert scene.config["main"] == {"size": (1280, 720), "format": "YUV420"}
        assert scene.config["queue"] is False
    assert not scene.open


def test_a_camera_without_focus_or_exposure_is_asked_for_neither(plug: Plug) -> None:
    scene = plug(has=("ExposureValue",))
    with open_camera("pi", {}) as camera:
        read(camera)
    assert scene.controls == {"ExposureValue": -0.5}


def test_every_buffer_goes_back_also_that_of_a_frame_of_the_wrong_shape(plug: Plug) -> None:
    scene = plug()
    with open_camera("pi", {}) as camera:
        for _ in range(BUFFERS + 2):
            read(camera)
        scene.config["main"]["size"] = (640, 480)
    assert scene.taken == scene.released
    with open_camera("pi", {"height_px": 1440}) as camera, pytest.raises(PartFailed, match="a frame of"):
        camera.read(2.0)
    assert scene.taken == scene.released


def test_a_camera_that_gives_no_frames_keeps_its_caller_no_longer_than_asked(plug: Plug) -> None:
    scene = plug(still=True)
    with open_camera("pi", {}) as camera:
        began_s = time.monotonic()
        assert camera.read(0.2) is None
        assert camera.read(0.2) is None
        assert 0.35 < time.monotonic() - began_s < 1.5
        scene.still = False
        assert read(camera).number == 1


def test_frames_carry_the_time_at_which_they_were_taken_on_the_monotonic_clock(plug: Plug) -> None:
    plug()
    with open_camera("pi", {}) as camera:
        frame = read(camera)
    assert 0 <= time.monotonic_ns() // 1_000_000 - frame.mono_ms < 500


def test_a_frame_is_as_old_as_its_sensors_time_says(plug: Plug) -> None:
    plug()

    def later_ns() -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) + 5_000_000_000

    with PiCamera(CameraOptions(), boot_ns=later_ns) as camera:
        frame = read(camera)
    assert 5_000 <= time.monotonic_ns() // 1_000_000 - frame.mono_ms < 5_500


def test_a_code_on_a_phone_is_read_through_it(plug: Plug) -> None:
    scene = plug()
    code = segno.make_qr("TK1:HELLO", error="m")
    modules = np.pad(np.array([list(row) for row in code.matrix]), 4)
    picture = Image.fromarray(np.where(modules, 0, 255).astype(np.uint8))
    watcher = Watcher()
    with open_camera("pi", {}) as camera:
        watcher.see(read(camera))
        scene.picture = picture.resize((400, 400), Image.Resampling.NEAREST)
        scans = [scan for _ in range(4) for scan in watcher.see(read(camera))]
    assert b"TK1:HELLO" in [scan.text for scan in scans]


@pytest.mark.parametrize(
    ("changes", "words", "reason"),
    [
        ({"cameras": 0}, "is its cable in", HalReason.NOT_FOUND),
        ({"busy": True}, "did not complete", HalReason.NOT_FOUND),
    ],
)
def test_a_camera_that_is_not_there_says_why(
    plug: Plug, changes: dict[str, object], words: str, reason: HalReason
) -> None:
    plug(**changes)
    with pytest.raises(PartMissing, match=words) as missing:
        open_camera("pi", {})
    assert missing.value.reason is reason


def test_without_the_pis_own_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(PartMissing, match="apt install python3-picamera2") as missing:
        library()
    assert missing.value.reason is HalReason.NO_LIBRARY


# -- the pace


def frame(number: int, at_ms: int, level: int) -> Frame:
    return Frame(number, at_ms, np.full((720, 1280), level, np.uint8))


def test_the_pace_falls_when_nothing_moves_and_rises_with_the_first_frame_that_differs() -> None:
    pace = Pace()
    held_up = np.full((720, 1280), 50, np.uint8)
    held_up[200:400, 500:700] = 220
    frames = [frame(1, 0, 50), frame(2, HELD_MS, 50), frame(3, HELD_MS + 1, 50), Frame(4, HELD_MS + 200, held_up)]
    assert [(pace.see(taken), pace.fast) for taken in frames] == [
        (False, True), (False, True), (True, False), (True, True),
    ]  # fmt: skip


def test_the_camera_is_told_of_a_new_pace_once(plug: Plug) -> None:
    scene = plug()
    with open_camera("pi", {"idle_fps": 10}) as camera:
        read(camera)
        camera._pace._moved_ms = -10 * HELD_MS  # type: ignore[attr-defined]
        read(camera)
        assert scene.controls["FrameDurationLimits"] == (100_000, 100_000)
        scene.picture = Image.new("L", (300, 300), 255)
        read(camera)
        assert scene.controls["FrameDurationLimits"] == (33_333, 33_333)
