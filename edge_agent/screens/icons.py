"""The display's icons, drawn as shapes and thinned to one bit: the same icon at every size.

Shapes stand on a grid of GRID x GRID, are drawn FINE times as large as needed, averaged and cut at half light.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw

from edge_agent.screens.screen import WAIT_STEPS, Icon

GRID: Final = 24
FINE: Final = 8
ICONS_KEPT_MAX: Final = 64
Point = tuple[float, float]


class _Pen:
    """Draws in grid units on a large grey picture."""

    def __init__(self, size_px: int) -> None:
        self.image = Image.new("L", (size_px * FINE, size_px * FINE), 0)
        self._draw = ImageDraw.Draw(self.image)
        self._unit = size_px * FINE / GRID

    def stroke(self, points: list[Point], width: float, ink: bool = True) -> None:
        """A line with round ends and corners."""
        fill = 255 if ink else 0
        scaled = [(x * self._unit, y * self._unit) for x, y in points]
        self._draw.line(scaled, fill=fill, width=round(width * self._unit))
        for x, y in points:
            self.disc((x, y), width / 2, ink)

    def disc(self, centre: Point, radius: float, ink: bool = True) -> None:
        x, y = centre
        box = [v * self._unit for v in (x - radius, y - radius, x + radius, y + radius)]
        self._draw.ellipse(box, fill=255 if ink else 0)

    def box(self, left: float, top: float, right: float, bottom: float, corner: float = 0, ink: bool = True) -> None:
        area = [v * self._unit for v in (left, top, right, bottom)]
        inside = (area[0], area[1], area[2] - 1, area[3] - 1)  # Pillow's boxes include their last row and column
        self._draw.rounded_rectangle(inside, corner * self._unit, fill=255 if ink else 0)

    def shape(self, points: list[Point], ink: bool = True) -> None:
        self._draw.polygon([(x * self._unit, y * self._unit) for x, y in points], fill=255 if ink else 0)


def _check(pen: _Pen, step: int) -> None:
    pen.disc((12, 12), 12)
    pen.stroke([(6.2, 12.6), (10.4, 16.8), (18, 8)], 3.4, ink=False)


def _cross(pen: _Pen, step: int) -> None:
    pen.disc((12, 12), 12)
    pen.disc((12, 12), 9.6, ink=False)
    pen.stroke([(8, 8), (16, 16)], 3)
    pen.stroke([(16, 8), (8, 16)], 3)


def _wait(pen: _Pen, step: int) -> None:
    for dot in range(WAIT_STEPS):
        angle = 2 * math.pi * dot / WAIT_STEPS - math.pi / 2
        behind = (step - dot) % WAIT_STEPS
        pen.disc((12 + 9 * math.cos(angle), 12 + 9 * math.sin(angle)), (2.9, 2.5, 2.1, 1.7, 1.3, 1, 1, 1)[behind])


def _phone(pen: _Pen, step: int) -> None:
    pen.box(5, 0, 19, 24, 2.5)
    pen.box(6.6, 2.6, 17.4, 20.4, 0.5, ink=False)
    pen.box(10.4, 21.4, 13.6, 22.6, 0.5, ink=False)
    for x, y in ((8.0, 5.2), (13.0, 5.2), (8.0, 11.4)):  # the three eyes of a QR code
        pen.box(x, y, x + 3.6, y + 3.6)
        pen.box(x + 1.2, y + 1.2, x + 2.4, y + 2.4, ink=False)
    for x, y in ((13.0, 11.4), (15.4, 12.6), (13, 13.8), (8, 16.4), (10.4, 17.6), (13, 16.4), (15.4, 17.6), (15.4, 15)):
        pen.box(x, y, x + 1.3, y + 1.3)


def _card(pen: _Pen, step: int) -> None:
    pen.box(0, 4, 24, 20, 2.5)
    pen.box(1.6, 5.6, 22.4, 18.4, 1.2, ink=False)
    pen.box(0, 8, 24, 11)
    pen.box(4, 14, 11, 15.8)
    pen.box(16, 14, 20, 15.8)


def _wrench(pen: _Pen, step: int) -> None:
    pen.stroke([(5, 19), (15, 9)], 4.4)
    pen.disc((16.6, 7.4), 6.4)
    pen.shape([(16, 8), (17.2, -1), (25, -1), (25, 6.8)], ink=False)
    pen.disc((16.6, 7.4), 2.1, ink=False)
    pen.disc((5.2, 18.8), 1.1, ink=False)


def _update(pen: _Pen, step: int) -> None:
    pen.stroke([(12, 2), (12, 10)], 3.4)
    pen.shape([(5, 8.5), (19, 8.5), (12, 16)])
    pen.stroke([(2.5, 15), (2.5, 21), (21.5, 21), (21.5, 15)], 2.6)


def _basket(pen: _Pen, step: int) -> None:
    pen.stroke([(7, 10), (11, 2.5)], 1.8)
    pen.stroke([(17, 10), (13, 2.5)], 1.8)
    pen.box(0.5, 8, 23.5, 11.5, 1)
    pen.shape([(2.2, 12.5), (21.8, 12.5), (19.6, 22), (4.4, 22)])
    for x in (8, 12, 16):
        pen.stroke([(x, 14.8), (x, 19.4)], 1.5, ink=False)


_DRAWN: Final[dict[Icon, Callable[[_Pen, int], None]]] = {
    Icon.CHECK: _check, Icon.CROSS: _cross, Icon.WAIT: _wait, Icon.PHONE: _phone, Icon.CARD: _card,
    Icon.WRENCH: _wrench, Icon.UPDATE: _update, Icon.BASKET: _basket,
}  # fmt: skip


@lru_cache(maxsize=ICONS_KEPT_MAX)
def icon(kind: Icon, size_px: int, step: int = 0) -> Image.Image:
    """Mode '1', size_px x size_px."""
    pen = _Pen(size_px)
    _DRAWN[kind](pen, step % WAIT_STEPS)
    return pen.image.reduce(FINE).point([0] * 128 + [255] * 128, "1")
