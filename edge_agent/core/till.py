"""The basket of a till: coupons are reserved, and redeem with the payment. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from edge_agent.core import events as ev
from edge_agent.core.asking import Asking
from edge_agent.core.base import SHOW_NO_MS, SHOW_YES_MS, spent_step
from edge_agent.core.effects import MarkShown, Show, Signal, TellHint, View
from edge_agent.core.examine import redeemed
from edge_agent.core.states import Mode, State
from edge_agent.core.visit import Counted, Moment, Reserved, Row, SpentStep, Step, Visit
from hal.indicators import Light, Sound
from loyalty.coupon import Verdict
from loyalty.lease import NOTHING, Amount
from loyalty.reason import Reason
from wire.facts import Cancelled, Fact, Redeemed

BASKET_LIFE_MS: Final = 600_000  # a basket that is never paid nor cancelled lets go of its coupons

EMPTY: Final[dict[str, object]] = {
    "basket_yen": None,
    "basket": None,
    "sale": None,
    "reserved": (),
    "asked": None,
    "pending": None,
    "paying": None,
}
"""A visit after its basket."""


class Till(Asking):
    """See the module."""

    def _basket_opened(self, event: ev.BasketOpened, rows: tuple[Row, ...], at: Moment) -> Step:
        if self._mode is not Mode.LANE or self.visit.state in (State.OUT_OF_SERVICE, State.PAYING):
            return Step(visit=self.visit)
        if self.visit.state is State.ASKING:  # the total changed while the centre is asked
            return Step(visit=msgspec.structs.replace(self.visit, basket_yen=event.spend_yen, basket=event.basket))
        visit, timer = self._timed(
            State.BASKET, BASKET_LIFE_MS, basket_yen=event.spend_yen, basket=event.basket, pending=None
        )
        return Step(visit=visit, effects=(Show(view=View.BASKET, number=event.spend_yen), timer))

    def _basket_paid(self, event: ev.BasketPaid, rows: tuple[Row, ...], at: Moment) -> Step:
        visit = self.visit
        if visit.basket_yen is None:
            return Step(visit=visit)
        facts: list[Fact] = []
        spent: tuple[SpentStep, ...] = ()
        still_up = visit.counted
        saved_yen = 0
        for reserved, verdict in self._in_basket(rows, at):
            coupon = reserved.coupon
            if verdict.reason is Reason.OK:
                spent += spent_step(coupon)
                if coupon.step:
                    still_up = Counted(coupon=coupon, mono_ms=at.mono_ms)
                facts.append(
                    redeemed(
                        verdict,
                        coupon,
                        question=reserved.question,
                        site=self._site,
                        spend_yen=visit.basket_yen,
                        at=at,
                        sale=event.sale,
                    )
                )
                saved_yen += verdict.discount_yen or 0
            elif reserved.question:
                facts.append(Cancelled(at.stamp, reserved.question, coupon.campaign, coupon.serial))
        closed = [reserved.question for reserved in visit.reserved if reserved.question]
        if visit.asked is not None:  # the till did not wait for the centre
            coupon = visit.asked.coupon
            facts.append(Cancelled(at.stamp, visit.asked.question, coupon.campaign, coupon.serial))
            closed.append(visit.asked.question)
        hints = tuple(TellHint(index=index) for index, fact in enumerate(facts) if isinstance(fact, Redeemed))
        after, timer = self._timed(State.SHOWING, SHOW_YES_MS, **EMPTY, counted=still_up)
        return Step(
            visit=after,
            facts=tuple(facts),
            spent=spent,
            closed=tuple(closed),
            effects=(
                Show(view=View.PAID, number=min(saved_yen, visit.basket_yen)),
                Signal(light=Light.GREEN, sound=Sound.YES, duration_ms=SHOW_YES_MS),
                MarkShown(),
                *hints,
                timer,
            ),
        )

    def _in_basket(
        self, rows: tuple[Row, ...], at: Moment, visit: Visit | None = None
    ) -> Iterator[tuple[Reserved, Verdict]]:
        """Each coupon in the basket with its verdict as the basket is now; `rows` are theirs, in the same order.

        `visit`: as it will be, where that is not as it is.
        """
        visit = visit or self.visit
        counted: dict[tuple[int, int], int] = {}
        leased: dict[int, Amount] = {}
        for reserved, row in zip(visit.reserved, rows, strict=True):
            coupon = reserved.coupon
            before = counted.get((coupon.campaign, coupon.holder), 0)
            known = msgspec.structs.replace(row.known, person_count=row.known.person_count + before)
            if reserved.question:
                verdict = self._judge_granted(coupon, known, reserved.granted, at, visit)
            else:
                if known.part is not None:  # what was promised to this basket stays so when the part ends meanwhile
                    left = known.part.left - leased.get(coupon.campaign, NOTHING)
                    known = msgspec.structs.replace(
                        known, part=msgspec.structs.replace(known.part, left=left, ends_ms=None)
                    )
                verdict = self._judge(coupon, known, at, visit)
            if verdict.reason is Reason.OK:
                counted[coupon.campaign, coupon.holder] = before + 1
                leased[coupon.campaign] = leased.get(coupon.campaign, NOTHING) + (verdict.leased or NOTHING)
            yield reserved, verdict

    def _basket_cancelled(self, event: ev.BasketCancelled, rows: tuple[Row, ...], at: Moment) -> Step:
        return self._release(at) if self.visit.basket_yen is not None else Step(visit=self.visit)

    def _release(self, at: Moment) -> Step:
        visit = self.visit
        held = [(r.question, r.coupon) for r in visit.reserved if r.question]
        if visit.asked is not None:
            held.append((visit.asked.question, visit.asked.coupon))
        after, timer = self._timed(State.SHOWING, SHOW_NO_MS, **EMPTY)
        return Step(
            visit=after,
            facts=tuple(Cancelled(at.stamp, question, coupon.campaign, coupon.serial) for question, coupon in held),
            closed=tuple(question for question, _ in held),
            effects=(Show(view=View.RELEASED), timer),
        )
