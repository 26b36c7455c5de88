"""A picture as the display's memory holds it, and which parts of that memory have changed.

The controllers hold 64 rows in 8 pages of 8 rows; a byte is 8 pixels of one column, the uppermost in bit 0. A change
is sent as windows: rectangles of whole bytes. Each window costs `overhead_bytes` on the bus for saying where it
is, so runs of equal bytes that are shorter are sent again rather than left out. Pure; nothing can fail here.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from PIL import Image

from hal.display import HEIGHT_PX, WIDTH_PX

PAGES: Final = HEIGHT_PX // 8
Pages = tuple[bytes, ...]  # PAGES of WIDTH_PX bytes


class Window(NamedTuple):
    """A rectangle of the memory; both ends are in it."""

    first_page: int
    last_page: int
    first_column: int
    last_column: int

    @property
    def size_bytes(self) -> int:
        return (self.last_page - self.first_page + 1) * (self.last_column - self.first_column + 1)


WHOLE: Final = Window(0, PAGES - 1, 0, WIDTH_PX - 1)


def pages(image: Image.Image) -> Pages:
    """`image`, mode '1' and 128x64, as pages."""
    columns = image.transpose(Image.Transpose.TRANSPOSE).tobytes("raw", "1;R")
    return tuple(columns[page::PAGES] for page in range(PAGES))


def content(of: Pages, window: Window) -> bytes:
    """What is sent for a window: page after page, in each from the left."""
    rows = of[window.first_page : window.last_page + 1]
    return b"".join(row[window.first_column : window.last_column + 1] for row in rows)


def changed(before: Pages, after: Pages, *, overhead_bytes: int, rectangles: bool) -> list[Window]:
    """The windows that make `after` of `before`, never dearer than all of it. `rectangles`: the chip takes windows of
    several pages."""
    done: list[Window] = []
    for page in range(PAGES):
        for first, last in _runs(before[page], after[page], overhead_bytes):
            window = Window(page, page, first, last)
            grown = _grown(done, window, overhead_bytes) if rectangles else None
            if grown is None:
                done.append(window)
            else:
                done[grown[0]] = grown[1]
    if rectangles and sum(window.size_bytes + overhead_bytes for window in done) > WHOLE.size_bytes + overhead_bytes:
        return [WHOLE]
    return done


def _runs(before: bytes, after: bytes, overhead_bytes: int) -> list[tuple[int, int]]:
    """First and last column of each run that differs; runs that lie close together are one."""
    different = [column for column in range(WIDTH_PX) if before[column] != after[column]]
    if not different:
        return []
    breaks = [(left, right) for left, right in pairwise(different) if right - left - 1 >= overhead_bytes]
    firsts = [different[0], *(right for _, right in breaks)]
    lasts = [*(left for left, _ in breaks), different[-1]]
    return list(zip(firsts, lasts, strict=True))


def _grown(done: Sequence[Window], window: Window, overhead_bytes: int) -> tuple[int, Window] | None:
    """A window that ends just above and the rectangle around both, where that is cheaper than two windows."""
    for index, above in enumerate(done):
        if above.last_page != window.first_page - 1:
            continue
        both = Window(
            above.first_page,
            window.last_page,
            min(above.first_column, window.first_column),
            max(above.last_column, window.last_column),
        )
        if both.size_bytes <= above.size_bytes + window.size_bytes + overhead_bytes:
            return index, both
    return None
