"""The core of a unit: one event, the rows it asked for, and the time, become facts and effects. Pure.

For each event the runner calls `needs`, reads those rows in the transaction that will also hold the facts,
calls `handle`, commits, calls `adopt`, and only then performs the effects: durable before visible. When the
commit fails, `adopt` is not called, nothing was shown, and the machine is told `StoreFailed`.

A coupon redeems when it is scanned (kiosk), or is reserved and redeems with the payment (lane). A campaign
that only the centre decides opens a question, which is on disk before it is asked; one that is not answered
in time is withdrawn by a fact, so that whatever the centre grants too late is void.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from edge_agent.core import events as ev
from edge_agent.core import sharing
from edge_agent.core.asking import ELSEWHERE
from edge_agent.core.base import SHOW_NO_MS
from edge_agent.core.browsing import Pages
from edge_agent.core.checkout import Checkout, stands_for
from edge_agent.core.effects import MarkShown, Show, Signal, View
from edge_agent.core.examine import coupon_in, examine, wants
from edge_agent.core.states import Mode, State, check
from edge_agent.core.till import BASKET_LIFE_MS
from edge_agent.core.visit import Moment, Pending, Reserved, Row, Step, Visit, Want
from hal.events import ButtonPressed, CardPresented, CardRemoved, PartFault, PartHealed, Scanned
from hal.indicators import Light, Sound
from loyalty.barcode import Own, Reading
from loyalty.campaign import Policy
from loyalty.coupon import Now, Verdict
from loyalty.reason import Reason
from wire.facts import Cancelled, CardSettled, Outcome

STILL_UP_MS: Final = 60_000  # a phone whose moving code counted so lately is still the same shopper's turn
_FOR_A_CARD: Final = frozenset({Reason.NEEDS_CARD, Reason.WRONG_HOLDER})
"""After these a coupon that needs its holder's card waits for it."""


