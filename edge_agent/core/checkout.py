"""The till's sale over its interface: one at a time, each act of it safe to repeat. Pure.

An act stands for what a basket does (`core.till`, `core.paying`, `core.reversing`), and is answered with the whole
sale. What is open is kept in memory, as reservations are; what is over is kept on disk in the transaction of its facts
(`Step.ended`), so a till that did not see the answer is told the same one again, whatever happened in between.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from edge_agent.core import events as ev
from edge_agent.core import receipt
from edge_agent.core.effects import Show, TellTill, View
from edge_agent.core.examine import wants
from edge_agent.core.pricing import NOTHING_KNOWN, decode_view, encode_view
from edge_agent.core.receipt import (
    SaleState,
    SaleView,
    TillAnswer,
    TillReason,
)
from edge_agent.core.states import Mode, State
from edge_agent.core.tendering import Tendering
from edge_agent.core.till import BASKET_LIFE_MS
from edge_agent.core.visit import (
    AtTill,
    Ended,
    Moment,
    Row,
    Sale,
    Step,
    Want,
)
from hal.events import Scanned
from loyalty import tax
from loyalty.basket import Basket
from loyalty.reason import Reason
from loyalty.tax import Price
from wire.facts import Cancelled

STANDS_FOR: Final[dict[type, str]] = {
    ev.OpenSale: "BasketOpened",
    ev.AddCoupon: "Scanned",
    ev.DropCoupon: "BasketOpened",
    ev.PaySale: "BasketPaid",
    ev.CancelSale: "BasketCancelled",
    ev.ReverseSale: "SaleReversed",
    ev.ReadSale: "ReadSale",
}
"""The event whose transitions an act may make (`core.states`)."""


def stands_for(event: ev.Event) -> str:
    """Under which name the table of transitions has this event."""
    if not isinstance(event, ev.TillAsks):
        return type(event).__name__
    by_account = isinstance(event.act, ev.PaySale) and event.act.tender is ev.Tender.ACCOUNT
    return "PayByAccount" if by_account else STANDS_FOR[type(event.act)]


class Checkout(Tendering):
    """See the module."""

    def _wants_of_till(self, event: ev.TillAsks) -> tuple[Want, ...]:
        wanted = self._sale_wants(event.sale)
        if isinstance(event.act, ev.ReverseSale):
            return (wanted[0], Want(reversal=event.act.id))
        if isinstance(event.act, ev.AddCoupon) and self._may_scan():
            visit = self.visit
            return (*wanted, *wants(self._reading(_scan(event.act)), visit.card, visit.card_holder))
        return wanted

    @abstractmethod
    def _scanned(self, event: Scanned, rows: tuple[Row, ...], at: Moment) -> Step:
        """A coupon is held up (`core.machine`)."""

    def _till_asks(self, event: ev.TillAsks, rows: tuple[Row, ...], at: Moment) -> Step:
        visit, mine = self.visit, self.visit.sale is not None and self.visit.sale.id == event.sale
        by_want = dict(zip(self._wants_of_till(event), rows, strict=True))
        known = rows[0].till or NOTHING_KNOWN
        if self._mode is not Mode.LANE:
            return self._told(event, TillAnswer(refusal=TillReason.NOT_A_LANE))
        if isinstance(event.act, ev.ReverseSale):
            return self._reverse(event, event.act, known, rows, at)
        if known.ended is not None:
            return self._told(event, _of_ended(known.ended, event.act))
        if visit.state is State.OUT_OF_SERVICE:
            return self._told(event, TillAnswer(refusal=TillReason.OUT_OF_SERVICE))
        if not mine and isinstance(event.act, ev.CancelSale):
            gone = SaleView(sale=event.sale.hex(), state=SaleState.CANCELLED)
            ended = Ended(sale=event.sale, state=SaleState.CANCELLED, body=encode_view(gone))
            return msgspec.structs.replace(self._told(event, TillAnswer(sale=gone)), ended=ended)
        if not mine and not isinstance(event.act, ev.OpenSale):
            return self._told(event, TillAnswer(refusal=TillReason.UNKNOWN_SALE))
        step = _ACTS[type(event.act)](self, event, by_want, at)
        return (
            step
            if any(isinstance(effect, TellTill) for effect in step.effects)
            else self._answered_with(event, step, by_want, at)
        )

    def _open_sale(self, event: ev.TillAsks, by_want: Mapping[Want, Row], at: Moment) -> Step:
        act, visit = event.act, self.visit
        assert isinstance(act, ev.OpenSale), "dispatched by its type"
        mine = visit.sale is not None and visit.sale.id == event.sale
        if tax.problems([Price(line.rate_bp, line.yen) for line in act.lines]):
            return self._told(event, TillAnswer(refusal=TillReason.BAD_LINES))
        if not mine and visit.basket_yen is not None:
            return self._told(event, TillAnswer(refusal=TillReason.OTHER_SALE))
        if self._payment_under_way():
            return self._refused(event, TillReason.PAYMENT_UNDER_WAY, by_want, at)
        if not mine and visit.state is State.ASKING:
            return self._told(event, TillAnswer(refusal=TillReason.BUSY))
        spend_yen = sum(line.yen for line in act.lines)
        opened = ev.BasketOpened(spend_yen=spend_yen, basket=Basket(act.lines))
        step = self._basket_opened(opened, (), at)
        sale = Sale(id=event.sale) if visit.sale is None else visit.sale
        sale = msgspec.structs.replace(sale, lines=act.lines)
        return msgspec.structs.replace(step, visit=msgspec.structs.replace(step.visit, sale=sale))

    def _read_sale(self, event: ev.TillAsks, by_want: Mapping[Want, Row], at: Moment) -> Step:
        return Step(visit=self.visit)

    def _add_coupon(self, event: ev.TillAsks, by_want: Mapping[Want, Row], at: Moment) -> Step:
        act = event.act
        assert isinstance(act, ev.AddCoupon), "dispatched by its type"
        if not self._may_scan():
            busy = TillReason.PAYMENT_UNDER_WAY if self._payment_under_way() else TillReason.BUSY
            return self._refused(event, busy, by_want, at)
        scan = _scan(act)
        looked_up = wants(self._reading(scan), self.visit.card, self.visit.card_holder)
        step = self._scanned(scan, tuple(by_want[want] for want in looked_up), at)
        step = self._noted(step, "Scanned")
        asked = step.visit.asked
        if step.verdict is None and asked is not None:
            return self._answered_with(event, step, by_want, at, asked=receipt.coupon_id(asked.coupon).hex())
        said = step.visit.sale.last if step.visit.sale is not None else None
        return self._answered_with(
            event, step, by_want, at, coupon=None if said is None else receipt.coupon_view(None, said, self._till_rules)
        )

    def _drop_coupon(self, event: ev.TillAsks, by_want: Mapping[Want, Row], at: Moment) -> Step:
        act, visit = event.act, self.visit
        assert isinstance(act, ev.DropCoupon), "dispatched by its type"
        if self._payment_under_way():
            return self._refused(event, TillReason.PAYMENT_UNDER_WAY, by_want, at)
        if visit.state is State.ASKING:
            return self._refused(event, TillReason.BUSY, by_want, at)
        gone = [one for one in visit.reserved if receipt.coupon_id(one.coupon) == act.coupon]
        if not gone:
            return Step(visit=visit)
        kept = tuple(one for one in visit.reserved if one not in gone)
        held = [one for one in gone if one.question]
        after, timer = self._timed(State.BASKET, BASKET_LIFE_MS, reserved=kept, pending=None)
        return Step(
            visit=after,
            facts=tuple(Cancelled(at.stamp, one.question, one.coupon.campaign, one.coupon.serial) for one in held),
            closed=tuple(one.question for one in held),
            effects=(Show(view=View.BASKET, number=visit.basket_yen or 0), timer),
        )

    def _cancel_sale(self, event: ev.TillAsks, by_want: Mapping[Want, Row], at: Moment) -> Step:
        sale = self.visit.sale
        assert sale is not None, "it is the open one"
        if self.visit.writing is not None and sale.paying is not None:  # the card's balance is on its way down
            return self._refused(event, TillReason.PAYMENT_UNDER_WAY, by_want, at)
        gone = msgspec.structs.replace(self._view(self.visit, by_want, at), state=SaleState.CANCELLED)
        ended = Ended(sale=sale.id, state=SaleState.CANCELLED, body=encode_view(gone))
        step = msgspec.structs.replace(self._release(at), ended=ended)
        return self._told(event, TillAnswer(sale=gone), step)

    def _reverse(
        self, event: ev.TillAsks, act: ev.ReverseSale, known: AtTill, rows: tuple[Row, ...], at: Moment
    ) -> Step:
        """Any sale that is not open, whether this lane made it or not; what has to come of it is the centre's."""
        if self.visit.sale is not None and self.visit.sale.id == event.sale:
            return self._told(event, TillAnswer(refusal=TillReason.SALE_OPEN))
        if known.ended is not None and known.ended.state is SaleState.CANCELLED:
            return self._told(event, TillAnswer(refusal=TillReason.SALE_CANCELLED))
        asked = ev.SaleReversed(id=act.id, sale=event.sale, kind=act.kind, yen=act.yen)
        step = self._sale_reversed(asked, rows[1:], at)
        view = decode_view(known.ended.body) if known.ended is not None else None
        reason = step.verdict.reason if step.verdict is not None else Reason.NO_REVERSAL
        if reason is Reason.OK:
            return self._told(event, TillAnswer(sale=view), step)
        out = TillReason.OUT_OF_SERVICE if reason is Reason.OUT_OF_SERVICE else TillReason.NO_REVERSAL
        return self._told(event, TillAnswer(refusal=out, sale=view), step)


def _scan(act: ev.AddCoupon) -> Scanned:
    return Scanned(text=act.text, format=act.format)


def _of_ended(ended: Ended, act: ev.Act) -> TillAnswer:
    """What a till is told that goes on with a sale that is over."""
    view = decode_view(ended.body) if ended.body else None
    paid = ended.state is SaleState.PAID
    same = isinstance(act, ev.PaySale) and paid and act.payment == ended.payment
    if same or isinstance(act, ev.ReadSale) or (isinstance(act, ev.CancelSale) and not paid):
        return TillAnswer(sale=view)
    return TillAnswer(refusal=TillReason.SALE_PAID if paid else TillReason.SALE_CANCELLED, sale=view)


_ACTS: Final[dict[type, Callable[..., Step]]] = {
    ev.OpenSale: Checkout._open_sale,
    ev.ReadSale: Checkout._read_sale,
    ev.AddCoupon: Checkout._add_coupon,
    ev.DropCoupon: Checkout._drop_coupon,
    ev.PaySale: Checkout._pay_sale,
    ev.CancelSale: Checkout._cancel_sale,
}
