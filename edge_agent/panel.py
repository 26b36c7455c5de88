"""What shoppers see and hear: the core's views as pictures on the display, and the signals.

Runs on the deciding thread. `show` returns when the picture is visible; its failure is reported, because a
yes that nobody saw was not shown (promise 1).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from edge_agent.core.effects import Show, Signal, View
from edge_agent.screens import states
from edge_agent.screens.layout import draw
from edge_agent.screens.screen import Status
from hal.display import Display
from hal.indicators import Indicators
from loyalty.campaign import Lang

LAST_MINUTE: Final = 253_000_000_000 // 60  # in the year 9987: whatever a clock says, it can be written


class Panel:
    """See the module. `wall_ms` tells the time for the idle screen."""

    def __init__(
        self, display: Display, indicators: Indicators, *, lang: Lang, utc_offset_min: int, wall_ms: Callable[[], int]
    ) -> None:
        self._display, self._indicators = display, indicators
        self._lang, self._offset_min, self._wall_ms = lang, utc_offset_min, wall_ms
        self._idle: Status | None = None
        self._showing = Show(view=View.READY)

    def show(self, what: Show, *, online: bool, waiting: int) -> None:
        """Raises PartFailed."""
        self._showing = what
        status = self._status(online, waiting)
        self._idle = status if what.view is View.READY else None
        self._display.show(draw(states.screen_for(what, self._lang, self._offset_min, status)))

    def refresh(self, *, online: bool, waiting: int) -> None:
        """Draw the idle screen again if its clock or its numbers changed. Raises PartFailed."""
        if self._idle is not None and self._status(online, waiting) != self._idle:
            self.show(self._showing, online=online, waiting=waiting)

    def signal(self, what: Signal) -> None:
        """Raises PartFailed."""
        self._indicators.signal(what.light, what.sound, what.duration_ms)

    def close(self) -> None:
        """Raises PartFailed."""
        self._display.close()
        self._indicators.close()

    def _status(self, online: bool, waiting: int) -> Status:
        minute = min(self._wall_ms() // 60_000, LAST_MINUTE)
        local = datetime.fromtimestamp(minute * 60, UTC) + timedelta(minutes=self._offset_min)
        return Status(clock=local.strftime("%H:%M"), online=online, waiting=waiting)