class Core(Pages, Checkout):
    """The machine of one unit. See the module."""

    # --- the three calls of the runner --------------------------------------------------------------

    def needs(self, event: ev.Event) -> tuple[Want, ...]:
        """The coupons whose rows `handle` will want for this event."""
        visit = self.visit
        if isinstance(event, Scanned):
            return wants(self._reading(event), visit.card, visit.card_holder) if self._may_scan() else ()
        if isinstance(event, CardPresented):
            return self._needs_of_card(event)
        if isinstance(event, ev.TillAsks):
            return self._wants_of_till(event)
        if isinstance(event, ev.CardWritten):
            writing = visit.writing
            if visit.sale is not None and visit.sale.paying is not None:
                return self._sale_wants(visit.sale.id)
            return sharing.needs(writing.paying) if writing is not None and writing.paying is not None else ()
        if isinstance(event, ev.Answered) and visit.asked is not None and visit.asked.question == event.question:
            return (visit.asked.want,)
        if isinstance(event, ev.PaymentAnswered):
            wanted = self._wants_of_payment(event)
            if not wanted or visit.sale is None or visit.sale.paying is None:
                return wanted
            return (wanted[0], *self._sale_wants(visit.sale.id))
        if isinstance(event, ev.BasketPaid):
            return tuple(reserved.want for reserved in visit.reserved)
        if isinstance(event, ev.SaleReversed):
            return self._wants_of_reversal(event)
        return sharing.needs(event)

    def _needs_of_card(self, event: CardPresented) -> tuple[Want, ...]:
        """The card, and the coupon that waits for it."""
        visit = self.visit
        if visit.state is State.OUT_OF_SERVICE:
            return ()
        if visit.pending is None or not self._may_scan():
            return (Want(card=event.uid, slot=event),)
        return tuple(
            msgspec.structs.replace(want, slot=event) for want in wants(self._reading(visit.pending.event), event.uid)
        )

    def handle(self, event: ev.Event, rows: tuple[Row, ...], at: Moment) -> Step:
        """The step that `event` leads to. Pure: the same machine, event, rows and time give the same step."""
        handler, sharer = _HANDLERS.get(type(event)), sharing.HANDLERS.get(type(event))
        if handler is not None:
            step = handler(self, event, rows, at)
        elif sharer is not None:
            step = sharer(self.visit, event, rows, at, self._new_id)
        else:
            step = Step(visit=self.visit)
        step = self._noted(step, type(event).__name__)
        reach = self._reach_after(event, at)
        if step.visit.reach is not reach:
            step = msgspec.structs.replace(step, visit=msgspec.structs.replace(step.visit, reach=reach))
        check(self.visit.state, stands_for(event), step.visit.state)
        return step

    def adopt(self, step: Step) -> None:
        """The step is on disk."""
        self.visit = step.visit

    # --- scanning ------------------------------------------------------------------------------------

    def _scanned(self, event: Scanned, rows: tuple[Row, ...], at: Moment) -> Step:
        visit = self.visit
        if not self._may_scan():
            return Step(visit=visit)
        return self._held_up(event, rows, at, at.now, visit.card, visit.card_holder)

    def _held_up(
        self, event: Scanned, rows: tuple[Row, ...], at: Moment, shown_at: Now, card: bytes, holder: int
    ) -> Step:
        """The answer to what is, or a moment ago was, before the camera, with this card, that speaks for this
        holder, in the slot."""
        visit = self.visit
        reading = self._reading(event)
        if self._still_up(reading, at):  # what was said stands, and nothing is shown anew
            return Step(visit=visit, verdict=Verdict(reason=Reason.OK_AGAIN))
        row = rows[0] if rows else Row()
        if visit.reserved:
            row = self._with_basket(row, coupon_in(reading, row.known.campaign, at.now, self._shop))
        verdict = examine(
            reading,
            event.confirmed,
            row,
            site=self._site,
            spend_yen=visit.basket_yen,
            now=at.now,
            basket=visit.basket,
            shop=self._shop,
            shown_at=shown_at,
        )
        coupon, campaign = verdict.coupon, verdict.campaign
        if campaign is not None and campaign.needs_card and verdict.reason in _FOR_A_CARD:
            return self._show(verdict, pending=Pending(event=event, shown_at=shown_at), asked=None)
        if verdict.reason in ELSEWHERE:
            return self._elsewhere(event, verdict, row, at)
        if not verdict.accepted or coupon is None or campaign is None:
            return self._refuse(verdict, event.frame)
        (want,) = wants(reading, card, holder)
        if verdict.reason is Reason.OK_AGAIN:
            seen = row.known.seen
            assert seen is not None, "the same yes again without the fact it repeats"
            return self._show(verdict, MarkShown(numbers=(seen.fact,)))
        if any(other.coupon.is_same(coupon) for other in visit.reserved):
            return self._show(msgspec.structs.replace(verdict, reason=Reason.RESERVED))
        if campaign.policy is Policy.ONLINE:
            return self._ask_centre(event, msgspec.structs.replace(verdict, reason=Reason.NOT_NOW), at)
        if self._mode is Mode.LANE and visit.basket_yen is not None:
            return self._reserve(verdict, Reserved(want=want, coupon=coupon, leased=verdict.leased))
        return self._redeem(verdict, coupon, b"", at)

    def _card_presented(self, event: CardPresented, rows: tuple[Row, ...], at: Moment) -> Step:
        """The card that a coupon waits for is its second half."""
        pending = self.visit.pending
        row = rows[0] if rows else Row()
        if pending is None or not self._may_scan() or (row.seen is not None and self._is_refused(row.seen)):
            return self._put_in(event, row, None, at)
        holder = row.seen.holder if row.seen is not None else 0
        step = self._held_up(pending.event, rows, at, pending.shown_at, event.uid, holder)
        asked = step.visit.asked
        if asked is not None:  # it is judged again when the answer comes: with this card
            want = msgspec.structs.replace(asked.want, card=event.uid, holder=holder)
            asked = msgspec.structs.replace(asked, want=want)
        step = msgspec.structs.replace(step, visit=msgspec.structs.replace(step.visit, asked=asked))
        return self._put_in(event, row, step, at)

    def _still_up(self, reading: Reading, at: Moment) -> bool:
        """Whether this is the next code of a phone whose code counted a moment ago: nobody has shown anything anew."""
        counted = self.visit.counted
        if counted is None or not isinstance(reading, Own) or at.mono_ms - counted.mono_ms > STILL_UP_MS:
            return False
        return reading.coupon.step > counted.coupon.step and counted.coupon.is_same(reading.coupon)

    # --- time, trouble, and the rest -----------------------------------------------------------------

    def _time_up(self, event: ev.TimeUp, rows: tuple[Row, ...], at: Moment) -> Step:
        visit = self.visit
        if event.id != visit.timer:
            return Step(visit=visit)
        if visit.state is State.ASKING:
            return self._not_now(at)
        if visit.state is State.PAYING:
            return self._give_up(Reason.NOT_NOW, at)
        if visit.state is State.BASKET:
            return self._release(at)
        if visit.state is State.BROWSING:
            return self._nobody_presses()
        if visit.state is not State.SHOWING:
            return Step(visit=visit)
        if visit.basket_yen is not None:
            after, timer = self._timed(State.BASKET, BASKET_LIFE_MS, pending=None)
            return Step(visit=after, effects=(Show(view=View.BASKET, number=visit.basket_yen), timer))
        return Step(
            visit=msgspec.structs.replace(visit, state=State.READY, pending=None, offered=False), effects=(visit.idle,)
        )

    def _started(self, event: ev.Started, rows: tuple[Row, ...], at: Moment) -> Step:
        withdrawn = tuple(Cancelled(at.stamp, q.question, q.campaign, q.serial) for q in event.open_questions)
        doubted = tuple(CardSettled(at.stamp, id, Outcome.DOUBT.value) for id in event.unfinished_cards)
        return Step(
            visit=self.visit,
            facts=(*withdrawn, *doubted),
            closed=tuple(q.question for q in event.open_questions),
            effects=(self.visit.idle,),
        )

    def _store_failed(self, event: ev.StoreFailed, rows: tuple[Row, ...], at: Moment) -> Step:
        before = self.visit
        visit = Visit(
            state=State.OUT_OF_SERVICE,
            reach=before.reach,
            timer=before.timer + 1,
            blind=before.blind,
            lanes=before.lanes,
            card=before.card,
        )
        effects = (
            Show(view=View.OUT_OF_SERVICE, detail=event.detail),
            Signal(light=Light.RED, sound=Sound.NO, duration_ms=SHOW_NO_MS),
        )
        return Step(visit=visit, effects=effects if self.visit.state is not State.OUT_OF_SERVICE else ())

    def _store_recovered(self, event: ev.StoreRecovered, rows: tuple[Row, ...], at: Moment) -> Step:
        if self.visit.state is not State.OUT_OF_SERVICE:
            return Step(visit=self.visit)
        visit = msgspec.structs.replace(self.visit, state=State.READY)
        return Step(visit=visit, effects=(visit.idle,))

    def _part_changed(self, event: PartFault | PartHealed, rows: tuple[Row, ...], at: Moment) -> Step:
        """Without its camera a unit can do nothing for a shopper, and says so."""
        if event.part != "camera":
            return Step(visit=self.visit)
        visit = msgspec.structs.replace(self.visit, blind=isinstance(event, PartFault))
        return Step(visit=visit, effects=(visit.idle,) if visit.state is State.READY else ())


