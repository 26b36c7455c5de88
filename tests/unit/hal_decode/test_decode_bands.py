"""A linear code that is too blurred for the engine is read by its profile (K5), and counts no more than any other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hal.decode import bands, deskew
from hal.decode.accept import HEIGHT_MIN_PX
from hal.decode.engines import UPRIGHT_OR_NOT, WHOLE, Grey, Sighting, zxing
from hal.decode.formats import LINEAR, Format
from hal.decode.tiers import look
from hal.decode.watcher import Watcher
from hal.virtual.lens import Pose
from tests.unit.hal_decode.barcode_pictures import EAN13, Stream, Z, grey, page, symbol

BLURRED = [
    ("ean13", Z.EAN13, EAN13, EAN13.encode(), Pose(scale=0.31, blur_px=1.9, noise=6, rotate_deg=5)),
    ("code128", Z.Code128, "COUPON-12345", b"COUPON-12345", Pose(scale=0.42, blur_px=1.9, noise=6, rotate_deg=-4)),
    (
        "databar_expanded",
        Z.DataBarExp,
        "(01)04912345123459(3922)100",
        b"01049123451234593922100",
        Pose(scale=0.55, blur_px=1.9, noise=6, rotate_deg=20),
    ),
]


def nothing_known(sighting: Sighting) -> bool:
    return False


@pytest.mark.parametrize(("name", "writer", "text", "payload", "pose"), BLURRED, ids=[row[0] for row in BLURRED])
def test_K5_a_code_too_blurred_for_the_engine_is_read_by_its_profile(
    name: str, writer: Z, text: str, payload: bytes, pose: Pose
) -> None:
    (frame,) = Stream().of(page(symbol(text, writer)), pose)
    piece = deskew.bars(frame.grey)
    assert piece is not None
    assert zxing(frame.grey, LINEAR, WHOLE) == zxing(piece.grey, LINEAR, UPRIGHT_OR_NOT) == []
    (found,) = bands.read(piece.grey)
    assert (found.format, found.text) == (Format(name), payload)


def test_K5_a_blurred_code_is_scanned_from_two_frames_and_never_from_one() -> None:
    _, writer, text, payload, pose = BLURRED[0]
    stream, watcher = Stream(), Watcher()
    for frame in stream.of(None, pose, 2):
        watcher.see(frame)
    picture = page(symbol(text, writer))
    first, second = stream.of(picture, pose, 2)
    assert watcher.see(first) == []
    assert watcher.see(first) == []  # another look at the same frame is no second frame
    assert [scan.text for scan in watcher.see(second)] == [payload]


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_code_read_by_its_profile_lies_where_it_was_and_is_as_tall(quarters: int) -> None:
    paper = np.full((400, 600), 240, np.uint8)
    code = grey(symbol(EAN13, Z.EAN13, scale=3))
    paper[100 : 100 + code.shape[0], 200 : 200 + code.shape[1]] = code
    (found,) = bands.read(np.ascontiguousarray(np.rot90(paper, quarters)))
    middle = np.mean(found.corners, axis=0)
    x, y = 200 + code.shape[1] / 2, 100 + code.shape[0] / 2
    where = [(x, y), (y, 600 - x), (600 - x, 400 - y), (400 - y, x)][quarters]
    assert np.allclose(middle, where, atol=25)
    assert found.height_px == pytest.approx(code.shape[0], rel=0.4)
    assert found.height_px <= code.shape[0]


def test_a_code_read_across_too_few_rows_is_looked_at_again() -> None:
    rng = np.random.default_rng(4)
    code = grey(symbol("COUPON-12345", Z.Code128, scale=2)).astype(float) * 0.5 + 60
    paper = np.full((720, 1280), 180.0)
    paper[300 : 300 + code.shape[0], 400 : 400 + code.shape[1]] = code
    noisy = paper + rng.normal(0, 45, paper.shape)
    noisy[320:325] = paper[320:325]  # five rows are clear
    frame = np.clip(noisy, 0, 255).astype(np.uint8)
    cheap = look(frame, False, 1, nothing_known)
    assert [seen.text for seen in cheap] == [b"COUPON-12345"]
    assert cheap[0].height_px < HEIGHT_MIN_PX
    tall = [seen for seen in look(frame, True, 1, nothing_known) if seen.height_px >= HEIGHT_MIN_PX]
    assert {seen.text for seen in tall} == {b"COUPON-12345"}


@pytest.mark.parametrize(("height", "width", "looks"), [(240, 320, 5), (720, 1280, 1), (2000, 3000, 1)])
def test_the_work_on_one_frame_is_bounded(height: int, width: int, looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(picture: Grey, *rest: Any) -> list[Sighting]:
        made.append(picture.size)
        return zxing(picture, *rest)

    monkeypatch.setattr(bands, "zxing", counted)
    noise = np.random.default_rng(5).integers(0, 256, (height, width), np.uint8)
    for turn in range(3):
        made.clear()
        assert bands.read(noise, turn) == []
        assert len(made) == looks
        assert sum(made) <= max(bands.CELLS_MAX, made[0])


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (23, 3), (24, 3), (3, 24), (24, 1), (40, 33)])
def test_the_smallest_pieces_are_looked_at_without_harm(shape: tuple[int, int]) -> None:
    assert bands.read(np.full(shape, 128, np.uint8)) == []


def test_texture_is_no_code() -> None:
    rng = np.random.default_rng(6)
    stripes = np.repeat(rng.integers(0, 2, (6, 300)), 40, axis=0).astype(np.uint8) * 200
    for turn in range(5):
        assert bands.read(stripes, turn) == []
        assert bands.read(rng.normal(120, 30, (300, 400)).clip(0, 255).astype(np.uint8), turn) == []
