"""Bars as inline SVG: geometry and classes alone, for the policy of the pages allows no inline style and no script.

A chart is a picture of a table that stands beside it: it says what it shows in a title, and is hidden from whoever
reads the table instead. Labels are drawn at a size that can be read at 360 px.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from markupsafe import Markup, escape

BARS_MAX: Final = 31
WIDTH: Final = 360
_TALL: Final = 130
_ROOM: Final = 18  # above the tallest bar, for its number
_ROW: Final = 40  # of a chart whose bars lie


class Bar(NamedTuple):
    label: str
    value: int | None  # None: not shown
    shown: str  # the value as people read it


def columns(bars: Sequence[Bar], title: str) -> Markup:
    """Standing bars, for days and hours. The first, last and every fourth or so have a label: as many as fit."""
    bars = bars[-BARS_MAX:]
    most = max((bar.value or 0 for bar in bars), default=0) or 1
    step = WIDTH / max(1, len(bars))
    every = max(1, -(-len(bars) * 52 // WIDTH))
    drawn = []
    for place, bar in enumerate(bars):
        tall = round((bar.value or 0) / most * _TALL, 1)
        left, wide = round(place * step + step * 0.14, 1), round(step * 0.72, 1)
        look = "none" if bar.value is None else "zero" if not bar.value else "bar"
        top = _ROOM + _TALL - max(tall, 1.5)
        part = (
            f'<g><title>{escape(bar.label)}: {escape(bar.shown)}</title><rect class="{look}" x="{left}" y="{top:.1f}" '
        )
        part += f'width="{wide}" height="{max(tall, 1.5)}" rx="1.5"/>'
        if bar.value and step >= 28:
            part += f'<text x="{left + wide / 2:.1f}" y="{top - 5:.1f}">{escape(bar.shown)}</text>'
        if place % every == 0:
            where = f'class="label first" x="{left}"' if not place else f'class="label" x="{left + wide / 2:.1f}"'
            part += f'<text {where} y="{_ROOM + _TALL + 17}">{escape(bar.label)}</text>'
        drawn.append(part + "</g>")
    return _svg("standing", _ROOM + _TALL + 24, title, drawn)


def rows(bars: Sequence[Bar], title: str) -> Markup:
    """Lying bars with the label above each, for names of any length."""
    bars = bars[:BARS_MAX]
    most = max((bar.value or 0 for bar in bars), default=0) or 1
    drawn = []
    for place, bar in enumerate(bars):
        wide = round((bar.value or 0) / most * (WIDTH - 64), 1)
        top = place * _ROW
        look = "none" if bar.value is None else "zero" if not bar.value else "bar"
        drawn.append(
            f'<g><title>{escape(bar.label)}: {escape(bar.shown)}</title><text class="name" x="0" y="{top + 14}">'
            f'{escape(_short(bar.label))}</text><rect class="{look}" x="0" y="{top + 20}" width="{max(wide, 1.5)}" '
            f'height="9" rx="1.5"/><text class="value" x="{max(wide, 1.5) + 6}" y="{top + 29.5}">{escape(bar.shown)}'
            "</text></g>"
        )
    return _svg("lying", max(1, len(bars)) * _ROW, title, drawn)


def _short(label: str, chars: int = 24) -> str:
    return label if len(label) <= chars else label[: chars - 1] + "…"


def _svg(kind: str, height: int, title: str, drawn: list[str]) -> Markup:
    head = f'<svg class="chart {kind}" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
    return Markup(head + "".join(drawn) + "</svg>")  # noqa: S704 - every text in it is escaped above
