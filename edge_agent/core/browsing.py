"""Kiosk mode (M6, M12): whoever's card is in the slot turns pages with one button and takes with the other. Pure.

    left    the next page, round and round; the first press asks the centre
    right   takes: of a coupon first the QR for the phone stands there, then it is put among the holder's coupons

What the card itself says is shown where the centre does not answer in time, and is called that. A coupon is taken
online alone: it is given to a person, and only the centre gives. No password is typed here, so what needs one is not
on these pages. When the card is out everything of its holder is off the display and out of the machine at once; when
nobody presses, after PAGE_MS.
"""

from __future__ import annotations

from typing import Final

import msgspec

from edge_agent.core import events as ev
from edge_agent.core.base import SHOW_NO_MS, SHOW_YES_MS
from edge_agent.core.cards import Cards
from edge_agent.core.effects import AskOffers, AskPages, Effect, Show, Signal, TakeCoupon, View
from edge_agent.core.pages import Page, PageKind
from edge_agent.core.states import Mode, State
from edge_agent.core.visit import Browsing, Moment, Row, Step
from hal.events import ButtonPressed
from hal.indicators import Light, Sound
from loyalty.coupon import Verdict
from loyalty.reason import Reason
from wire.messages import PAGES_MAX

LEFT: Final = 0
RIGHT: Final = 1
PAGE_MS: Final = 20_000  # a page stands so long
TAKE_MS: Final = 60_000  # ... with a QR, which somebody has to scan


class Pages(Cards):
    """See the module."""

    def _button_pressed(self, event: ButtonPressed, rows: tuple[Row, ...], at: Moment) -> Step:
        visit = self.visit
        if visit.state is State.BROWSING and visit.browsing is not None:
            return self._turn(visit.browsing, event.button)
        free = visit.state in (State.READY, State.SHOWING) and visit.writing is None and visit.pending is None
        if self._mode is not Mode.KIOSK or visit.member is None or not free or event.button != LEFT:
            return Step(visit=visit)
        return self._begin()

    def _begin(self) -> Step:
        member, reach = self.visit.member, self.visit.reach
        assert member is not None, "whose pages?"
        said = tuple(
            Page(kind=PageKind.POINTS, number=balance.points, of_card=True) for balance in member.record.balances
        )
        if not reach.online:
            return self._at(Browsing(question=b"", pages=said)) if said else self._show(Verdict(reason=Reason.NOT_NOW))
        question, record = self._new_id(), member.record
        browsing = Browsing(question=question, pages=said, waits=True)
        visit, timer = self._timed(State.BROWSING, reach.limit_ms, browsing=browsing)
        asking = AskPages(question=question, holder=record.holder, generation=record.generation)
        offers = AskOffers(question=question, holder=record.holder)
        return Step(visit=visit, effects=(Show(view=View.ASKING), asking, offers, timer))

    # --- the buttons ----------------------------------------------------------------------------------

    def _turn(self, browsing: Browsing, button: int) -> Step:
        if browsing.waits or browsing.taking or button not in (LEFT, RIGHT):
            return Step(visit=self.visit)  # the answer comes, or its time is up
        if button == LEFT:
            following = (browsing.at + 1) % len(browsing.pages)
            return self._at(msgspec.structs.replace(browsing, at=following, offered=False))
        if browsing.page.kind is not PageKind.COUPON:
            return Step(visit=self.visit)
        if not browsing.offered and browsing.page.link:
            return self._at(msgspec.structs.replace(browsing, offered=True))
        return self._take(browsing)

    def _take(self, browsing: Browsing) -> Step:
        member, reach = self.visit.member, self.visit.reach
        if member is None or not reach.online:
            return self._show(Verdict(reason=Reason.NOT_NOW))
        taking = self._new_id()
        now = msgspec.structs.replace(browsing, taking=taking)
        visit, timer = self._timed(State.BROWSING, reach.limit_ms, browsing=now)
        take = TakeCoupon(
            question=taking,
            holder=member.record.holder,
            generation=member.record.generation,
            campaign=browsing.page.number,
        )
        return Step(visit=visit, effects=(Show(view=View.ASKING), take, timer))

    def _at(self, browsing: Browsing) -> Step:
        """The page is on the display, or its coupon to be taken."""
        view, stands_ms = (View.TAKE, TAKE_MS) if browsing.offered else (View.PAGE, PAGE_MS)
        visit, timer = self._timed(State.BROWSING, stands_ms, pending=None, browsing=browsing)
        return Step(visit=visit, effects=(Show(view=view, page=browsing.page), timer))

    # --- answers --------------------------------------------------------------------------------------

    def _pages_told(self, event: ev.PagesTold, rows: tuple[Row, ...], at: Moment) -> Step:
        browsing = self.visit.browsing
        if browsing is None or not browsing.waits or browsing.question != event.question:
            return Step(visit=self.visit)
        picked = tuple(page for page in browsing.pages if page.kind is PageKind.BARGAIN)
        pages = (*event.pages, *picked)[:PAGES_MAX]
        if not event.pages:
            return self._show(Verdict(reason=Reason.NOT_NOW))
        return self._at(msgspec.structs.replace(browsing, pages=pages, waits=False))

    def _offers_told(self, event: ev.OffersTold, rows: tuple[Row, ...], at: Moment) -> Step:
        """They come last, so that no page moves under somebody's finger."""
        browsing = self.visit.browsing
        if browsing is None or browsing.question != event.question or not event.question:
            return Step(visit=self.visit)
        if any(page.kind is PageKind.BARGAIN for page in browsing.pages):
            return Step(visit=self.visit)  # told twice
        picked = tuple(Page(kind=PageKind.BARGAIN, title=title) for title in event.titles)
        more = msgspec.structs.replace(browsing, pages=(*browsing.pages, *picked)[:PAGES_MAX])
        return Step(visit=msgspec.structs.replace(self.visit, browsing=more))

    def _coupon_taken(self, event: ev.CouponTaken, rows: tuple[Row, ...], at: Moment) -> Step:
        browsing = self.visit.browsing
        if browsing is None or not browsing.taking or browsing.taking != event.question:
            return Step(visit=self.visit)
        stands_ms = SHOW_YES_MS if event.given else SHOW_NO_MS
        light, sound = (Light.GREEN, Sound.YES) if event.given else (Light.RED, Sound.NO)
        visit, timer = self._timed(State.SHOWING, stands_ms)
        effects: tuple[Effect, ...] = (
            Show(view=View.TAKEN, number=int(event.given)),
            Signal(light=light, sound=sound, duration_ms=stands_ms),
            timer,
        )
        return Step(visit=visit, effects=effects)

    def _nobody_presses(self) -> Step:
        browsing = self.visit.browsing
        if browsing is not None and browsing.taking:
            return self._show(Verdict(reason=Reason.NOT_NOW))
        if browsing is not None and browsing.waits:  # the centre did not answer: what the card says is shown
            said = tuple(page for page in browsing.pages if page.of_card)
            if not said:
                return self._show(Verdict(reason=Reason.NOT_NOW))
            return self._at(msgspec.structs.replace(browsing, pages=said, waits=False))
        visit = msgspec.structs.replace(self.visit, state=State.READY, browsing=None)
        return Step(visit=visit, effects=(visit.idle,))
