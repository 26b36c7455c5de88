"""docs/state-machine.md and its diagram, from the one table of transitions (`edge_agent.core.states.TABLE`)."""

from __future__ import annotations

from html import escape
from math import atan2, cos, hypot, sin
from typing import Final

from edge_agent.core.states import TABLE, State

PAGE: Final = "docs/state-machine.md"
DIAGRAM: Final = "docs/state-machine.svg"
WIDTH, HEIGHT = 1330, 880
BOX_WIDTH, BOX_HEIGHT = 170, 46
PLACES: Final = {
    State.READY: (640, 110),
    State.ASKING: (130, 560),
    State.SHOWING: (640, 610),
    State.BASKET: (1090, 350),
    State.BROWSING: (130, 110),
    State.PAYING: (1090, 810),
    State.OUT_OF_SERVICE: (1090, 110),
}
WORDS: Final = {
    State.READY: "ready",
    State.ASKING: "asking",
    State.SHOWING: "showing",
    State.BASKET: "basket",
    State.BROWSING: "browsing",
    State.PAYING: "paying",
    State.OUT_OF_SERVICE: "out of service",
}
BEND: Final = 46  # how far an arrow bows out, so that there and back do not meet
LINE: Final = 15
STYLE: Final = (
    "text{font:13px ui-sans-serif,system-ui,sans-serif;fill:#1d2733}"
    ".s{fill:#f4f7fa;stroke:#3b5568;stroke-width:1.6}.n{font-weight:600;font-size:15px}"
    ".a{fill:none;stroke:#7a8fa1;stroke-width:1.4}.l{font-size:12px;fill:#41566a;paint-order:stroke;"
    "stroke:#fff;stroke-width:5px;stroke-linejoin:round}"
)


def pages() -> dict[str, str]:
    """Path and text of what is made here."""
    return {PAGE: _page(), DIAGRAM: _diagram()}


def _page() -> str:
    rows = "\n".join(
        f"| {WORDS[row.state]} | `{row.event}` | {', '.join(WORDS[to] for to in row.to)} | {row.why} |" for row in TABLE
    )
    return f"""# The states of a unit

Made from the table in `edge_agent/core/states.py`, which the machine asks before it changes state. An event that has no
row leaves the state as it is. Kiosk and lane are the same machine: the basket's events come from a till.

![Seven states and the events that lead from one to another.](state-machine.svg)

| state | event | leads to | because |
|---|---|---|---|
{rows}
"""


def _diagram() -> str:
    arrows: dict[tuple[State, State], list[str]] = {}
    loops: dict[State, list[str]] = {}
    for row in TABLE:
        for to in row.to:
            if row.event == "StoreFailed":
                continue  # from everywhere: said once, in words
            if to is row.state:
                loops.setdefault(row.state, []).append(row.event)
            else:
                arrows.setdefault((row.state, to), []).append(row.event)
    parts = [_arrow(start, end, events) for (start, end), events in arrows.items()]
    parts += [_box(state, loops.get(state, [])) for state in State]
    x, y = PLACES[State.OUT_OF_SERVICE]
    parts.append(f'<text class="l" text-anchor="middle" x="{x}" y="{y + 46}">from every state: StoreFailed</text>')
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="States of a unit">\n'
        f'<style>{STYLE}</style>\n<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n'
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
        f'<path d="M0 0 10 5 0 10z" fill="#7a8fa1"/></marker></defs>\n{body}\n</svg>\n'
    )


def _box(state: State, loops: list[str]) -> str:
    x, y = PLACES[state]
    box = (
        f'<rect class="s" rx="10" x="{x - BOX_WIDTH // 2}" y="{y - BOX_HEIGHT // 2}" '
        f'width="{BOX_WIDTH}" height="{BOX_HEIGHT}"/>'
        f'<text class="n" text-anchor="middle" x="{x}" y="{y + 5}">{WORDS[state]}</text>'
    )
    if not loops:
        return box
    beside = state in (State.READY, State.BASKET)  # where arrows leave below
    at, anchor = (x + BOX_WIDTH // 2 + 8, "start") if beside else (x, "middle")
    top = y + 4 - LINE if beside else y + BOX_HEIGHT // 2
    return box + "".join(
        f'<text class="l" text-anchor="{anchor}" x="{at}" y="{top + LINE * number}">{escape(event)} ↺</text>'
        for number, event in enumerate(loops, start=1)
    )


def _arrow(start: State, end: State, events: list[str]) -> str:
    (x1, y1), (x2, y2) = PLACES[start], PLACES[end]
    length = hypot(x2 - x1, y2 - y1)
    side_x, side_y = -(y2 - y1) / length, (x2 - x1) / length
    middle_x, middle_y = (x1 + x2) / 2 + side_x * BEND, (y1 + y2) / 2 + side_y * BEND
    ax, ay = _edge(x1, y1, middle_x, middle_y)
    bx, by = _edge(x2, y2, middle_x, middle_y)
    anchor = "middle" if abs(side_x) < 0.5 else ("start" if side_x > 0 else "end")
    top = middle_y - LINE * (len(events) - 1) / 2 + (side_y * LINE * len(events) / 2 if anchor == "middle" else 0)
    label = "".join(
        f'<text class="l" text-anchor="{anchor}" x="{middle_x:.0f}" y="{top + LINE * number:.0f}">'
        f"{escape(event)}</text>"
        for number, event in enumerate(dict.fromkeys(events))
    )
    return (
        f'<path class="a" marker-end="url(#tip)" d="M{ax:.0f} {ay:.0f} '
        f'Q{middle_x:.0f} {middle_y:.0f} {bx:.0f} {by:.0f}"/>' + label
    )


def _edge(x: float, y: float, toward_x: float, toward_y: float) -> tuple[float, float]:
    """Where a line from a box's middle leaves the box."""
    angle = atan2(toward_y - y, toward_x - x)
    reach = min(
        BOX_WIDTH / 2 / max(abs(cos(angle)), 1e-6),
        BOX_HEIGHT / 2 / max(abs(sin(angle)), 1e-6),
    )
    return x + cos(angle) * reach, y + sin(angle) * reach
