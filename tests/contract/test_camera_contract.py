"""What every camera promises (hal/camera.py)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from hal.errors import PartFailed
from tests.contract.stands import CAMERAS, CameraStand, ModelCamera, RealCamera, virtual_stand


@pytest.fixture(params=CAMERAS)
def stand(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CameraStand]:
    if request.param.startswith("virtual"):
        with virtual_stand(request.param, tmp_path) as virtual:
            yield virtual
    else:
        made = RealCamera() if request.param == "pi" else ModelCamera(monkeypatch)
        with made.camera:
            yield made


def test_frames_are_grey_and_their_numbers_and_times_count_up(stand: CameraStand) -> None:
    stand.hold_up(Image.new("L", (200, 300), 255))
    frames = [stand.camera.read(2.0) for _ in range(3)]
    taken = [(frame.number, frame.mono_ms) for frame in frames if frame is not None]
    assert taken == sorted(set(taken))
    assert len(taken) == 3
    assert all(frame is not None and frame.grey.shape == (720, 1280) for frame in frames)


def test_a_frame_that_was_given_is_not_given_again(stand: CameraStand) -> None:
    assert stand.camera.read(2.0) is not None
    assert stand.camera.read(0.0) is None
    assert stand.camera.read(2.0) is not None


def test_a_picture_held_up_makes_the_frame_brighter(stand: CameraStand) -> None:
    empty = stand.camera.read(2.0)
    stand.hold_up(Image.new("L", (300, 300), 255))
    held_up = stand.camera.read(2.0)
    assert empty is not None
    assert held_up is not None
    assert held_up.grey.mean() > empty.grey.mean() + 20


def test_a_broken_camera_says_so(stand: CameraStand) -> None:
    stand.camera.read(2.0)
    stand.break_part()
    with pytest.raises(PartFailed):
        stand.camera.read(1.0)
