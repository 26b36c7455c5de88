"""From a `Screen` to its picture, through luma's canvas: 128x64 pixels, one bit each.

A head (icon and headline) stands above the detail lines. The fewer lines there are, the larger the head: the
first of FACES in which the headline fits is taken. Pure: the same screen gives the same picture.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import segno
from luma.core.mixin import capabilities
from luma.core.render import canvas
from PIL import Image, ImageDraw

from edge_agent.screens.fonts import Face, drawable, font, glyph
from edge_agent.screens.icons import icon
from edge_agent.screens.screen import Screen, Status, Tone
from edge_agent.screens.text import CHARACTERS_MAX, INSIDE_COST, LINES_MAX, end_cost, wrap
from hal.display import HEIGHT_PX, WIDTH_PX

MARGIN_PX: Final = 1
GAP_PX: Final = 2  # between icon and headline
LINE_PX: Final = 13  # from one detail line to the next
STRONG_PX: Final = 18  # height of a line in the large face
STRONG_HEAD_PX: Final = 32  # what the head keeps beside it
DETAIL_PX: Final = WIDTH_PX - 2 * MARGIN_PX
MODULE_PX: Final = 2  # of a QR: versions 1 to 3, up to 53 bytes of text, with a module of light around it
CODE_LINES_MAX: Final = 4  # beside a QR
BAR_PX: Final = 12
NETWORK_PX: Final = 13
PROGRESS_PX: Final = 8
ICON_SIZES_PX: Final = (40, 36, 32, 28, 24)
WAITING_SHOWN_MAX: Final = 9999
SMALLER_COST: Final = 20  # of an icon, for each pixel that it is smaller
ELLIPSIS: Final = "…"


class HeadFace(NamedTuple):
    face: Face
    line_px: int  # from one line to the next
    lines_max: int
    height_min_px: int  # of a head in which it is used


FACES: Final = (HeadFace(Face.BOLD16, 17, 2, 35), HeadFace(Face.BOLD12, 12, 3, 0))


class _Line(NamedTuple):
    """A line of the detail."""

    text: str
    face: Face
    height_px: int


def draw(screen: Screen) -> Image.Image:
    """The picture: mode '1', 128x64. Whatever the screen holds, nothing is drawn outside."""
    sheet = _Sheet()
    if screen.code:
        with canvas(sheet) as pen:
            _beside_code(pen, screen)
        return sheet.image
    with canvas(sheet) as pen:
        top = 0
        bottom = HEIGHT_PX
        if screen.status is not None:
            _bar(pen, screen.status)
            top = BAR_PX + 1
        if screen.progress is not None:
            bottom -= PROGRESS_PX
            _progress(pen, bottom + 1, screen.progress)
        if screen.tone is Tone.YES:
            pen.rectangle((0, top, WIDTH_PX - 1, bottom - 1), fill=1)
        lines = _detail(screen, bottom - top)
        y = bottom - sum(line.height_px for line in lines)
        _head(pen, screen, top, y)
        ink = 0 if screen.tone is Tone.YES else 1
        for line in lines:
            _text(pen, _centred(line.text, line.face, 0, WIDTH_PX), y, line.text, line.face, ink)
            y += line.height_px
    return sheet.image


@lru_cache(maxsize=1)
def _qr(text: str) -> tuple[bytearray, ...]:
    """The modules of a QR, 1 dark. Choosing its mask takes 5 ms, so the one on the display is kept."""
    return segno.make(text, error="l", micro=False, boost_error=False).matrix


def _beside_code(pen: ImageDraw.ImageDraw, screen: Screen) -> None:
    """A QR in the left half, light all around it, two pixels a module; one that is too large is left out."""
    matrix = _qr(screen.code)
    side = len(matrix) * MODULE_PX
    pen.rectangle((0, 0, HEIGHT_PX - 1, HEIGHT_PX - 1), fill=1)
    if side <= HEIGHT_PX - 2 * MODULE_PX:
        first = (HEIGHT_PX - side) // 2
        for y, row in enumerate(matrix):
            for x, dark in enumerate(row):
                if dark:
                    left, top = first + x * MODULE_PX, first + y * MODULE_PX
                    pen.rectangle((left, top, left + MODULE_PX - 1, top + MODULE_PX - 1), fill=0)
    lines = [drawable(line) for line in (*screen.headline.split("\n"), *screen.detail.split("\n"))][:CODE_LINES_MAX]
    y = (HEIGHT_PX - len(lines) * LINE_PX) // 2
    for line in lines:
        _text(pen, _centred(line, Face.TEXT12, HEIGHT_PX, WIDTH_PX), y, line, Face.TEXT12, 1)
        y += LINE_PX


def _head(pen: ImageDraw.ImageDraw, screen: Screen, top: int, bottom: int) -> None:
    height = bottom - top
    face, line_px, icon_px, lines = _fit_head(drawable(screen.headline), height)
    ink = 1 if screen.tone is Tone.PLAIN else 0
    if screen.tone is Tone.NO:
        pen.rectangle((0, top, WIDTH_PX - 1, bottom - 1), fill=1)
    wide = max(font(face).width_px(line) for line in lines)
    free = WIDTH_PX - 2 * MARGIN_PX - GAP_PX - icon_px - wide
    left = MARGIN_PX + max(0, min(free, height - icon_px)) // 4
    pen.bitmap((left, top + (height - icon_px) // 2), icon(screen.icon, icon_px, screen.step), fill=ink)
    left += icon_px + GAP_PX
    first, last = _ink(lines[0], face)[0], _ink(lines[-1], face)[1] + line_px * (len(lines) - 1)
    y = top + (height - (last - first)) // 2 - first
    for line in lines:
        _text(pen, _centred(line, face, left, WIDTH_PX - MARGIN_PX), y, line, face, ink)
        y += line_px


class _Head(NamedTuple):
    face: Face
    line_px: int
    icon_px: int
    lines: list[str]


def _fit_head(headline: str, height: int) -> _Head:
    """The largest face in which the headline fits without a broken word; then the best line ends and the
    largest icon."""
    sizes = [size for size in ICON_SIZES_PX if size <= height] or [ICON_SIZES_PX[-1]]
    broken: _Head | None = None
    for face, line_px, lines_max, height_min_px in FACES:
        if height < height_min_px:
            continue
        best: tuple[int, _Head] | None = None
        for icon_px in sizes:
            room = WIDTH_PX - 2 * MARGIN_PX - GAP_PX - icon_px
            wrapped = wrap(headline, face, room, min(lines_max, max(1, height // (line_px - 1))))
            if wrapped is not None:
                cost = wrapped.cost + SMALLER_COST * (sizes[0] - icon_px)
                if best is None or cost < best[0]:
                    best = cost, _Head(face, line_px, icon_px, wrapped.lines)
        if best is not None and best[0] < INSIDE_COST:
            return best[1]
        if best is not None:
            broken = best[1]
    if broken is not None:
        return broken
    face, line_px, lines_max, _ = FACES[-1]
    room = WIDTH_PX - 2 * MARGIN_PX - GAP_PX - sizes[-1]
    lines = _shortened(headline, face, room, max(1, min(lines_max, height // line_px)))
    return _Head(face, line_px, sizes[-1], lines)


def _detail(screen: Screen, height: int) -> list[_Line]:
    """The detail's lines, the strong one as large as it may be; a head of the smallest icon stays free."""
    if not screen.detail:
        return []
    text = drawable(screen.detail)
    lines_max = min(LINES_MAX, (height - ICON_SIZES_PX[-1]) // LINE_PX)
    wrapped = wrap(text, Face.TEXT12, DETAIL_PX, lines_max)
    lines = wrapped.lines if wrapped else _shortened(text, Face.TEXT12, DETAIL_PX, lines_max)
    out = [_Line(line, Face.TEXT12, LINE_PX) for line in lines]
    if screen.strong is not None and screen.strong < len(out) and lines == text.split("\n"):
        line = lines[screen.strong]
        room_px = height - LINE_PX * (len(out) - 1) - STRONG_HEAD_PX
        for face, height_px in ((Face.BOLD16, STRONG_PX), (Face.BOLD12, LINE_PX)):
            if font(face).width_px(line) <= DETAIL_PX and height_px <= max(room_px, LINE_PX):
                out[screen.strong] = _Line(line, face, height_px)
                break
    return out


def _shortened(text: str, face: Face, room: int, lines_max: int) -> list[str]:
    """As much of `text` as fits, up to where a line may end, and an ellipsis. Not for the words of this project,
    which all fit (a test holds that), but for what may come from elsewhere."""
    text = " ".join(text.split())[:CHARACTERS_MAX]
    for end in range(len(text) - 1, 0, -1):
        if end_cost(text, end) is not None:
            wrapped = wrap(text[:end].rstrip(" ") + ELLIPSIS, face, room, lines_max)
            if wrapped is not None:
                return wrapped.lines
    return [ELLIPSIS]


def _bar(pen: ImageDraw.ImageDraw, status: Status) -> None:
    """The clock on the left; on the right what waits to be sent, and whether the centre is in reach."""
    _text(pen, MARGIN_PX, 0, drawable(status.clock), Face.TEXT12)
    x = WIDTH_PX - NETWORK_PX
    if status.online:
        for index, tall in enumerate((3, 6, 9)):
            left = x + 1 + 4 * index
            pen.rectangle((left, 10 - tall, left + 2, 9), fill=1)
    else:  # lit, with a cross: told from the bars at a glance, also from the side
        pen.rectangle((x, 0, WIDTH_PX - 1, 9), fill=1)
        for wide in (0, 1):
            pen.line((x + 3 + wide, 2, x + 8 + wide, 7), fill=0)
            pen.line((x + 8 + wide, 2, x + 3 + wide, 7), fill=0)
    if status.waiting > 0:
        count = str(status.waiting) if status.waiting <= WAITING_SHOWN_MAX else f"{WAITING_SHOWN_MAX}+"
        x -= 4 + font(Face.TEXT12).width_px(count)
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


def _ink(line: str, face: Face) -> tuple[int, int]:
    """The first row of `line` that has ink, and the one after its last."""
    boxes = [box for box in (glyph(face, character).getbbox() for character in line) if box is not None]
    return min((box[1] for box in boxes), default=0), max((box[3] for box in boxes), default=font(face).height_px)


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
