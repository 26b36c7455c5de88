"""The till's sale over its interface: one at a time, each act of it safe to repeat. Pure.

An act stands for what a basket does (`core.till`, `core.paying`), and is answered with the whole sale. What is open is
kept in memory, as reservations are; what is over is kept on disk in the transaction of its facts (`Step.ended`), so a
till that did not see the answer is told the same one again, whatever happened to the lane in between.

Points pay inside the payment: the redeemed coupons, the points that were spent and those that were earned are one
step. Where the member's card says their balance it is written first, down by what is spent and up by what is earned;
only when it was read back is the sale paid. Points are earned for what is paid in money, by the shop's own rule (M4).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from edge_agent.core import events as ev
from edge_agent.core import receipt
from edge_agent.core.cards import WRITING_MS, Cards, _is_worn
from edge_agent.core.effects import Show, TellHint, TellTill, View
from edge_agent.core.examine import wants
from edge_agent.core.paying import PayingByAccount
from edge_agent.core.receipt import (
    CouponView,
    FailedView,
    PaidView,
    PointsView,
    SaleState,
    SaleView,
    TillAnswer,
    TillReason,
)
from edge_agent.core.reversing import Reversing
from edge_agent.core.states import Mode, State
from edge_agent.core.till import BASKET_LIFE_MS
from edge_agent.core.visit import (
    AtTill,
    Ended,
    Moment,
    ProgrammeHere,
    Row,
    Sale,
    Step,
    Visit,
    Want,
    Writing,
)
from hal.events import Scanned
from loyalty import points as rules_of_points
from loyalty import tax
from loyalty.basket import Basket
from loyalty.coupon import Verdict
from loyalty.lease import Amount
from loyalty.points import POINTS_MAX
from loyalty.reason import Reason
from loyalty.tax import Part, Price
from wire.facts import Cancelled, Earned, Fact, Spent

NOTHING_KNOWN: Final = AtTill()
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(SaleView).decode

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

SAYS_OF_A_COUPON: Final = frozenset({"Scanned", "Answered", "TimeUp", "LinkChanged", "Missed", "CardPresented"})


def stands_for(event: ev.Event) -> str:
    """Under which name the table of transitions has this event."""
    if not isinstance(event, ev.TillAsks):
        return type(event).__name__
    by_account = isinstance(event.act, ev.PaySale) and event.act.tender is ev.Tender.ACCOUNT
    return "PayByAccount" if by_account else STANDS_FOR[type(event.act)]


class _Bill(msgspec.Struct, frozen=True, kw_only=True):
    """The open sale as it would be paid now."""

    coupons: tuple[CouponView, ...]
    price_yen: int
    discount_yen: int
    total_yen: int
    parts: tuple[Part, ...]


class Checkout(Cards, PayingByAccount, Reversing):
    """See the module."""

    # --- what must be looked up --------------------------------------------------------------------------

    def _sale_wants(self, sale: bytes) -> tuple[Want, ...]:
        """The sale's own row, and where it is the open one those of its coupons."""
        visit = self.visit
        wanted = (Want(sale=sale, card=visit.card, holder=visit.card_holder),)
        if visit.sale is None or visit.sale.id != sale:
            return wanted
        return (*wanted, *(reserved.want for reserved in visit.reserved))

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

    def _may_scan(self) -> bool:
        sale = self.visit.sale
        return super()._may_scan() and (sale is None or sale.paying is None)

    # --- acts --------------------------------------------------------------------------------------------

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
            ended = Ended(sale=event.sale, state=SaleState.CANCELLED, body=_encode(gone))
            return msgspec.structs.replace(self._told(event, TillAnswer(sale=gone)), ended=ended)
        if not mine and not isinstance(event.act, ev.OpenSale):
            return self._told(event, TillAnswer(refusal=TillReason.UNKNOWN_SALE))
        step = _ACTS[type(event.act)](self, event, by_want, at)
        return (
            step
            if any(isinstance(effect, TellTill) for effect in step.effects)
            else self._answered_with(event, step, by_want, at)
        )

    def _told(self, event: ev.TillAsks, answer: TillAnswer, step: Step | None = None) -> Step:
        step = step or Step(visit=self.visit)
        return msgspec.structs.replace(step, effects=(*step.effects, TellTill(reply=event.reply, answer=answer)))

    def _answered_with(
        self, event: ev.TillAsks, step: Step, by_want: Mapping[Want, Row], at: Moment, **terms: object
    ) -> Step:
        """The step, and the sale as it is after it."""
        view = self._view(step.visit, by_want, at)
        return self._told(event, msgspec.structs.replace(TillAnswer(sale=view), **terms), step)

    def _refused(
        self, event: ev.TillAsks, refusal: TillReason, by_want: Mapping[Want, Row], at: Moment, step: Step | None = None
    ) -> Step:
        return self._answered_with(event, step or Step(visit=self.visit), by_want, at, refusal=refusal)

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
        ended = Ended(sale=sale.id, state=SaleState.CANCELLED, body=_encode(gone))
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
        view = _decode(known.ended.body) if known.ended is not None else None
        reason = step.verdict.reason if step.verdict is not None else Reason.NO_REVERSAL
        if reason is Reason.OK:
            return self._told(event, TillAnswer(sale=view), step)
        out = TillReason.OUT_OF_SERVICE if reason is Reason.OUT_OF_SERVICE else TillReason.NO_REVERSAL
        return self._told(event, TillAnswer(refusal=out, sale=view), step)

    # --- payment -----------------------------------------------------------------------------------------

    def _pay_sale(self, event: ev.TillAsks, by_want: Mapping[Want, Row], at: Moment) -> Step:
        act, visit, sale = event.act, self.visit, self.visit.sale
        assert isinstance(act, ev.PaySale), "dispatched by its type"
        assert sale is not None, "it is the open one"
        if sale.paying is not None:
            if sale.paying == act:
                return Step(visit=visit)  # it is under way; the answer says so
            if visit.writing is not None:
                return self._refused(event, TillReason.PAYMENT_UNDER_WAY, by_want, at)
        if sale.failed is not None and sale.failed[0] == act.payment:
            return self._refused(event, TillReason.REFUSED, by_want, at)
        if act.tender is ev.Tender.ACCOUNT:
            return self._pay_from_account(event, act, by_want, at)
        return self._pay_with_points(event, act, by_want, at) if act.points else self._complete(event, act, by_want, at)

    def _pay_from_account(self, event: ev.TillAsks, act: ev.PaySale, by_want: Mapping[Want, Row], at: Moment) -> Step:
        """The bank is asked for what is left after the coupons in the sale."""
        if act.points:
            return self._refused(event, TillReason.POINTS_AND_ACCOUNT, by_want, at)
        if self.visit.state in (State.ASKING, State.PAYING):
            return self._refused(event, TillReason.BUSY, by_want, at)
        lines = tuple(Price(part.rate_bp, part.gross_yen) for part in self._bill(self.visit, by_want, at).parts)
        asked = ev.PayByAccount(account=act.account, lines=lines, payment=act.payment, sale=event.sale)
        step = self._pay_by_account(asked, (), at)
        step = _of_sale(step, paying=act if step.visit.paying is not None else None)
        if step.visit.paying is not None:
            return step
        reason = step.verdict.reason if step.verdict is not None else Reason.NOT_NOW
        step = _of_sale(step, failed=(act.payment, reason))
        return self._refused(event, TillReason.REFUSED, by_want, at, step)

    def _pay_with_points(self, event: ev.TillAsks, act: ev.PaySale, by_want: Mapping[Want, Row], at: Moment) -> Step:
        known = self._till_row(by_want)
        here = next((one for one in known.programmes if one.programme.id == act.programme), None)
        if not known.holder:
            return self._refused(event, TillReason.NO_MEMBER, by_want, at)
        if here is None or here.programme.sell is None:
            return self._refused(event, TillReason.NO_WORTH, by_want, at)
        if act.points > POINTS_MAX or _worth_yen(here, act.points) > self._bill(self.visit, by_want, at).total_yen:
            return self._refused(event, TillReason.TOO_MANY_POINTS, by_want, at)
        wanted = ev.PointsWanted(programme=act.programme, holder=known.holder, points=act.points, sale=event.sale)
        left = (Row(left=Amount(here.spendable)),)
        refusal = self._cannot_pay(wanted, left)
        if refusal is not None:
            step = self._show(Verdict(reason=refusal)) if self._may_scan() else Step(visit=self.visit)
            step = msgspec.structs.replace(step, effects=(*step.effects, *self._sought(wanted, left)))
            step = _of_sale(step, failed=(act.payment, refusal))
            return self._refused(event, TillReason.REFUSED, by_want, at, step)
        member = self.visit.member
        if self.visit.state is State.ASKING:
            return self._refused(event, TillReason.BUSY, by_want, at)
        if member is None or self._speaks_of(wanted) is None or _is_worn(member):
            return self._complete(event, act, by_want, at)
        showing, timer = self._timed(State.SHOWING, WRITING_MS)
        step = Step(visit=showing, effects=(Show(view=View.CARD_WRITING), timer))
        return _of_sale(self._card_follows(step, act, by_want, at, paying=wanted), paying=act)

    def _complete(self, event: ev.TillAsks | None, act: ev.PaySale, by_want: Mapping[Want, Row], at: Moment) -> Step:
        """Paid: coupons redeem, points move, and the receipt is kept, in one step."""
        sale = self.visit.sale
        assert sale is not None, "it is the open one"
        rows = tuple(by_want[reserved.want] for reserved in self.visit.reserved)
        made = self._bill(self.visit, by_want, at)
        step = self._basket_paid(ev.BasketPaid(sale=sale.id), rows, at)
        return self._ended(event, step, act, made, made.total_yen, by_want, at)

    def _ended(
        self,
        event: ev.TillAsks | None,
        step: Step,
        act: ev.PaySale,
        made: _Bill,
        total_yen: int,
        by_want: Mapping[Want, Row],
        at: Moment,
        coupon: Verdict | None = None,
    ) -> Step:
        """The step that pays, with the points that move and the receipt. `coupon`: it was selected for the account."""
        sale, known = self.visit.sale, self._till_row(by_want)
        assert sale is not None, "it is the open one"
        points_yen, facts = 0, list[Fact]()
        if act.points:
            here = next(one for one in known.programmes if one.programme.id == act.programme)
            points_yen = min(_worth_yen(here, act.points), total_yen)
            facts.append(
                Spent(at.stamp, self._new_id(), act.programme, known.holder, act.points, self._site, sale=sale.id)
            )
        money_yen = total_yen - points_yen
        facts += self._earned(sale.id, known, money_yen, at)
        step = msgspec.structs.replace(step, facts=(*step.facts, *facts))
        if self.visit.writing is None:  # where points pay with the card, it says all of it already
            step = self._card_follows(step, act, by_want, at)
        campaign = coupon.campaign if coupon is not None else None
        paid = PaidView(
            payment=act.payment.hex(),
            tender=act.tender.value,
            yen=money_yen,
            programme=act.programme if act.points else 0,
            points=act.points,
            points_yen=points_yen,
            campaign=campaign.id if campaign is not None else 0,
            name=campaign.name if campaign is not None else "",
        )
        view = msgspec.structs.replace(
            self._shape(sale, SaleState.PAID, made, known, money_yen, at),
            discount_yen=made.price_yen - total_yen,
            total_yen=total_yen,
            paid=paid,
            failed=None,
        )
        ended = Ended(sale=sale.id, state=SaleState.PAID, payment=act.payment, body=_encode(view))
        step = msgspec.structs.replace(step, ended=ended)
        return step if event is None else self._told(event, TillAnswer(sale=view), step)

    def _earned(self, sale: bytes, known: AtTill, money_yen: int, at: Moment) -> list[Fact]:
        facts: list[Fact] = []
        for here in known.programmes if known.holder else ():
            rule = rules_of_points.in_force(here.rule, at.wall_ms)
            points = min(rules_of_points.earned(rule, money_yen), POINTS_MAX) if rule is not None else 0
            if rule is not None and points:
                facts.append(
                    Earned(
                        at.stamp, self._new_id(), here.programme.id, known.holder, points, self._site, money_yen,
                        rule.revision, sale,
                    )
                )  # fmt: skip
        return facts

    def _card_follows(
        self,
        step: Step,
        act: ev.PaySale,
        by_want: Mapping[Want, Row],
        at: Moment,
        paying: ev.PointsWanted | None = None,
    ) -> Step:
        """The step, and the card in the slot says what is left of its points after this sale, where it says them."""
        member, known = self.visit.member, self._till_row(by_want)
        if member is None or self.visit.writing is not None or _is_worn(member) or member.record.holder != known.holder:
            return step
        total_yen = self._bill(self.visit, by_want, at).total_yen
        record = member.record
        spent_yen = 0
        for here in known.programmes:
            if act.points and here.programme.id == act.programme:
                spent_yen = _worth_yen(here, act.points)
        for here in known.programmes:
            number, said = here.programme.id, record.points(here.programme.id)
            if said is None:
                continue
            rule = rules_of_points.in_force(here.rule, at.wall_ms)
            earned = rules_of_points.earned(rule, total_yen - spent_yen) if rule is not None else 0
            spent = act.points if number == act.programme else 0
            if earned != spent:
                record = record.with_points(number, said + earned - spent)
        if record == member.record and paying is None:
            return step
        return self._write(step, member.slot, member.card, member.found, record, self._new_id(), at, paying=paying)

    # --- what comes of a payment later -------------------------------------------------------------------

    def _after_write(self, writing: Writing, rows: tuple[Row, ...], at: Moment, *, done: bool) -> Step:
        sale = self.visit.sale
        if sale is None or sale.paying is None or writing.paying is None:
            return super()._after_write(writing, rows, at, done=done)
        by_want = dict(zip(self._sale_wants(sale.id), rows, strict=True))
        spendable = {one.programme.id: one.spendable for one in self._till_row(by_want).programmes}
        if done and spendable.get(sale.paying.programme, 0) >= sale.paying.points:
            return _after_one_fact(self._complete(None, sale.paying, by_want, at))
        reason = Reason.NO_POINTS if done else Reason.CARD_NOT_WRITTEN
        return _of_sale(self._show(Verdict(reason=reason)), paying=None, failed=(sale.paying.payment, reason))

    def _payment_answered(self, event: ev.PaymentAnswered, rows: tuple[Row, ...], at: Moment) -> Step:
        sale = self.visit.sale
        if sale is None or sale.paying is None or not rows:
            return super()._payment_answered(event, rows, at)
        coupon_row, sale_row, *reserved = rows
        by_want = dict(zip(self._sale_wants(sale.id), (sale_row, *reserved), strict=True))
        made = self._bill(self.visit, by_want, at)
        step = super()._payment_answered(event, (coupon_row, *reserved), at)
        if step.visit.sale is not None:  # it is not settled
            return step
        parts = event.parts or made.parts
        settled = msgspec.structs.replace(made, parts=parts)
        return self._ended(None, step, sale.paying, settled, event.debit_yen, by_want, at, step.verdict)

    def _noted(self, step: Step, name: str) -> Step:
        """The step, and the sale remembers what was said: of its last coupon, or of a payment that came to nothing."""
        before, after = self.visit, step.visit.sale
        if after is None:
            return step
        if after.paying is not None and step.visit.paying is None and step.visit.writing is None:
            reason = step.verdict.reason if step.verdict is not None else Reason.NOT_NOW
            return _of_sale(step, paying=None, failed=(after.paying.payment, reason))
        if name in SAYS_OF_A_COUPON and step.verdict is not None and before.state is not State.PAYING:
            return _of_sale(step, last=step.verdict)
        return step

    def _payment_under_way(self) -> bool:
        sale = self.visit.sale
        return self.visit.state is State.PAYING or (sale is not None and sale.paying is not None)

    # --- the sale as it is -------------------------------------------------------------------------------

    def _till_row(self, by_want: Mapping[Want, Row]) -> AtTill:
        return next((row.till for want, row in by_want.items() if want.sale and row.till is not None), NOTHING_KNOWN)

    def _bill(self, visit: Visit, by_want: Mapping[Want, Row], at: Moment) -> _Bill:
        """What the sale of `visit` comes to; every coupon in it was looked up."""
        assert visit.sale is not None, "a sale is open"
        rows = tuple(by_want[reserved.want] for reserved in visit.reserved)
        coupons, discount_yen = list[CouponView](), 0
        for reserved, verdict in self._in_basket(rows, at, visit):
            view = receipt.coupon_view(reserved.coupon, verdict, self._till_rules, reserved=True)
            coupons.append(view)
            discount_yen += view.discount_yen
        price_yen = sum(line.yen for line in visit.sale.lines)
        made = receipt.bill(visit.sale.lines, min(discount_yen, price_yen), self._till_rules)
        return _Bill(
            coupons=tuple(coupons),
            price_yen=price_yen,
            discount_yen=made.saved_yen,
            total_yen=made.gross_yen,
            parts=made.parts,
        )

    def _view(self, visit: Visit, by_want: Mapping[Want, Row], at: Moment) -> SaleView:
        sale = visit.sale
        assert sale is not None, "a sale is open"
        state = SaleState.OPEN
        if visit.state is State.ASKING:
            state = SaleState.ASKING
        elif visit.state is State.PAYING or sale.paying is not None:
            state = SaleState.PAYING
        made = self._bill(visit, by_want, at)
        return self._shape(sale, state, made, self._till_row(by_want), made.total_yen, at)

    def _shape(self, sale: Sale, state: SaleState, made: _Bill, known: AtTill, money_yen: int, at: Moment) -> SaleView:
        failed = None
        if sale.failed is not None:
            payment, reason = sale.failed
            failed = FailedView(
                payment=payment.hex(), reason=reason, words=receipt.words(Verdict(reason=reason), self._till_rules)
            )
        return SaleView(
            sale=sale.id.hex(),
            state=state,
            lines=sale.lines,
            coupons=made.coupons,
            last=None if sale.last is None else receipt.coupon_view(None, sale.last, self._till_rules),
            price_yen=made.price_yen,
            discount_yen=made.discount_yen,
            total_yen=made.total_yen,
            tax=receipt.tax_views(made.parts),
            member=known.holder > 0,
            points=tuple(self._points_view(here, money_yen, at) for here in known.programmes if known.holder),
            failed=failed,
        )

    def _points_view(self, here: ProgrammeHere, money_yen: int, at: Moment) -> PointsView:
        programme, rule = here.programme, rules_of_points.in_force(here.rule, at.wall_ms)
        said = self.visit.member.record.points(programme.id) if self.visit.member is not None else None
        sell = programme.sell
        return PointsView(
            programme=programme.id,
            name=programme.name,
            spendable=max(0, here.spendable if said is None else min(said, here.spendable)),
            yen=sell.yen if sell is not None else 0,
            points=sell.points if sell is not None else 1,
            earns=rules_of_points.earned(rule, money_yen) if rule is not None else 0,
        )


def _scan(act: ev.AddCoupon) -> Scanned:
    return Scanned(text=act.text, format=act.format)


def _worth_yen(here: ProgrammeHere, points: int) -> int:
    programme = here.programme
    if programme.sell is None:
        return 0
    rounding = programme.rounding
    return rules_of_points.worth_yen(programme.sell, points, rounding)


def _of_sale(step: Step, **changes: object) -> Step:
    """The step, with these changes to the open sale."""
    sale = step.visit.sale
    if sale is None:
        return step
    changed = msgspec.structs.replace(sale, **changes)
    return msgspec.structs.replace(step, visit=msgspec.structs.replace(step.visit, sale=changed))


def _after_one_fact(step: Step) -> Step:
    """The step, for facts that one more fact will stand before."""
    effects = (
        msgspec.structs.replace(effect, index=effect.index + 1) if isinstance(effect, TellHint) else effect
        for effect in step.effects
    )
    return msgspec.structs.replace(step, effects=tuple(effects))


def _of_ended(ended: Ended, act: ev.Act) -> TillAnswer:
    """What a till is told that goes on with a sale that is over."""
    view = _decode(ended.body) if ended.body else None
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
