"""The parts of a unit as its settings name them, with the options of each backend in one place.

Virtual parts stand or fall with their world: one that is missing stops the start. Real ones come and go (`hal.mended`).
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from edge_agent.settings import UnitSettings
from hal import backends
from hal.display import Display
from hal.indicators import Indicators
from hal.mended import MendedDisplay, MendedIndicators, Tender

NO_PART = "none"


class Fittings(NamedTuple):
    display: Display
    indicators: Indicators
    tender: Tender


def options(settings: UnitSettings, backend: str, part: str) -> dict[str, object]:
    """What `hal.backends` takes to open `part` (its name in [unit.parts])."""
    if backend == "pi":
        return dict(msgspec.to_builtins(getattr(settings.pi, part, {})))
    if backend == "board":
        return {"device": settings.board.device}
    return {"socket": settings.virtual.socket}


def fit(settings: UnitSettings) -> Fittings:
    """Display and indicators. Raises PartMissing for a name or a library that is missing, and for a virtual part."""
    display = _display(settings)
    try:
        indicators = _indicators(settings)
    except BaseException:
        display.close()
        raise
    mended_display = display if isinstance(display, MendedDisplay) else None
    mended_indicators = indicators if isinstance(indicators, MendedIndicators) else None
    return Fittings(display, indicators, Tender(mended_display, mended_indicators))


def _display(settings: UnitSettings) -> Display:
    name = settings.parts.display
    given = options(settings, name, "display")
    if name == "pi":
        return MendedDisplay(lambda: backends.open_display(name, given))
    return backends.open_display(name, given)


def _indicators(settings: UnitSettings) -> Indicators:
    name = settings.parts.indicators
    given = options(settings, name, "indicators")
    if name == "pi":
        return MendedIndicators(lambda: backends.open_indicators(name, given))
    return backends.open_indicators(name, given)
