"""Questions: to the centre, or to the lane that keeps a serial's home; and whether the centre is in reach. Pure.

A question is on disk before it is asked; one that is not answered in time is withdrawn by a fact, so that whatever is
granted too late is void.
"""

from __future__ import annotations

from typing import Final

import msgspec

from edge_agent.core import events as ev
from edge_agent.core.base import Base
from edge_agent.core.effects import AskCentre, AskKeeper, Effect, ProbeCentre, SeekPart, Show, Signal, View
from edge_agent.core.examine import wants
from edge_agent.core.reach import Reach
from edge_agent.core.states import Mode, State
from edge_agent.core.visit import Asked, Moment, Reserved, Row, Step
from hal.events import Scanned
from hal.indicators import Light, Sound
from loyalty.coupon import Verdict, cost
from loyalty.lease import CAMPAIGN, Amount, Pot
from loyalty.reason import Reason
from wire.facts import Cancelled

ELSEWHERE: Final = frozenset({Reason.NO_PART, Reason.NOT_HOME})  # not decided here, but perhaps by somebody else


class Asking(Base):
    """See the module."""

    def _elsewhere(self, event: Scanned, verdict: Verdict, row: Row, at: Moment) -> Step:
        """Somebody else may still say yes: the home of the serial, or the centre, who knows what is left in all."""
        home, coupon, campaign = row.known.home, verdict.coupon, verdict.campaign
        assert coupon is not None, "only a coupon can be decided elsewhere"
        assert campaign is not None, "only a campaign has a policy"
        if verdict.reason is Reason.NOT_HOME and home is not None and home.keeper in self.visit.lanes:
            question = self._new_id()
            keeper = AskKeeper(keeper=home.keeper, question=question, campaign=coupon.campaign, serial=coupon.serial)
            return self._ask(event, question, verdict, keeper, self.visit.reach.limit_ms, at)
        seek: tuple[Effect, ...] = ()
        if verdict.reason is Reason.NO_PART:
            seek = (SeekPart(pot=Pot(CAMPAIGN, campaign.id), cost=cost(campaign, self.visit.basket_yen)),)
        step = self._ask_centre(event, verdict, at)
        return msgspec.structs.replace(step, effects=(*step.effects, *seek))

    def _ask_centre(self, event: Scanned, otherwise: Verdict, at: Moment) -> Step:
        """Ask, and tell the shopper `otherwise` where no answer can be had in time."""
        wait_ms = self.visit.reach.wait_ms
        if not wait_ms:
            return self._refuse(otherwise, event.frame)
        question = self._new_id()
        spend_yen = self.visit.basket_yen or 0
        asking = AskCentre(
            question=question, text=event.text, spend_yen=spend_yen, wait_ms=wait_ms, format=event.format
        )
        return self._ask(event, question, otherwise, asking, wait_ms, at)

    def _ask(
        self,
        event: Scanned,
        question: bytes,
        otherwise: Verdict,
        asking: AskCentre | AskKeeper,
        wait_ms: int,
        at: Moment,
    ) -> Step:
        (want,) = wants(self._reading(event), self.visit.card, self.visit.card_holder)
        coupon = otherwise.coupon
        assert coupon is not None, "only a coupon is asked about"
        asked = Asked(
            question=question,
            want=want,
            coupon=coupon,
            frame=event.frame,
            asked_ms=at.mono_ms,
            otherwise=otherwise,
            by_centre=isinstance(asking, AskCentre),
            granted=self._kept(otherwise) if isinstance(asking, AskCentre) else None,
        )
        visit, timer = self._timed(State.ASKING, wait_ms, asked=asked, pending=None)
        return Step(
            visit=visit,
            opened=ev.OpenQuestion(question=question, campaign=coupon.campaign, serial=coupon.serial),
            effects=(
                Show(view=View.ASKING, verdict=otherwise),
                Signal(light=Light.AMBER, sound=Sound.NONE, duration_ms=wait_ms),
                asking,
                timer,
            ),
        )

    def _kept(self, verdict: Verdict) -> Amount | None:
        """What a centre that says yes keeps for this coupon of a budget: by the total that it is told, as it is now."""
        campaign, coupon = verdict.campaign, verdict.coupon
        if campaign is None or coupon is None or campaign.budget_yen is None:
            return None
        return cost(campaign, self.visit.basket_yen or None, coupon)

    def _answered(self, event: ev.Answered, rows: tuple[Row, ...], at: Moment) -> Step:
        visit, asked = self.visit, self.visit.asked
        if asked is None or asked.question != event.question:
            return Step(visit=visit)  # too late, or not ours: the withdrawal is on its way
        known = self._with_basket(rows[0], asked.coupon).known
        verdict = self._judge_granted(asked.coupon, known, asked.granted, at)
        if not event.granted:
            refusal = Verdict(
                reason=event.reason,
                campaign=known.campaign,
                coupon=asked.coupon,
                at_ms=event.at_ms or None,
                site=event.site,
            )
            return msgspec.structs.replace(self._refuse(refusal, asked.frame), closed=(asked.question,))
        if not verdict.accepted:  # the cache learnt better while we asked: what was granted is given back
            return self._withdraw(verdict, at)
        if self._mode is Mode.LANE and visit.basket_yen is not None:
            # The question stays open on disk until payment: a crash in between withdraws it.
            reserved = Reserved(want=asked.want, coupon=asked.coupon, question=asked.question, granted=asked.granted)
            return self._reserve(verdict, reserved)
        return self._redeem(verdict, asked.coupon, asked.question, at)

    def _withdraw(self, verdict: Verdict, at: Moment) -> Step:
        asked = self.visit.asked
        assert asked is not None, "no question is open"
        fact = Cancelled(at.stamp, asked.question, asked.coupon.campaign, asked.coupon.serial)
        return msgspec.structs.replace(self._refuse(verdict, asked.frame), facts=(fact,), closed=(asked.question,))

    def _lanes_changed(self, event: ev.LanesChanged, rows: tuple[Row, ...], at: Moment) -> Step:
        return Step(visit=msgspec.structs.replace(self.visit, lanes=event.lanes))

    def _give_up(self, reason: Reason, at: Moment) -> Step:
        """The payment by account is withdrawn: what was debited, or is debited yet, goes back."""
        paying = self.visit.paying
        assert paying is not None, "no payment is under way"
        step = self._show(Verdict(reason=reason), paying=None)
        fact = Cancelled(at.stamp, paying.question, 0, 0)
        return msgspec.structs.replace(step, facts=(fact,), closed=(paying.question,))

    def _not_now(self, at: Moment) -> Step:
        asked = self.visit.asked
        assert asked is not None, "no question is open"
        return self._withdraw(asked.otherwise, at)

    # --- is the centre in reach? ------------------------------------------------------------------------

    def _reach_after(self, event: ev.Event, at: Moment) -> Reach:
        """What is known of the centre's reach after this event, whatever else it leads to."""
        reach, asked = self.visit.reach, self.visit.asked
        if isinstance(event, ev.LinkChanged):
            return reach.linked(event.up, at.mono_ms)
        if isinstance(event, ev.Heard):
            return reach.heard(event.took_ms, at.mono_ms)
        if isinstance(event, ev.Missed):
            return reach.missed(at.mono_ms)
        if isinstance(event, ev.Stirred):
            return reach.stirred(at.mono_ms)
        if isinstance(event, ev.ProbeDue):
            return reach.probed(at.mono_ms)
        if asked is None or not asked.of_centre:
            return reach
        if isinstance(event, ev.Answered) and asked.question == event.question:
            return reach.heard(at.mono_ms - asked.asked_ms, at.mono_ms)
        if isinstance(event, ev.TimeUp) and event.id == self.visit.timer:
            return reach.missed(at.mono_ms)
        return reach

    def _reach_changed(self, event: ev.Event, rows: tuple[Row, ...], at: Moment) -> Step:
        """Who waits for the centre is told as soon as it is known that they wait in vain."""
        visit, reach = self.visit, self._reach_after(event, at)
        if visit.asked is not None and visit.asked.by_centre and not reach.online:
            return self._not_now(at)
        if visit.paying is not None and not reach.online:
            return self._give_up(Reason.NOT_NOW, at)
        # The status icon changes; only an idle display is drawn anew.
        idle = visit.state is State.READY and (reach.online != visit.reach.online or reach.link != visit.reach.link)
        return Step(visit=visit, effects=(visit.idle,) if idle else ())

    def _probe_due(self, event: ev.ProbeDue, rows: tuple[Row, ...], at: Moment) -> Step:
        return Step(visit=self.visit, effects=(ProbeCentre(),))
