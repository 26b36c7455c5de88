"""The lens: the same frame for the same arguments, and what each part of a pose does to it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from hal.decode.engines import WHOLE, zxing
from hal.decode.formats import COUPONS
from hal.virtual.lens import HEIGHT_PX, WIDTH_PX, Lens, Pose, check, corners_px
from tests.unit.hal_decode.barcode_pictures import OWN, page, qr

QUIET = Pose(noise=0)


def test_the_same_arguments_give_the_same_frame_whatever_was_asked_before() -> None:
    picture, pose = page(qr(OWN)), Pose(rotate_deg=20, tilt_x_deg=15, blur_px=1, motion_px=4, glare=0.5, noise=6)
    fresh = Lens(4).frame(picture, pose, 17)
    used = Lens(4)
    for number in range(3):
        used.frame(None if number == 1 else picture, Pose(x=0.3 + 0.1 * number), number)
    assert np.array_equal(used.frame(picture, pose, 17), fresh)
    assert not np.array_equal(used.frame(picture, pose, 18), fresh)
    assert not np.array_equal(Lens(5).frame(picture, pose, 17), fresh)


def test_a_frame_is_grey_and_1280x720_and_its_own_copy() -> None:
    lens = Lens(1)
    frame = lens.frame(None, QUIET, 1)
    assert frame.dtype == np.uint8
    assert frame.shape == (HEIGHT_PX, WIDTH_PX)
    frame[:] = 255
    assert lens.frame(None, QUIET, 1).mean() < 90


def test_the_empty_counter_is_dark_and_not_plain() -> None:
    frame = Lens(2).frame(None, QUIET, 1)
    assert 15 < frame.mean() < 90
    assert frame.std() > 5


def test_K5_a_coupon_can_be_read_through_the_lens_in_a_plausible_hand() -> None:
    pose = Pose(scale=0.8, rotate_deg=-15, tilt_x_deg=25, tilt_y_deg=-15, blur_px=0.8, motion_px=2, glare=0.3, noise=6)
    assert [seen.text for seen in zxing(Lens(3).frame(page(qr(OWN)), pose, 1), COUPONS, WHOLE)] == [OWN.encode()]


def test_too_far_out_of_focus_it_can_not() -> None:
    assert zxing(Lens(3).frame(page(qr(OWN)), Pose(scale=0.8, blur_px=8), 1), COUPONS, WHOLE) == []


def test_blur_and_shake_take_detail_and_exposure_and_glare_give_light() -> None:
    lens, picture = Lens(6), page(qr(OWN))

    def detail(pose: Pose) -> float:
        frame = lens.frame(picture, pose, 1).astype(np.float32)
        return sum(float(np.square(np.diff(frame, axis=axis)).mean()) for axis in (0, 1))

    def light(pose: Pose) -> float:
        return float(lens.frame(picture, pose, 1).mean())

    assert detail(Pose(noise=0, blur_px=3)) < 0.5 * detail(QUIET)
    assert detail(Pose(noise=0, motion_px=12)) < 0.5 * detail(QUIET)
    assert light(Pose(noise=0, exposure=0.5)) < 0.6 * light(QUIET)
    assert light(Pose(noise=0, glare=1)) > light(QUIET) + 2


def test_a_picture_beyond_the_edge_is_not_seen() -> None:
    lens = Lens(1)
    assert np.array_equal(lens.frame(page(qr(OWN)), Pose(x=2, scale=0.2, noise=0), 1), lens.frame(None, QUIET, 1))


def test_the_leaning_edge_is_shorter() -> None:
    top_left, top_right, bottom_right, bottom_left = corners_px((400, 400), Pose(tilt_x_deg=40))
    assert np.linalg.norm(top_right - top_left) < 0.9 * np.linalg.norm(bottom_right - bottom_left)


def test_transparent_pictures_lie_on_white_paper() -> None:
    clear = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    assert Lens(1).frame(clear, QUIET, 1)[HEIGHT_PX // 2, WIDTH_PX // 2] > 240


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "LA"])
def test_pictures_of_every_mode_can_be_shown(mode: str) -> None:
    Lens(1).frame(Image.new(mode, (37, 91)), Pose(rotate_deg=10, blur_px=1), 1)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (9000, 2), (5000, 5000)])
def test_pictures_of_every_size_can_be_shown(size: tuple[int, int]) -> None:
    Lens(1).frame(Image.new("L", size, 200), Pose(tilt_y_deg=70, scale=8), 1)


@pytest.mark.parametrize(("name", "value"), [("blur_px", 21), ("scale", 0), ("noise", float("nan")), ("x", 9)])
def test_a_pose_out_of_its_bounds_is_refused_with_its_bounds(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is .* must be from"):
        check(Pose(**{name: value}))


def test_frames_differ_by_noise_alone_while_nothing_moves() -> None:
    lens, picture = Lens(1), page(qr(OWN))
    one, two = (lens.frame(picture, Pose(noise=5), number).astype(np.int16) for number in (1, 2))
    assert 5 < (one - two).std() < 8
    assert abs(float((one - two).mean())) < 0.1