_HANDLERS: Final[dict[type, Callable[..., Step]]] = {
    Scanned: Core._scanned,
    CardPresented: Core._card_presented,
    CardRemoved: Core._card_removed,
    ev.Started: Core._started,
    ev.Answered: Core._answered,
    ev.CardWritten: Core._card_written,
    ev.CardOffered: Core._card_offered,
    ev.CardGranted: Core._card_granted,
    ev.CardDenied: Core._card_denied,
    ev.TimeUp: Core._time_up,
    ev.LinkChanged: Core._reach_changed,
    ev.Heard: Core._reach_changed,
    ev.Missed: Core._reach_changed,
    ev.Stirred: Core._reach_changed,
    ev.ProbeDue: Core._probe_due,
    ev.LanesChanged: Core._lanes_changed,
    ev.PointsEarned: Core._points,
    ev.PointsWanted: Core._points,
    ev.SaleReversed: Core._sale_reversed,
    ButtonPressed: Core._button_pressed,
    ev.PagesTold: Core._pages_told,
    ev.OffersTold: Core._offers_told,
    ev.CouponTaken: Core._coupon_taken,
    ev.BasketOpened: Core._basket_opened,
    ev.BasketPaid: Core._basket_paid,
    ev.BasketCancelled: Core._basket_cancelled,
    ev.TillAsks: Core._till_asks,
    ev.PayByAccount: Core._pay_by_account,
    ev.PaymentAnswered: Core._payment_answered,
    PartFault: Core._part_changed,
    PartHealed: Core._part_changed,
    ev.StoreFailed: Core._store_failed,
    ev.StoreRecovered: Core._store_recovered,
}
