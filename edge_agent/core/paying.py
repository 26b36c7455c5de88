"""Payment of the basket by bank account (B2, B6, B7). Pure.

The question is on disk before it is asked, as every question. The goods are given for 'settled' alone; whatever else
comes, or nothing in time, the lane withdraws by a fact, and the centre sees to it that the money is where it was.
"""

from __future__ import annotations

from typing import Final

import msgspec

from edge_agent.core import events as ev
from edge_agent.core.effects import AskBank, Show, Signal, TellHint, View
from edge_agent.core.states import Mode, State
from edge_agent.core.till import Till
from edge_agent.core.visit import Moment, Paying, Row, Step, Want
from hal.indicators import Light, Sound
from loyalty import tax
from loyalty.campaign import Policy
from loyalty.coupon import Coupon, Verdict
from loyalty.reason import Reason
from wire.facts import Cancelled, Redeemed
from wire.messages import Settled

ID_BYTES: Final = 16
PAY_WAIT_MS: Final = 6_000
"""How long a shopper waits for the bank: longer than a bank may take, so that a doubt is told before the time is up."""


class PayingByAccount(Till):
    """See the module."""

    def _wants_of_payment(self, event: ev.PaymentAnswered) -> tuple[Want, ...]:
        paying = self.visit.paying
        if paying is None or paying.question != event.question or event.state is not Settled.SETTLED:
            return ()
        used = Coupon(campaign=event.campaign, serial=event.serial, holder=event.holder)
        return (Want(coupon=used), *(reserved.want for reserved in self.visit.reserved))

    def _pay_by_account(self, event: ev.PayByAccount, rows: tuple[Row, ...], at: Moment) -> Step:
        visit = self.visit
        if self._mode is not Mode.LANE or visit.basket_yen is None or not self._may_scan():
            return Step(visit=visit, verdict=Verdict(reason=Reason.BUSY))
        impossible = tax.problems(event.lines, points_yen=event.points_yen) or len(event.payment) not in (0, ID_BYTES)
        if impossible or not visit.reach.wait_ms:
            return self._show(Verdict(reason=Reason.NOT_NOW))
        question = event.payment or self._new_id()
        paying = Paying(question=question, price_yen=sum(line.yen for line in event.lines), sale=event.sale)
        after, timer = self._timed(State.PAYING, PAY_WAIT_MS, paying=paying, pending=None)
        asking = AskBank(
            question=question,
            account=event.account,
            lines=event.lines,
            points_yen=event.points_yen,
            wait_ms=PAY_WAIT_MS,
            sale=event.sale,
        )
        return Step(
            visit=after,
            opened=ev.OpenQuestion(question=question, campaign=0, serial=0),
            effects=(
                Show(view=View.PAYING, number=paying.price_yen),
                Signal(light=Light.AMBER, sound=Sound.NONE, duration_ms=PAY_WAIT_MS),
                asking,
                timer,
            ),
        )

    def _payment_answered(self, event: ev.PaymentAnswered, rows: tuple[Row, ...], at: Moment) -> Step:
        paying = self.visit.paying
        if paying is None or paying.question != event.question:
            return Step(visit=self.visit)  # too late, or not ours: the withdrawal is on its way
        if event.state is Settled.SETTLED:
            return self._settled(event, rows, at)
        if event.state is Settled.IN_DOUBT:
            return self._give_up(Reason.IN_DOUBT, at)
        step = self._show(Verdict(reason=event.reason), paying=None)
        return msgspec.structs.replace(step, closed=(paying.question,))

    def _settled(self, event: ev.PaymentAnswered, rows: tuple[Row, ...], at: Moment) -> Step:
        """The basket is paid: its own coupons redeem, and so does the one that was selected for the account."""
        campaign, seen = rows[0].known.campaign, rows[0].known.seen
        step = super()._basket_paid(ev.BasketPaid(sale=self._sale), rows[1:], at)
        saved_yen = sum(part.price_yen - part.gross_yen for part in event.parts)
        verdict = Verdict(reason=Reason.OK, campaign=campaign if event.campaign else None, discount_yen=saved_yen)
        effects = tuple(
            Show(view=View.SETTLED, number=event.debit_yen, verdict=verdict) if isinstance(effect, Show) else effect
            for effect in step.effects
        )
        closed = (*step.closed, event.question)
        if not event.campaign or (seen is not None and seen.here):  # no coupon; or told again: its fact is there
            return msgspec.structs.replace(step, effects=effects, closed=closed, verdict=verdict)
        fact = Redeemed(
            at.stamp,
            event.campaign,
            event.serial,
            event.holder,
            event.revision,
            (campaign.policy if campaign is not None else Policy.ONLINE).value,
            self._site,
            event.price_yen,
            event.discount_yen,
            0,
            event.question,
            cost_yen=event.discount_yen if campaign is not None and campaign.budget_yen is not None else 0,
            sale=self._sale,
        )
        hint = TellHint(index=len(step.facts))
        return msgspec.structs.replace(
            step, facts=(*step.facts, fact), effects=(*effects, hint), closed=closed, verdict=verdict
        )

    @property
    def _sale(self) -> bytes:
        """Of the payment that is under way."""
        return b"" if self.visit.paying is None else self.visit.paying.sale

    # --- paid in another way, or given up, while the bank is asked ---------------------------------------

    def _basket_paid(self, event: ev.BasketPaid, rows: tuple[Row, ...], at: Moment) -> Step:
        return self._without_payment(super()._basket_paid(event, rows, at), at)

    def _release(self, at: Moment) -> Step:
        return self._without_payment(super()._release(at), at)

    def _without_payment(self, step: Step, at: Moment) -> Step:
        paying = self.visit.paying
        if paying is None:
            return step
        fact = Cancelled(at.stamp, paying.question, 0, 0)
        return msgspec.structs.replace(step, facts=(*step.facts, fact), closed=(*step.closed, paying.question))
