"""Real symbols, drawn by writers that share no code with the readers, and frames of them through the lens."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
import segno
import zxingcpp
from numpy.typing import NDArray
from PIL import Image

from hal.camera import Frame
from hal.virtual.lens import Lens, Pose

Z = zxingcpp.BarcodeFormat
OWN = "TK1:" + "4Z7 A%B$C+D-E.F/G:H" * 7
EAN13, OTHER_EAN13 = "4901234567894", "4909876543214"


def qr(text: str | bytes, scale: int = 6) -> Image.Image:
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="png", scale=scale, border=4)
    return Image.open(out).convert("L")


def symbol(text: str, kind: zxingcpp.BarcodeFormat, scale: int = 4, **options: bool) -> Image.Image:
    image = Image.fromarray(np.array(zxingcpp.create_barcode(text, kind, **options).to_image(scale=scale)))
    if image.height < image.width * 0.35:
        image = image.resize((image.width, int(image.width * 0.4)), Image.Resampling.NEAREST)
    return image


def page(*symbols: Image.Image, margin: int = 60) -> Image.Image:
    """The symbols one below the other on white paper."""
    width = max(each.width for each in symbols) + 2 * margin
    height = sum(each.height + margin for each in symbols) + margin
    paper = Image.new("L", (width, height), 245)
    top = margin
    for each in symbols:
        paper.paste(each, ((width - each.width) // 2, top))
        top += each.height + margin
    return paper


def grey(picture: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(picture.convert("L"))


class Stream:
    """Frames at 10 a second, as a camera would give them."""

    def __init__(self, seed: int = 1) -> None:
        self._lens = Lens(seed)
        self._number = 0

    @property
    def now_ms(self) -> int:
        return 50_000 + 100 * self._number

    def of(self, picture: Image.Image | None, pose: Pose, frames: int = 1) -> list[Frame]:
        return [self._next(picture, pose) for _ in range(frames)]

    def through(self, picture: Image.Image | None, poses: Iterable[Pose]) -> list[Frame]:
        return [self._next(picture, pose) for pose in poses]

    def _next(self, picture: Image.Image | None, pose: Pose) -> Frame:
        self._number += 1
        return Frame(self._number, self.now_ms, self._lens.frame(picture, pose, self._number))
