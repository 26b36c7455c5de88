"""A sale is taken back, whole or in part: a void or a refund, whether this lane knows the sale or not. Pure.

The reversal is a fact, on disk before it is answered. What this unit decides by it alone is little: the coupons of a
sale that it made itself count as unused here again at once when the whole sale is taken back (the store sees to it,
with the fact). Everything else is the centre's: points, the bank, other lanes' sales. So it answers the same without
the centre. The same id again has the same answer and makes no second fact.
"""

from __future__ import annotations

from typing import Final

from edge_agent.core import events as ev
from edge_agent.core.base import SHOW_YES_MS
from edge_agent.core.effects import Show, Signal, View
from edge_agent.core.states import State
from edge_agent.core.till import Till
from edge_agent.core.visit import Moment, Row, Step, Want
from hal.indicators import Light, Sound
from loyalty.coupon import Verdict
from loyalty.reason import Reason
from loyalty.tax import YEN_MAX
from wire.facts import Reversal, Reversed

ID_BYTES: Final = 16
KINDS: Final = frozenset(kind.value for kind in Reversal)
_WAITING: Final = (State.ASKING, State.PAYING)
"""In these what is on the display waits for its own answer."""


class Reversing(Till):
    """See the module."""

    @staticmethod
    def _wants_of_reversal(event: ev.SaleReversed) -> tuple[Want, ...]:
        return (Want(reversal=event.id),)

    def _sale_reversed(self, event: ev.SaleReversed, rows: tuple[Row, ...], at: Moment) -> Step:
        visit = self.visit
        if visit.state is State.OUT_OF_SERVICE:
            return Step(visit=visit, verdict=Verdict(reason=Reason.OUT_OF_SERVICE))
        fact = Reversed(at.stamp, event.id, event.sale, event.kind, event.yen, self._site)
        before = rows[0].reversed
        if not _possible(event) or (before is not None and _told(before) != _told(fact)):
            return Step(visit=visit, verdict=Verdict(reason=Reason.NO_REVERSAL))
        facts = () if before is not None else (fact,)
        verdict = Verdict(reason=Reason.OK)
        if visit.state in _WAITING:
            return Step(visit=visit, facts=facts, verdict=verdict)
        after, timer = self._timed(State.SHOWING, SHOW_YES_MS)
        signal = Signal(light=Light.GREEN, sound=Sound.YES, duration_ms=SHOW_YES_MS)
        shown = Show(view=View.REVERSED, number=event.yen)
        return Step(visit=after, facts=facts, effects=(shown, signal, timer), verdict=verdict)


def _possible(event: ev.SaleReversed) -> bool:
    """Whether it can be booked at all; a void takes back the whole sale."""
    named = len(event.id) == ID_BYTES and len(event.sale) == ID_BYTES and event.kind in KINDS
    return named and 0 <= event.yen <= YEN_MAX and not (event.kind == Reversal.VOID and event.yen)


def _told(fact: Reversed) -> tuple[bytes, str, int]:
    """What must be the same for the same reversal; when and where it is asked again does not matter."""
    return fact.sale, fact.kind, fact.yen
