"""The engines give what stands in the symbol, under one name for each symbology (K5)."""

from __future__ import annotations

import numpy as np
import pytest
import segno
from PIL import Image

from hal.decode import decode_image, deskew
from hal.decode.engines import PLAIN, WHOLE, zbar, zbar_missing, zxing
from hal.decode.formats import COUPONS, EAN, EVERY, Format
from hal.decode.tiers import straightened
from tests.unit.hal_decode.barcode_pictures import EAN13, OTHER_EAN13, OWN, Z, grey, page, qr, symbol

WRITTEN = [
    (Format.EAN13, Z.EAN13, EAN13, EAN13.encode()),
    (Format.EAN8, Z.EAN8, "49123456", b"49123456"),
    (Format.EAN13, Z.UPCA, "012345678905", b"0012345678905"),
    (Format.CODE128, Z.Code128, "COUPON-12345", b"COUPON-12345"),
    (Format.DATAMATRIX, Z.DataMatrix, "TK1:ABCDEF", b"TK1:ABCDEF"),
    (Format.DATABAR, Z.DataBarOmni, "4912345123459", b"0149123451234592"),
    (Format.DATABAR_EXPANDED, Z.DataBarExp, "(01)04912345123459(3922)100", b"01049123451234593922100"),
    (Format.ITF, Z.ITF, "1234567890", b"1234567890"),
    (Format.CODE39, Z.Code39, "ABC123", b"ABC123"),
    (Format.CODABAR, Z.Codabar, "A12345B", b"A12345B"),
    (Format.PDF417, Z.PDF417, "A leaflet", b"A leaflet"),
    (Format.AZTEC, Z.Aztec, "A ticket", b"A ticket"),
]


@pytest.mark.parametrize(("kind", "writer", "text", "payload"), WRITTEN, ids=lambda value: str(value)[:20])
def test_every_symbology_is_read_under_its_name(kind: Format, writer: Z, text: str, payload: bytes) -> None:
    found = zxing(grey(page(symbol(text, writer))), EVERY, WHOLE)
    assert [(seen.format, seen.text) for seen in found] == [(kind, payload)]


def test_K5_binary_and_group_separators_in_a_qr_come_through_unchanged() -> None:
    rng = np.random.default_rng(1)
    for length in (1, 24, 88, 300):
        payload = rng.bytes(length) + b"\x1d\x00\xff"
        code = segno.make(payload, mode="byte", encoding=None, error="m", micro=False)
        picture = Image.fromarray((np.array(list(code.matrix_iter(scale=5, border=4)), np.uint8) == 0) * np.uint8(255))
        assert [seen.text for seen in zxing(grey(picture), COUPONS, WHOLE)] == [payload]


def test_an_upc_e_is_never_read() -> None:
    assert zxing(grey(page(symbol("01234565", Z.UPCE))), EVERY, WHOLE) == []
    assert decode_image(grey(page(symbol("01234565", Z.UPCE))), every=True) == []


def test_only_what_was_asked_for_is_read() -> None:
    both = grey(page(symbol(EAN13, Z.EAN13), qr(OWN)))
    assert {seen.format for seen in zxing(both, frozenset({Format.QR}), PLAIN)} == {Format.QR}


@pytest.mark.parametrize("shape", [(0, 0), (10,), (10, 10, 3)])
def test_an_array_that_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="uint8 with two dimensions"):
        zxing(np.zeros(shape, np.uint8), COUPONS, PLAIN)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (2000, 1), (3, 3), (40, 33)])
def test_the_smallest_pictures_are_looked_at_without_harm(shape: tuple[int, int]) -> None:
    assert decode_image(np.full(shape, 128, np.uint8), every=True) == []


@pytest.mark.skipif(bool(zbar_missing()), reason=f"the second engine is absent: {zbar_missing()}")
def test_zbar_reads_ean_and_upc_under_the_same_names() -> None:
    for kind, writer, text, payload in WRITTEN[:3]:
        found = zbar(grey(page(symbol(text, writer))))
        assert [(seen.format, seen.text, seen.engine) for seen in found] == [(kind, payload, "zbar")]
    with pytest.raises(ValueError, match="not asked for"):
        zbar(grey(page(qr(OWN))), frozenset({Format.QR}))


def test_two_different_eans_in_one_picture_are_left_out_unless_everything_is_wanted() -> None:
    both = grey(page(symbol(EAN13, Z.EAN13), symbol(OTHER_EAN13, Z.EAN13)))
    assert decode_image(both) == []
    assert [seen.text for seen in decode_image(both, every=True)] == [EAN13.encode(), OTHER_EAN13.encode()]


@pytest.mark.parametrize("angle_deg", range(-90, 91, 15))
def test_K5_a_linear_code_is_read_at_any_tilt(angle_deg: int) -> None:
    tilted = page(symbol("COUPON-12345", Z.Code128)).rotate(angle_deg, Image.Resampling.BICUBIC, True, fillcolor=245)
    found = decode_image(grey(tilted))
    assert [(seen.format, seen.text) for seen in found] == [(Format.CODE128, b"COUPON-12345")]


def test_a_straightened_code_lies_where_it_was_in_the_picture() -> None:
    paper = Image.new("L", (1280, 720), 245)
    code = symbol(EAN13, Z.EAN13, scale=3)
    tilted = code.rotate(-30, Image.Resampling.BICUBIC, expand=True, fillcolor=245)
    paper.paste(tilted, (700, 300))
    piece = deskew.bars(grey(paper))
    assert piece is not None
    assert piece.turn_deg == pytest.approx(-30, abs=2)
    (found,) = straightened(piece)
    assert (found.engine, found.text) == ("zxing", EAN13.encode())
    middle = np.mean(found.corners, axis=0)
    assert np.allclose(middle, (700 + tilted.width / 2, 300 + tilted.height / 2), atol=25)
    assert found.height_px == pytest.approx(code.height, rel=0.3)


def test_nothing_looks_like_bars_on_an_empty_counter() -> None:
    rng = np.random.default_rng(3)
    assert deskew.bars(rng.normal(80, 12, (720, 1280)).clip(0, 255).astype(np.uint8)) is None


def test_K5_pictures_of_anything_never_harm_the_decoder() -> None:
    """Twenty pictures that are no coupon: noise, stripes, checks, text, edges, parts of codes, in odd sizes."""
    rng = np.random.default_rng(11)
    whole = grey(page(qr(OWN), symbol(EAN13, Z.EAN13)))
    pictures = [rng.integers(0, 256, (h, w), np.uint8) for h, w in ((7, 9), (64, 1000), (333, 517), (720, 1280))]
    pictures += [((np.indices((h, w)).sum(0) // step % 2) * 255).astype(np.uint8) for h, w, step in
                 ((50, 50, 1), (200, 300, 3), (480, 640, 7), (720, 1280, 40))]  # fmt: skip
    pictures += [np.tile(rng.integers(0, 2, w).astype(np.uint8) * 255, (h, 1)) for h, w in
                 ((5, 95), (100, 95), (300, 640), (720, 1280))]  # fmt: skip
    pictures += [whole[: whole.shape[0] // k, : whole.shape[1] // 2] for k in (2, 3, 5, 8)]
    pictures += [np.full((90, 160), level, np.uint8) for level in (0, 255)]
    pictures += [255 - whole[::3, ::3], whole[::-1, ::7]]
    assert len(pictures) == 20
    for picture in pictures:
        for seen in decode_image(picture, every=True):
            assert seen.text
            assert seen.format in Format
            assert seen.format not in EAN or len(seen.text) in (8, 13)
