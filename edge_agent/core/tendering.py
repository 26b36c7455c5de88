"""Payment of the till's sale: in money, from a bank account, partly with points. Pure.

Points pay inside the payment: the redeemed coupons, the points that were spent and those that were earned are one
step. Where the member's card says their balance it is written first, down by what is spent and up by what is earned;
only when it was read back is the sale paid. Points are earned for what is paid in money, by the shop's own rule (M4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from edge_agent.core import events as ev
from edge_agent.core import sales
from edge_agent.core.cards import WRITING_MS, _is_worn
from edge_agent.core.effects import Show, TellHint, View
from edge_agent.core.pricing import Pricing, SaleBill, encode_view, of_sale, worth_yen
from edge_agent.core.receipt import (
    PaidView,
    SaleState,
    TillAnswer,
    TillReason,
)
from edge_agent.core.states import State
from edge_agent.core.visit import (
    AtTill,
    Ended,
    Moment,
    Row,
    Step,
    Want,
    Writing,
)
from loyalty import points as rules_of_points
from loyalty.coupon import Verdict
from loyalty.lease import Amount
from loyalty.points import POINTS_MAX
from loyalty.reason import Reason
from loyalty.tax import Price
from wire.facts import Earned, Fact, Spent

SAYS_OF_A_COUPON: Final = frozenset({"Scanned", "Answered", "TimeUp", "LinkChanged", "Missed", "CardPresented"})


class Tendering(Pricing):
    """See the module."""

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
        step = of_sale(step, paying=act if step.visit.paying is not None else None)
        if step.visit.paying is not None:
            return step
        reason = step.verdict.reason if step.verdict is not None else Reason.NOT_NOW
        step = of_sale(step, failed=(act.payment, reason))
        return self._refused(event, TillReason.REFUSED, by_want, at, step)

    def _pay_with_points(self, event: ev.TillAsks, act: ev.PaySale, by_want: Mapping[Want, Row], at: Moment) -> Step:
        known = self._till_row(by_want)
        here = next((one for one in known.programmes if one.programme.id == act.programme), None)
        if not known.holder:
            return self._refused(event, TillReason.NO_MEMBER, by_want, at)
        if here is None or here.programme.sell is None:
            return self._refused(event, TillReason.NO_WORTH, by_want, at)
        if act.points > POINTS_MAX or worth_yen(here, act.points) > self._bill(self.visit, by_want, at).total_yen:
            return self._refused(event, TillReason.TOO_MANY_POINTS, by_want, at)
        wanted = ev.PointsWanted(programme=act.programme, holder=known.holder, points=act.points, sale=event.sale)
        held = (Row(left=Amount(here.spendable)),)
        refusal = self._cannot_pay(wanted, held)
        if refusal is not None:
            step = self._show(Verdict(reason=refusal)) if self._may_scan() else Step(visit=self.visit)
            step = of_sale(step, failed=(act.payment, refusal))
            step = msgspec.structs.replace(step, effects=(*step.effects, *self._sought(wanted, held)))
            return self._refused(event, TillReason.REFUSED, by_want, at, step)
        member = self.visit.member
        if self.visit.state is State.ASKING:
            return self._refused(event, TillReason.BUSY, by_want, at)
        if member is None or self._speaks_of(wanted) is None or _is_worn(member):
            return self._complete(event, act, by_want, at)
        showing, timer = self._timed(State.SHOWING, WRITING_MS)
        step = Step(visit=showing, effects=(Show(view=View.CARD_WRITING), timer))
        return of_sale(self._card_follows(step, act, by_want, at, paying=wanted), paying=act)

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
        made: SaleBill,
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
            points_yen = min(worth_yen(here, act.points), total_yen)
            facts.append(
                Spent(at.stamp, self._new_id(), act.programme, known.holder, act.points, self._site, sale=sale.id)
            )
        money_yen = total_yen - points_yen
        facts += self._earned(sale.id, known, money_yen, at)
        facts.append(sales.bought(sale.id, known.holder, self._site, total_yen, sale.lines, at.stamp))
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
        ended = Ended(sale=sale.id, state=SaleState.PAID, payment=act.payment, body=encode_view(view))
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
                spent_yen = worth_yen(here, act.points)
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
        return of_sale(self._show(Verdict(reason=reason)), paying=None, failed=(sale.paying.payment, reason))

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
            return of_sale(step, paying=None, failed=(after.paying.payment, reason))
        if name in SAYS_OF_A_COUPON and step.verdict is not None and before.state is not State.PAYING:
            return of_sale(step, last=step.verdict)
        return step


def _after_one_fact(step: Step) -> Step:
    """The step, for facts that one more fact will stand before."""
    effects = (
        msgspec.structs.replace(effect, index=effect.index + 1) if isinstance(effect, TellHint) else effect
        for effect in step.effects
    )
    return msgspec.structs.replace(step, effects=tuple(effects))
