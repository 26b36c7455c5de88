"""The watcher over streams of frames through the lens, with the real engines (K5)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from PIL import Image

from hal.camera import Frame
from hal.decode.accept import GONE_MS
from hal.decode.watcher import FORCED_MS, HELD_UP_MS, Watcher
from hal.events import Scanned
from hal.virtual.lens import Pose
from tests.unit.hal_decode.barcode_pictures import EAN13, OTHER_EAN13, OWN, Stream, Z, page, qr, symbol

EASY = Pose(scale=0.9, noise=4)


def scans(watcher: Watcher, frames: list[Frame]) -> list[Scanned]:
    return [scan for frame in frames for scan in watcher.see(frame)]


def test_K5_an_own_code_on_a_phone_is_scanned_from_its_first_frame() -> None:
    stream, watcher = Stream(), Watcher()
    assert scans(watcher, stream.of(None, EASY, 3)) == []
    (frame,) = stream.of(page(qr(OWN)), EASY)
    (scan,) = watcher.see(frame)
    assert (scan.text, scan.format, scan.confirmed) == (OWN.encode(), "qr", True)
    assert (scan.frame, scan.seen_mono_ms) == (frame.number, frame.mono_ms)


def test_K5_a_code_held_up_for_two_seconds_is_one_scan() -> None:
    stream, watcher = Stream(), Watcher()
    scans(watcher, stream.of(None, EASY, 2))
    poses = [Pose(x=0.45 + 0.004 * i, rotate_deg=2.0 * i, tilt_x_deg=i, noise=5) for i in range(20)]
    assert len(scans(watcher, stream.through(page(qr(OWN)), poses))) == 1


def test_K5_a_code_left_lying_for_a_minute_is_one_scan_and_shown_again_later_another() -> None:
    stream, watcher = Stream(), Watcher()
    picture = page(qr(OWN))
    scans(watcher, stream.of(None, EASY, 2))
    assert len(scans(watcher, stream.of(picture, EASY, 600))) == 1
    assert scans(watcher, stream.of(None, EASY, GONE_MS // 100 + 2)) == []
    assert len(scans(watcher, stream.of(picture, EASY, 3))) == 1


def test_K5_a_jan_is_scanned_from_two_frames_and_a_upc_with_its_leading_zero() -> None:
    for text, kind, payload in ((EAN13, Z.EAN13, EAN13), ("012345678905", Z.UPCA, "0012345678905")):
        stream, watcher = Stream(), Watcher()
        scans(watcher, stream.of(None, EASY, 2))
        picture = page(symbol(text, kind))
        assert scans(watcher, stream.of(picture, EASY, 1)) == []
        (scan,) = scans(watcher, stream.of(picture, EASY, 1))
        assert (scan.text, scan.format) == (payload.encode(), "ean13")


def test_two_jans_held_up_together_are_no_scan() -> None:
    stream, watcher = Stream(), Watcher()
    scans(watcher, stream.of(None, EASY, 2))
    both = page(symbol(EAN13, Z.EAN13), symbol(OTHER_EAN13, Z.EAN13))
    assert scans(watcher, stream.of(both, EASY, 10)) == []


@pytest.mark.parametrize("angle_deg", [-75, -45, -30, -20, 20, 33, 45, 60])
def test_K5_a_tilted_linear_code_is_scanned_while_it_is_held_up(angle_deg: int) -> None:
    stream, watcher = Stream(), Watcher()
    scans(watcher, stream.of(None, EASY, 2))
    found = scans(watcher, stream.of(page(symbol(EAN13, Z.EAN13)), Pose(scale=0.7, rotate_deg=angle_deg), 4))
    assert [scan.text for scan in found] == [EAN13.encode()]


def test_a_code_that_lies_in_view_for_good_hides_no_other() -> None:
    stream, watcher = Stream(), Watcher()
    scans(watcher, stream.of(None, EASY, 2))
    assert len(scans(watcher, stream.of(page(qr(OWN)), EASY, 5))) == 1
    found = scans(watcher, stream.of(page(qr(OWN), symbol(EAN13, Z.EAN13)), EASY, 5))
    assert [scan.text for scan in found] == [EAN13.encode()]


def test_an_empty_counter_is_decoded_once_a_second() -> None:
    stream, watcher = Stream(), Watcher()
    frames = stream.of(None, Pose(noise=13), 100)
    scans(watcher, frames)
    seconds = (frames[-1].mono_ms - frames[0].mono_ms) // FORCED_MS
    assert watcher.looks == pytest.approx(seconds, abs=1)


def test_a_change_of_the_light_as_a_whole_does_not_open_the_gate() -> None:
    stream, watcher = Stream(), Watcher()
    scans(watcher, stream.of(None, EASY))
    scans(watcher, stream.through(None, [Pose(exposure=1.0 + 0.4 * (i % 2)) for i in range(9)]))
    assert watcher.looks == 1


def test_after_the_last_movement_every_frame_is_looked_at_for_two_seconds_and_then_few() -> None:
    stream, watcher = Stream(), Watcher()
    scans(watcher, stream.of(None, EASY, 2))
    blank = Image.new("L", (400, 300), 220)
    frames = stream.of(blank, EASY, 60)
    looks = []
    for frame in frames:
        watcher.see(frame)
        looks.append(watcher.looks)
    looked = [now > before for before, now in pairwise([1, *looks])]
    assert all(looked[: HELD_UP_MS // 100])
    assert sum(looked[HELD_UP_MS // 100 + 1 :]) <= 5


def test_the_same_frames_give_the_same_scans() -> None:
    def run() -> list[Scanned]:
        stream, watcher = Stream(seed=5), Watcher(clock_ms=lambda: 0)
        poses = [Pose(rotate_deg=7.0 * i, blur_px=0.2 * (i % 5), motion_px=i % 3, noise=8) for i in range(15)]
        return scans(watcher, stream.of(None, EASY) + stream.through(page(symbol(EAN13, Z.EAN13)), poses))

    assert run() == run() != []
