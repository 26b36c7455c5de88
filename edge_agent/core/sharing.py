"""What a unit does with the parts of limits and the homes of serials that it holds, and with points. Pure.

Each function is a handler of the machine: the visit, the event, the rows it asked for and the time lead to a step.
What is given away leaves with a fact, so that it is on disk before anybody else can use it; what is in a basket is
never given away. None of them changes the state of the visit, except that points are shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edge_agent.core import events as ev
from edge_agent.core.effects import AnswerHome, Effect, HandOver, TellTaken
from edge_agent.core.visit import Moment, Row, Step, Visit, Want
from loyalty.campaign import Policy
from loyalty.coupon import Coupon
from loyalty.lease import POINTS, Amount, Pot, parted
from loyalty.reason import Reason
from wire.facts import Fact, Given, HomeLeft, KeeperLeft, Returned, Taken

NewId = Callable[[], bytes]


def needs(event: ev.Event) -> tuple[Want, ...]:
    """The rows that the handlers of this module want."""
    if isinstance(event, ev.PartRecalled | ev.PartWanted):
        return (Want(pot=event.pot),)
    if isinstance(event, ev.PartOffered):
        return (Want(pot=event.pot, transfer=event.transfer),)
    if isinstance(event, ev.HomeWanted):
        return (Want(coupon=Coupon(campaign=event.campaign, serial=event.serial)),)
    if isinstance(event, ev.PointsWanted):
        return tuple(Want(pot=pot) for pot in floors(event))
    return ()


def floors(event: ev.PointsWanted) -> tuple[Pot, Pot]:
    """The two floors that points must stay within: the person's and the unit's."""
    return Pot(POINTS, event.programme, event.holder), Pot(POINTS, event.programme)


def _recalled(visit: Visit, event: ev.PartRecalled, rows: tuple[Row, ...], at: Moment, new_id: NewId) -> Step:
    amount = _spare(visit, event.pot, rows[0]).least(event.amount).above_zero
    return _kept(visit, Returned(at.stamp, new_id(), event.pot, amount)) if amount else Step(visit=visit)


def _wanted(visit: Visit, event: ev.PartWanted, rows: tuple[Row, ...], at: Moment, new_id: NewId) -> Step:
    amount = parted(_spare(visit, event.pot, rows[0]), event.amount)
    if not amount:
        return Step(visit=visit)
    given = Given(at.stamp, new_id(), event.device, event.pot, amount)
    return _kept(visit, given, HandOver(transfer=given.transfer, to=given.to, pot=given.pot, amount=given.amount))


def _offered(visit: Visit, event: ev.PartOffered, rows: tuple[Row, ...], at: Moment, new_id: NewId) -> Step:
    told = TellTaken(transfer=event.transfer, giver=event.giver)
    if rows[0].transferred:
        return Step(visit=visit, effects=(told,))
    return _kept(visit, Taken(at.stamp, event.transfer, event.giver, event.pot, event.amount), told)


def _home_wanted(visit: Visit, event: ev.HomeWanted, rows: tuple[Row, ...], at: Moment, new_id: NewId) -> Step:
    known = rows[0].known
    home, seen = known.home, known.seen

    def answer(reason: Reason | None, at_ms: int = 0, site: str = "") -> AnswerHome:
        return AnswerHome(
            question=event.question,
            device=event.device,
            by_lane=event.by_lane,
            left=reason is None,
            reason=reason or "",
            at_ms=at_ms,
            site=site,
        )

    if known.campaign is None or known.campaign.policy is not Policy.HOME or home is None:
        return Step(visit=visit, effects=(answer(Reason.NOT_HOME),))
    if seen is not None:
        return Step(visit=visit, effects=(answer(Reason.USED, seen.at_ms, seen.site),))
    if home.left is not None and home.left.question == event.question:
        return Step(visit=visit, effects=(answer(None),))
    # A unit asks one question at a time and withdraws one that timed out: its older one about this serial is over.
    again = home.left is not None and event.device != "" and home.left.device == event.device
    if not home.here and not again:
        return Step(visit=visit, effects=(answer(Reason.NOT_HOME, site=home.site),))
    in_hand = [reserved.coupon for reserved in visit.reserved] + ([visit.asked.coupon] if visit.asked else [])
    if any((coupon.campaign, coupon.serial) == (event.campaign, event.serial) for coupon in in_hand):
        return Step(visit=visit, effects=(answer(Reason.BUSY),))
    left = HomeLeft(at.stamp, event.question, event.campaign, event.serial, event.device)
    return _kept(visit, left, answer(None))


def _keeper_ends(visit: Visit, event: ev.KeeperEnds, rows: tuple[Row, ...], at: Moment, new_id: NewId) -> Step:
    return _kept(visit, KeeperLeft(at.stamp, event.term))


def _spare(visit: Visit, pot: Pot, row: Row) -> Amount:
    """What is left here and promised to nobody's basket."""
    return (row.left - visit.promised(pot)).above_zero


def _kept(visit: Visit, fact: Fact, *effects: Effect) -> Step:
    return Step(visit=visit, facts=(fact,), effects=effects)


HANDLERS: Final[dict[type, Callable[..., Step]]] = {
    ev.PartRecalled: _recalled,
    ev.PartWanted: _wanted,
    ev.PartOffered: _offered,
    ev.HomeWanted: _home_wanted,
    ev.KeeperEnds: _keeper_ends,
}
