"""A hard set of barcodes from a seed: symbols of each coupon format on phones and paper, held up badly.

The same seed gives the same bursts anywhere. Symbols are written by zxing-cpp and segno, which do not share our
reading code; a burst is eight frames of a hand that drifts, through `hal.virtual.lens`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
import numpy as np
import segno
import zxingcpp
from PIL import Image, ImageDraw

from hal.camera import Frame
from hal.virtual.lens import HEIGHT_PX, WIDTH_PX, Lens, Pose

FRAMES: Final = 8
INTERVAL_MS: Final = 100
BASE45: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
SYMBOL_MODULE_PX: Final = 4  # of the symbols as they are drawn
MODULE_PX: Final = (1.5, 4.5)  # in the frame, before tilt makes it narrower: below 1.5 hardly anything is read
LINEAR: Final = ("ean13", "ean8", "upca", "code128", "databar_expanded")
FORMATS: Final = ("qr", "datamatrix", *LINEAR)


class Burst(NamedTuple):
    """Eight frames of one symbol; `empty` is the counter before it came."""

    format: str
    truth: bytes
    damaged: bool  # nobody is expected to read it; who reads something else has misread
    empty: Frame
    frames: list[Frame]


def bursts(seed: int, of_each: int, damaged_of_each: int) -> Iterator[Burst]:
    """`of_each` bursts of each format, then damaged ones of the linear formats."""
    for at, format_name in enumerate(FORMATS):
        for number in range(of_each):
            yield _burst(np.random.default_rng([seed, at, number]), format_name, damaged=False)
    for at, format_name in enumerate(LINEAR):
        for number in range(damaged_of_each):
            yield _burst(np.random.default_rng([seed, 100 + at, number]), format_name, damaged=True)


def _burst(rng: np.random.Generator, format_name: str, damaged: bool) -> Burst:
    truth, symbol = _symbol(rng, format_name)
    if damaged:
        symbol = _scratched(rng, symbol)
    picture = _held(rng, symbol)
    lens = Lens(int(rng.integers(0, 8)))
    fit = min(WIDTH_PX / picture.width, HEIGHT_PX / picture.height)
    module_px = float(rng.uniform(*MODULE_PX))
    start = _pose(rng, scale=min(module_px / (SYMBOL_MODULE_PX * fit), 1.1), linear=format_name in LINEAR)
    drift = rng.normal(0, 1, 4)
    frames = []
    for number in range(FRAMES):
        shake = rng.normal(0, 1, 4)
        pose = msgspec.structs.replace(
            start,
            x=start.x + 0.004 * (drift[0] * number + shake[0]),
            y=start.y + 0.004 * (drift[1] * number + shake[1]),
            rotate_deg=start.rotate_deg + 0.5 * (drift[2] * number + shake[2]),
            blur_px=float(np.clip(start.blur_px + 0.05 * drift[3] * number, 0, 20)),
            motion_px=float(np.clip(start.motion_px + shake[3], 0, 60)),
        )
        frames.append(Frame(number + 2, 1100 + number * INTERVAL_MS, lens.frame(picture, pose, number + 2)))
    empty = Frame(1, 1000, lens.frame(None, Pose(noise=start.noise), 1))
    return Burst(format_name, truth, damaged, empty, frames)


def _pose(rng: np.random.Generator, scale: float, linear: bool) -> Pose:
    turned = rng.uniform(-180, 180) if not linear or rng.random() < 0.4 else rng.normal(0, 6)
    return Pose(
        x=float(rng.uniform(0.42, 0.58)),
        y=float(rng.uniform(0.42, 0.58)),
        scale=scale,
        rotate_deg=float(turned),
        tilt_x_deg=float(np.clip(rng.normal(0, 18), -50, 50)),
        tilt_y_deg=float(np.clip(rng.normal(0, 18), -50, 50)),
        blur_px=float(np.clip(rng.gamma(1.2, 0.7), 0, 5)),
        motion_px=float(np.clip(rng.gamma(1.0, 1.5), 0, 10)),
        glare=float(rng.uniform(0, 0.7) if rng.random() < 0.5 else 0),
        exposure=float(rng.uniform(0.4, 1.3)),
        noise=float(rng.uniform(2, 12)),
    )


def _symbol(rng: np.random.Generator, format_name: str) -> tuple[bytes, Image.Image]:
    """(what stands in it, black on white with its quiet zone)."""
    z = zxingcpp.BarcodeFormat
    if format_name == "qr":  # as long as a signed coupon of ours
        text = "TK1:" + "".join(BASE45[i] for i in rng.integers(0, 45, 132))
        out = io.BytesIO()
        segno.make(text, error="m", micro=False).save(out, kind="png", scale=SYMBOL_MODULE_PX, border=4)
        return text.encode(), Image.open(out).convert("L")
    if format_name == "datamatrix":
        text = "TK1:" + "".join(BASE45[i] for i in rng.integers(0, 45, int(rng.integers(16, 60))))
        return text.encode(), _written(text, z.DataMatrix, force_square=True)
    if format_name == "code128":
        text = "".join(BASE45[i] for i in rng.integers(0, 36, int(rng.integers(8, 16))))
        return text.encode(), _written(text, z.Code128)
    if format_name == "databar_expanded":
        body = "0490" + "".join(str(digit) for digit in rng.integers(0, 10, 9))
        text = f"(01){body}{_check_digit(body)}(3922){rng.integers(10, 999)}"
        return text.replace("(", "").replace(")", "").encode(), _written(text, z.DataBarExp)
    digits = {"ean13": 12, "ean8": 7, "upca": 11}[format_name]
    body = ("49" if format_name != "upca" else "0") + "".join(str(digit) for digit in rng.integers(0, 10, digits))
    body = body[:digits]
    text = body + _check_digit(body)
    kind = {"ean13": z.EAN13, "ean8": z.EAN8, "upca": z.UPCA}[format_name]
    return (b"0" if format_name == "upca" else b"") + text.encode(), _written(text, kind)


def _check_digit(body: str) -> str:
    return str(-sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(body))) % 10)


def _written(text: str, kind: zxingcpp.BarcodeFormat, **options: bool) -> Image.Image:
    image = zxingcpp.create_barcode(text, kind, **options).to_image(scale=SYMBOL_MODULE_PX)
    return Image.fromarray(np.array(image))


def _scratched(rng: np.random.Generator, symbol: Image.Image) -> Image.Image:
    """Some bars painted over or wiped off, over the whole height: what makes another code out of a code."""
    hurt = symbol.copy()
    draw = ImageDraw.Draw(hurt)
    for _ in range(int(rng.integers(1, 4))):
        left = int(rng.integers(symbol.width // 10, symbol.width * 9 // 10))
        level = 0 if rng.random() < 0.5 else 255
        draw.rectangle([left, 0, left + int(rng.integers(2, 13)), symbol.height], fill=level)
    return hurt


def _held(rng: np.random.Generator, symbol: Image.Image) -> Image.Image:
    """The symbol on a phone's screen or on a leaflet, with what else stands there."""
    bar_height = int(symbol.width * 0.4)
    if symbol.height < symbol.width * 0.8:  # linear codes are printed taller than the writer draws them
        symbol = symbol.resize((symbol.width, bar_height), Image.Resampling.NEAREST)
    width = int(symbol.width * rng.uniform(1.08, 1.4))
    height = int(max(symbol.height * 1.5, width * rng.uniform(0.7, 1.5)))
    phone = rng.random() < 0.6
    page = Image.new("L", (width, height), 250 if phone else 232)
    draw = ImageDraw.Draw(page)
    top = int((height - symbol.height) * rng.uniform(0.35, 0.8))
    for row in range(12, top - 16, 22):  # lines of text above
        for left in range(16, width - 40, 34):
            if rng.random() < 0.8:
                draw.rectangle([left, row, left + int(rng.integers(8, 30)), row + 9], fill=40)
    page.paste(symbol, ((width - symbol.width) // 2, top))
    if not phone:
        return page
    edge = max(12, width // 16)
    whole = Image.new("L", (width + 2 * edge, height + 4 * edge), 16)
    whole.paste(page, (edge, 2 * edge))
    return whole
