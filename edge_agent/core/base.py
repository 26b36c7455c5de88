"""What every part of the machine stands on: the visit, a reading, a verdict before the shopper, a fact. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from edge_agent.core.effects import Effect, KeepFrame, MarkShown, Show, Signal, StartTimer, TellHint, View
from edge_agent.core.examine import redeemed
from edge_agent.core.reach import Reach
from edge_agent.core.receipt import TillRules
from edge_agent.core.states import Mode, State
from edge_agent.core.visit import Counted, Moment, Reserved, Row, SpentStep, Step, Visit
from hal.events import Scanned
from hal.indicators import Light, Sound
from loyalty import barcode
from loyalty.barcode import Reading, Shop
from loyalty.coupon import Coupon, Known, Verdict, judge, limits
from loyalty.lease import CAMPAIGN, Amount, Part, Pot
from loyalty.reason import Reason

SHOW_YES_MS: Final = 4_000
SHOW_NO_MS: Final = 4_500
SHOW_CARD_MS: Final = 15_000  # how long a coupon waits for its holder's card
RESERVED_MAX: Final = 20  # coupons in one basket


def allowed(known: Known, granted: Amount | None = None) -> Known:
    """What is known of a coupon that somebody else has allowed: neither this unit's part nor the home matters.

    `granted`: what the centre keeps of the limits for it. A basket that grew since may make it cost more.
    """
    part = None if granted is None or known.campaign is None else Part(left=granted, limits=limits(known.campaign))
    return msgspec.structs.replace(known, part=part, home=None)


class Base:
    """See the module. `new_id` gives 16 random bytes; it is handed in. `shop`: codes of the shop's own.

    `till_rules`: how receipts are written."""

    def __init__(
        self,
        *,
        site: str,
        mode: Mode,
        ask_wait_ms: int,
        new_id: Callable[[], bytes],
        shop: Shop | None = None,
        till_rules: TillRules | None = None,
    ) -> None:
        self._site, self._mode, self._new_id = site, mode, new_id
        self._shop = shop or Shop()
        self._till_rules = till_rules or TillRules()
        self._read: tuple[Scanned, Reading] | None = None
        self.visit = Visit(reach=Reach(limit_ms=ask_wait_ms))

    def _may_scan(self) -> bool:
        return self.visit.state not in (State.ASKING, State.PAYING, State.OUT_OF_SERVICE)

    def _reading(self, event: Scanned) -> Reading:
        if self._read is None or self._read[0] is not event:
            self._read = (event, barcode.read(event.text, event.format, self._shop))
        return self._read[1]

    def _judge(self, coupon: Coupon, known: Known, at: Moment, visit: Visit | None = None) -> Verdict:
        """The verdict on a coupon that was read, and believed, before."""
        if coupon.terms.retailer:
            known = msgspec.structs.replace(known, retailers=self._shop.retailers)
        visit = visit or self.visit
        return judge(coupon, known, site=self._site, spend_yen=visit.basket_yen, now=at.now, basket=visit.basket)

    def _judge_granted(
        self, coupon: Coupon, known: Known, granted: Amount | None, at: Moment, visit: Visit | None = None
    ) -> Verdict:
        """The verdict on a coupon that somebody else has allowed: it takes nothing of this unit's part."""
        verdict = self._judge(coupon, allowed(known, granted), at, visit)
        return msgspec.structs.replace(verdict, leased=None)

    def _redeem(self, verdict: Verdict, coupon: Coupon, question: bytes, at: Moment) -> Step:
        fact = redeemed(verdict, coupon, question=question, site=self._site, spend_yen=self.visit.basket_yen, at=at)
        counted = Counted(coupon=coupon, mono_ms=at.mono_ms) if coupon.step else None
        step = self._show(verdict, MarkShown(), TellHint(index=0), asked=None, counted=counted)
        closed = (question,) if question else ()
        return msgspec.structs.replace(step, facts=(fact,), spent=spent_step(coupon), closed=closed)

    def _reserve(self, verdict: Verdict, reserved: Reserved) -> Step:
        visit = self.visit
        if len(visit.reserved) >= RESERVED_MAX:
            return self._refuse(msgspec.structs.replace(verdict, reason=Reason.BUSY), 0)
        verdict = msgspec.structs.replace(verdict, reason=Reason.RESERVED)
        return self._show(verdict, reserved=(*visit.reserved, reserved), asked=None)

    def _refuse(self, verdict: Verdict, frame: int) -> Step:
        return self._show(verdict, KeepFrame(frame=frame, reason=verdict.reason), asked=None)

    def _with_basket(self, row: Row, coupon: Coupon | None) -> Row:
        """The row as it is once the other coupons in the basket have counted; one that is in it was allowed before."""
        known = row.known
        if not self.visit.reserved or known.campaign is None or coupon is None:
            return row
        if any(reserved.coupon.is_same(coupon) for reserved in self.visit.reserved):
            return msgspec.structs.replace(row, known=allowed(known))
        part = known.part
        if part is not None:
            part = msgspec.structs.replace(part, left=part.left - self.visit.promised(Pot(CAMPAIGN, known.campaign.id)))
        count = sum(
            (r.coupon.campaign, r.coupon.holder) == (coupon.campaign, coupon.holder) for r in self.visit.reserved
        )
        return msgspec.structs.replace(row, known=msgspec.structs.replace(known, part=part, basket_count=count))

    def _show(self, verdict: Verdict, *then: Effect, **changes: object) -> Step:
        """Put a verdict before the shopper; `then` follows when it is seen."""
        yes = verdict.accepted
        duration_ms = SHOW_YES_MS if yes else SHOW_CARD_MS if changes.get("pending") else SHOW_NO_MS
        visit, timer = self._timed(State.SHOWING, duration_ms, **{"pending": None, **changes})
        light, sound = (Light.GREEN, Sound.YES) if yes else (Light.RED, Sound.NO)
        signal = Signal(light=light, sound=sound, duration_ms=duration_ms)
        effects = (Show(view=View.VERDICT, verdict=verdict), signal, *then, timer)
        return Step(visit=visit, effects=effects, verdict=verdict)

    def _timed(self, state: State, after_ms: int, **changes: object) -> tuple[Visit, StartTimer]:
        number = self.visit.timer + 1
        shown = {"offered": False, "browsing": None, **changes}  # what was there is off the display
        visit = msgspec.structs.replace(self.visit, state=state, timer=number, **shown)
        return visit, StartTimer(id=number, after_ms=after_ms)


def spent_step(coupon: Coupon) -> tuple[SpentStep, ...]:
    """The time step that this redemption uses up; a coupon with a serial is used up itself."""
    if not coupon.step or coupon.serial:
        return ()
    return (SpentStep(campaign=coupon.campaign, phone=coupon.phone, step=coupon.step),)
