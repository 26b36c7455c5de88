"""From a `Screen` to its picture, through luma's canvas: 128x64 pixels, one bit each.

A head (icon and headline) stands above the detail lines. The fewer lines there are, the larger the head: the
first of FACES in which the headline fits is taken. Pure: the same screen gives the same picture.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from luma.core.mixin import capabilities
from luma.core.render import canvas
from PIL import Image, ImageDraw

from edge_agent.screens.fonts import Face, drawable, font, glyph
from edge_agent.screens.icons import icon
from edge_agent.screens.screen import Screen, Status
from edge_agent.screens.text import CHARACTERS_MAX, LINES_MAX, end_cost, wrap
from hal.display import HEIGHT_PX, WIDTH_PX

MARGIN_PX: Final = 1
GAP_PX: Final = 3  # between icon and headline
LINE_PX: Final = 13  # from one detail line to the next
BAR_PX: Final = 12
PROGRESS_PX: Final = 8
ICON_SIZES_PX: Final = (40, 36, 32, 28, 24)
WAITING_SHOWN_MAX: Final = 9999
ELLIPSIS: Final = "…"


class HeadFace(NamedTuple):
    face: Face
    line_px: int
    lines_max: int


FACES: Final = (HeadFace(Face.BOLD16, 17, 2), HeadFace(Face.BOLD12, 12, 3))


def draw(screen: Screen) -> Image.Image:
    """The picture: mode '1', 128x64. Whatever the screen holds, nothing is drawn outside."""
    sheet = _Sheet()
    with canvas(sheet) as pen:
        top = 0
        bottom = HEIGHT_PX
        if screen.status is not None:
            _bar(pen, screen.status)
            top = BAR_PX + 1
        if screen.progress is not None:
            bottom -= PROGRESS_PX
            _progress(pen, bottom + 1, screen.progress)
        lines = _lines(screen.detail, bottom - top)
        split = bottom - LINE_PX * len(lines)
        _head(pen, screen, top, split)
        for index, line in enumerate(lines):
            _text(pen, _centred(line, Face.TEXT12, 0, WIDTH_PX), split + LINE_PX * index, line, Face.TEXT12)
    return sheet.image


def _head(pen: ImageDraw.ImageDraw, screen: Screen, top: int, bottom: int) -> None:
    height = bottom - top
    face, line_px, icon_px, lines = _fit_head(drawable(screen.headline), height)
    ink = 1
    if screen.glow:
        pen.rectangle((0, top, WIDTH_PX - 1, bottom - 1 - (bottom < HEIGHT_PX)), fill=1)
        ink = 0
    left = MARGIN_PX + max(0, height - icon_px) // 4
    pen.bitmap((left, top + (height - icon_px) // 2), icon(screen.icon, icon_px, screen.step), fill=ink)
    left += icon_px + GAP_PX
    y = top + (height - line_px * len(lines) + line_px - font(face).height_px) // 2
    for line in lines:
        _text(pen, _centred(line, face, left, WIDTH_PX), y, line, face, ink)
        y += line_px


def _fit_head(headline: str, height: int) -> tuple[Face, int, int, list[str]]:
    """Face, line height, icon's size and lines: the largest face, then the largest icon, that fit."""
    sizes = [size for size in ICON_SIZES_PX if size <= height] or [ICON_SIZES_PX[-1]]
    for face, line_px, lines_max in FACES:
        for icon_px in sizes:
            room = WIDTH_PX - 2 * MARGIN_PX - GAP_PX - icon_px
            lines = wrap(headline, face, room, min(lines_max, height // line_px))
            if lines is not None:
                return face, line_px, icon_px, lines
    face, line_px, lines_max = FACES[-1]
    room = WIDTH_PX - 2 * MARGIN_PX - GAP_PX - sizes[-1]
    return face, line_px, sizes[-1], _shortened(headline, face, room, max(1, min(lines_max, height // line_px)))


def _lines(detail: str, height: int) -> list[str]:
    """The detail's lines; a head of at least the smallest icon stays free above them."""
    if not detail:
        return []
    text = drawable(detail)
    lines_max = min(LINES_MAX, (height - ICON_SIZES_PX[-1]) // LINE_PX)
    room = WIDTH_PX - 2 * MARGIN_PX
    return wrap(text, Face.TEXT12, room, lines_max) or _shortened(text, Face.TEXT12, room, lines_max)


def _shortened(text: str, face: Face, room: int, lines_max: int) -> list[str]:
    """As much of `text` as fits, up to where a line may end, and an ellipsis. Not for the words of this project,
    which all fit (a test holds that), but for what may come from elsewhere."""
    text = " ".join(text.split())[:CHARACTERS_MAX]
    for end in range(len(text) - 1, 0, -1):
        if end_cost(text, end) is not None:
            lines = wrap(text[:end].rstrip(" ") + ELLIPSIS, face, room, lines_max)
            if lines is not None:
                return lines
    return [ELLIPSIS]


def _bar(pen: ImageDraw.ImageDraw, status: Status) -> None:
    """The clock on the left; on the right what waits to be sent, and the network."""
    _text(pen, MARGIN_PX, 0, drawable(status.clock), Face.TEXT12)
    x = WIDTH_PX - 12
    for index, tall in enumerate((3, 6, 9)):
        left = x + 4 * index
        if status.online:
            pen.rectangle((left, 10 - tall, left + 2, 9), fill=1)
        else:
            pen.rectangle((left, 8, left + 2, 9), fill=1)
    if not status.online:
        pen.line((x + 2, 1, x + 7, 6), fill=1)
        pen.line((x + 2, 6, x + 7, 1), fill=1)
    if status.waiting > 0:
        count = str(status.waiting) if status.waiting <= WAITING_SHOWN_MAX else f"{WAITING_SHOWN_MAX}+"
        x -= 5 + font(Face.TEXT12).width_px(count)
        _text(pen, x, 0, count, Face.TEXT12)
        x -= 9
        pen.polygon(((x + 3, 1), (x, 4), (x + 6, 4)), fill=1)
        pen.rectangle((x + 2, 4, x + 4, 9), fill=1)
    for x in range(0, WIDTH_PX, 2):
        pen.point((x, BAR_PX - 1), fill=1)


def _progress(pen: ImageDraw.ImageDraw, top: int, percent: int) -> None:
    pen.rectangle((0, top, WIDTH_PX - 1, top + PROGRESS_PX - 2), outline=1)
    length = (WIDTH_PX - 5) * max(0, min(percent, 100)) // 100
    if length:
        pen.rectangle((2, top + 2, 2 + length, top + PROGRESS_PX - 4), fill=1)


def _centred(line: str, face: Face, left: int, right: int) -> int:
    return left + (right - left - font(face).width_px(line)) // 2


def _text(pen: ImageDraw.ImageDraw, x: int, y: int, line: str, face: Face, ink: int = 1) -> None:
    for character in line:
        mark = glyph(face, character)
        pen.bitmap((x, y), mark, fill=ink)
        x += mark.width


class _Sheet(capabilities):  # type: ignore[misc]  # luma has no types
    """A luma device that keeps what was drawn."""

    def __init__(self) -> None:
        self.capabilities(WIDTH_PX, HEIGHT_PX, rotate=0, mode="1")
        self.image = Image.new("1", (WIDTH_PX, HEIGHT_PX))

    def display(self, image: Image.Image) -> None:
        self.image = image
