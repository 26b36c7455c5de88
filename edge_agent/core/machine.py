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
from edge_agent.core.effects import (
    AskCentre,
    AskKeeper,
    Effect,
    KeepFrame,
    MarkShown,
    ProbeCentre,
    SeekPart,
    Show,
    Signal,
    StartTimer,
    TellHint,
    View,
)
from edge_agent.core.examine import coupon_in, examine, redeemed, wants
from edge_agent.core.reach import Reach
from edge_agent.core.states import Mode, State, check
from edge_agent.core.visit import Asked, Counted, Moment, Pending, Reserved, Row, SpentStep, Step, Visit, Want
from hal.events import CardPresented, CardRemoved, PartFault, PartHealed, Scanned
from hal.indicators import Light, Sound
from loyalty import barcode
from loyalty.barcode import Own, Reading, Shop
from loyalty.campaign import Policy
from loyalty.coupon import Coupon, Known, Now, Verdict, cost, judge
from loyalty.lease import CAMPAIGN, NOTHING, Amount, Pot
from loyalty.reason import Reason
from wire.facts import Cancelled, Earned, Fact, Redeemed, Spent

SHOW_YES_MS: Final = 4_000
SHOW_NO_MS: Final = 4_500
STILL_UP_MS: Final = 60_000  # a phone whose moving code counted so lately is still the same shopper's turn
SHOW_CARD_MS: Final = 15_000  # how long a coupon waits for its holder's card
BASKET_LIFE_MS: Final = 600_000  # a basket that is never paid nor cancelled lets go of its coupons
RESERVED_MAX: Final = 20  # coupons in one basket
ELSEWHERE: Final = frozenset({Reason.NO_PART, Reason.NOT_HOME})  # not decided here, but perhaps by somebody else


def allowed(known: Known) -> Known:
    """What is known of a coupon that somebody else has allowed: neither this unit's part nor the home matters."""
    return msgspec.structs.replace(known, part=None, home=None)


class Core:
    """The machine of one unit. `new_id` gives 16 random bytes; it is handed in. `shop`: codes of the shop's own."""

    def __init__(
        self, *, site: str, mode: Mode, ask_wait_ms: int, new_id: Callable[[], bytes], shop: Shop | None = None
    ) -> None:
        self._site, self._mode, self._new_id = site, mode, new_id
        self._shop = shop or Shop()
        self._read: tuple[Scanned, Reading] | None = None
        self.visit = Visit(reach=Reach(limit_ms=ask_wait_ms))

    # --- the three calls of the runner --------------------------------------------------------------

    def needs(self, event: ev.Event) -> tuple[Want, ...]:
        """The coupons whose rows `handle` will want for this event."""
        visit = self.visit
        if isinstance(event, Scanned):
            return wants(self._reading(event), visit.card) if self._may_scan() else ()
        if isinstance(event, CardPresented) and self._may_scan():
            return wants(self._reading(visit.pending.event), event.uid) if visit.pending else (Want(card=event.uid),)
        if isinstance(event, ev.Answered) and visit.asked is not None and visit.asked.question == event.question:
            return (visit.asked.want,)
        if isinstance(event, ev.BasketPaid):
            return tuple(reserved.want for reserved in visit.reserved)
        return sharing.needs(event)

    def handle(self, event: ev.Event, rows: tuple[Row, ...], at: Moment) -> Step:
        """The step that `event` leads to. Pure: the same machine, event, rows and time give the same step."""
        handler, sharer = _HANDLERS.get(type(event)), sharing.HANDLERS.get(type(event))
        if handler is not None:
            step = handler(self, event, rows, at)
        elif sharer is not None:
            step = sharer(self.visit, event, rows, at, self._new_id)
        else:
            step = Step(visit=self.visit)
        reach = self._reach_after(event, at)
        if step.visit.reach is not reach:
            step = msgspec.structs.replace(step, visit=msgspec.structs.replace(step.visit, reach=reach))
        check(self.visit.state, type(event).__name__, step.visit.state)
        return step

    def adopt(self, step: Step) -> None:
        """The step is on disk."""
        self.visit = step.visit

    # --- scanning ------------------------------------------------------------------------------------

    def _may_scan(self) -> bool:
        return self.visit.state not in (State.ASKING, State.OUT_OF_SERVICE)

    def _reading(self, event: Scanned) -> Reading:
        if self._read is None or self._read[0] is not event:
            self._read = (event, barcode.read(event.text, event.format, self._shop))
        return self._read[1]

    def _scanned(self, event: Scanned, rows: tuple[Row, ...], at: Moment) -> Step:
        visit = self.visit
        return self._held_up(event, rows, at, at.now, visit.card) if self._may_scan() else Step(visit=visit)

    def _held_up(self, event: Scanned, rows: tuple[Row, ...], at: Moment, shown_at: Now, card: bytes) -> Step:
        """The answer to what is, or a moment ago was, before the camera, with this card in the slot."""
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
        (want,) = wants(reading, card)
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

    def _still_up(self, reading: Reading, at: Moment) -> bool:
        """Whether this is the next code of a phone whose code counted a moment ago: nobody has shown anything anew."""
        counted = self.visit.counted
        if counted is None or not isinstance(reading, Own) or at.mono_ms - counted.mono_ms > STILL_UP_MS:
            return False
        return reading.coupon.step > counted.coupon.step and counted.coupon.is_same(reading.coupon)

    def _redeem(self, verdict: Verdict, coupon: Coupon, question: bytes, at: Moment) -> Step:
        fact = redeemed(verdict, coupon, question=question, site=self._site, spend_yen=self.visit.basket_yen, at=at)
        counted = Counted(coupon=coupon, mono_ms=at.mono_ms) if coupon.step else None
        step = self._show(verdict, MarkShown(), TellHint(index=0), asked=None, counted=counted)
        closed = (question,) if question else ()
        return msgspec.structs.replace(step, facts=(fact,), spent=_spent(coupon), closed=closed)

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

    # --- questions: to the centre, or to the lane that keeps a home ---------------------------------------

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
        (want,) = wants(self._reading(event), self.visit.card)
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

    def _answered(self, event: ev.Answered, rows: tuple[Row, ...], at: Moment) -> Step:
        visit, asked = self.visit, self.visit.asked
        if asked is None or asked.question != event.question:
            return Step(visit=visit)  # too late, or not ours: the withdrawal is on its way
        known = allowed(self._with_basket(rows[0], asked.coupon).known)
        verdict = self._judge(asked.coupon, known, at)
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
            return self._reserve(verdict, Reserved(want=asked.want, coupon=asked.coupon, question=asked.question))
        return self._redeem(verdict, asked.coupon, asked.question, at)

    def _judge(self, coupon: Coupon, known: Known, at: Moment) -> Verdict:
        """The verdict on a coupon that was read, and believed, before."""
        if coupon.terms.retailer:
            known = msgspec.structs.replace(known, retailers=self._shop.retailers)
        visit = self.visit
        return judge(coupon, known, site=self._site, spend_yen=visit.basket_yen, now=at.now, basket=visit.basket)

    def _withdraw(self, verdict: Verdict, at: Moment) -> Step:
        asked = self.visit.asked
        assert asked is not None, "no question is open"
        fact = Cancelled(at.stamp, asked.question, asked.coupon.campaign, asked.coupon.serial)
        return msgspec.structs.replace(self._refuse(verdict, asked.frame), facts=(fact,), closed=(asked.question,))

    def _lanes_changed(self, event: ev.LanesChanged, rows: tuple[Row, ...], at: Moment) -> Step:
        return Step(visit=msgspec.structs.replace(self.visit, lanes=event.lanes))

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
        # The status icon changes; only an idle display is drawn anew.
        idle = visit.state is State.READY and (reach.online != visit.reach.online or reach.link != visit.reach.link)
        return Step(visit=visit, effects=(visit.idle,) if idle else ())

    def _probe_due(self, event: ev.ProbeDue, rows: tuple[Row, ...], at: Moment) -> Step:
        return Step(visit=self.visit, effects=(ProbeCentre(),))

    # --- the basket of a till ------------------------------------------------------------------------

    def _basket_opened(self, event: ev.BasketOpened, rows: tuple[Row, ...], at: Moment) -> Step:
        if self._mode is not Mode.LANE or self.visit.state is State.OUT_OF_SERVICE:
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
        counted: dict[tuple[int, int], int] = {}
        leased: dict[int, Amount] = {}
        for reserved, row in zip(visit.reserved, rows, strict=True):
            coupon = reserved.coupon
            before = counted.get((coupon.campaign, coupon.holder), 0)
            known = msgspec.structs.replace(row.known, person_count=row.known.person_count + before)
            if reserved.question:
                known = allowed(known)
            elif known.part is not None:  # what was promised to this basket stays so when the part ends meanwhile
                left = known.part.left - leased.get(coupon.campaign, NOTHING)
                known = msgspec.structs.replace(
                    known, part=msgspec.structs.replace(known.part, left=left, ends_ms=None)
                )
            verdict = self._judge(coupon, known, at)
            if verdict.reason is Reason.OK:
                spent += _spent(coupon)
                if coupon.step:
                    still_up = Counted(coupon=coupon, mono_ms=at.mono_ms)
                facts.append(
                    redeemed(
                        verdict, coupon, question=reserved.question, site=self._site, spend_yen=visit.basket_yen, at=at
                    )
                )
                saved_yen += verdict.discount_yen or 0
                counted[coupon.campaign, coupon.holder] = before + 1
                leased[coupon.campaign] = leased.get(coupon.campaign, NOTHING) + (verdict.leased or NOTHING)
            elif reserved.question:
                facts.append(Cancelled(at.stamp, reserved.question, coupon.campaign, coupon.serial))
        closed = [reserved.question for reserved in visit.reserved if reserved.question]
        if visit.asked is not None:  # the till did not wait for the centre
            coupon = visit.asked.coupon
            facts.append(Cancelled(at.stamp, visit.asked.question, coupon.campaign, coupon.serial))
            closed.append(visit.asked.question)
        hints = tuple(TellHint(index=index) for index, fact in enumerate(facts) if isinstance(fact, Redeemed))
        after, timer = self._timed(State.SHOWING, SHOW_YES_MS, **_EMPTY, counted=still_up)
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

    def _basket_cancelled(self, event: ev.BasketCancelled, rows: tuple[Row, ...], at: Moment) -> Step:
        return self._release(at) if self.visit.basket_yen is not None else Step(visit=self.visit)

    def _release(self, at: Moment) -> Step:
        visit = self.visit
        held = [(r.question, r.coupon) for r in visit.reserved if r.question]
        if visit.asked is not None:
            held.append((visit.asked.question, visit.asked.coupon))
        after, timer = self._timed(State.SHOWING, SHOW_NO_MS, **_EMPTY)
        return Step(
            visit=after,
            facts=tuple(Cancelled(at.stamp, question, coupon.campaign, coupon.serial) for question, coupon in held),
            closed=tuple(question for question, _ in held),
            effects=(Show(view=View.RELEASED), timer),
        )

    # --- time, trouble, and the rest -----------------------------------------------------------------

    def _time_up(self, event: ev.TimeUp, rows: tuple[Row, ...], at: Moment) -> Step:
        visit = self.visit
        if event.id != visit.timer:
            return Step(visit=visit)
        if visit.state is State.ASKING:
            return self._not_now(at)
        if visit.state is State.BASKET:
            return self._release(at)
        if visit.state is not State.SHOWING:
            return Step(visit=visit)
        if visit.basket_yen is not None:
            after, timer = self._timed(State.BASKET, BASKET_LIFE_MS, pending=None)
            return Step(visit=after, effects=(Show(view=View.BASKET, number=visit.basket_yen), timer))
        return Step(visit=msgspec.structs.replace(visit, state=State.READY, pending=None), effects=(visit.idle,))

    def _started(self, event: ev.Started, rows: tuple[Row, ...], at: Moment) -> Step:
        withdrawn = tuple(Cancelled(at.stamp, q.question, q.campaign, q.serial) for q in event.open_questions)
        return Step(
            visit=self.visit,
            facts=withdrawn,
            closed=tuple(q.question for q in event.open_questions),
            effects=(self.visit.idle,),
        )

    def _card_presented(self, event: CardPresented, rows: tuple[Row, ...], at: Moment) -> Step:
        """The card that a coupon waits for is its second half; any other is kept in mind and greeted, or not known."""
        before = self.visit
        pending = before.pending
        if pending is not None and self._may_scan():
            step = self._held_up(pending.event, rows, at, pending.shown_at, event.uid)
            asked = step.visit.asked
            if asked is not None:  # it is judged again when the answer comes: with this card
                asked = msgspec.structs.replace(asked, want=msgspec.structs.replace(asked.want, card=event.uid))
            visit = msgspec.structs.replace(step.visit, card=event.uid, asked=asked)
            return msgspec.structs.replace(step, visit=visit)
        if before.state not in (State.READY, State.SHOWING) or before.basket_yen is not None:
            return Step(visit=msgspec.structs.replace(before, card=event.uid))
        known = bool(rows) and rows[0].known.card_holder > 0
        visit, timer = self._timed(State.SHOWING, SHOW_NO_MS, card=event.uid, pending=None)
        if known:
            return Step(visit=visit, effects=(Show(view=View.KNOWN_CARD), timer))
        signal = Signal(light=Light.AMBER, sound=Sound.NO, duration_ms=SHOW_NO_MS)
        return Step(visit=visit, effects=(Show(view=View.FOREIGN_CARD), signal, timer))

    def _card_removed(self, event: CardRemoved, rows: tuple[Row, ...], at: Moment) -> Step:
        return Step(visit=msgspec.structs.replace(self.visit, card=b""))

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

    def _points(self, event: ev.PointsEarned | ev.PointsWanted, rows: tuple[Row, ...], at: Moment) -> Step:
        """Points are always earned; they are spent within the floors that this unit was leased."""
        if self.visit.state is State.OUT_OF_SERVICE:
            return Step(visit=self.visit)
        name = self._new_id()
        if isinstance(event, ev.PointsEarned):
            fact: Fact = Earned(
                at.stamp, name, event.programme, event.holder, event.points, self._site, event.spend_yen, event.revision
            )
        elif all(row.left.count >= event.points for row in rows):
            fact = Spent(at.stamp, name, event.programme, event.holder, event.points, self._site)
        else:
            seek = (SeekPart(pot=pot, cost=Amount(event.points)) for pot in sharing.floors(event))
            return self._show(Verdict(reason=Reason.NO_POINTS), *seek)
        view = View.EARNED if isinstance(event, ev.PointsEarned) else View.SPENT
        visit, timer = self._timed(State.SHOWING, SHOW_YES_MS)
        signal = Signal(light=Light.GREEN, sound=Sound.YES, duration_ms=SHOW_YES_MS)
        return Step(visit=visit, facts=(fact,), effects=(Show(view=view, number=event.points), signal, timer))

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
        visit = msgspec.structs.replace(self.visit, state=state, timer=number, **changes)
        return visit, StartTimer(id=number, after_ms=after_ms)


_FOR_A_CARD: Final = frozenset({Reason.NEEDS_CARD, Reason.WRONG_HOLDER})
"""After these a coupon that needs its holder's card waits for it."""

_EMPTY: Final[dict[str, object]] = {
    "basket_yen": None,
    "basket": None,
    "reserved": (),
    "asked": None,
    "pending": None,
}
"""A visit after its basket."""


def _spent(coupon: Coupon) -> tuple[SpentStep, ...]:
    """The time step that this redemption uses up; a coupon with a serial is used up itself."""
    if not coupon.step or coupon.serial:
        return ()
    return (SpentStep(campaign=coupon.campaign, phone=coupon.phone, step=coupon.step),)


_HANDLERS: Final[dict[type, Callable[..., Step]]] = {
    Scanned: Core._scanned,
    CardPresented: Core._card_presented,
    CardRemoved: Core._card_removed,
    ev.Started: Core._started,
    ev.Answered: Core._answered,
    ev.TimeUp: Core._time_up,
    ev.LinkChanged: Core._reach_changed,
    ev.Heard: Core._reach_changed,
    ev.Missed: Core._reach_changed,
    ev.Stirred: Core._reach_changed,
    ev.ProbeDue: Core._probe_due,
    ev.LanesChanged: Core._lanes_changed,
    ev.PointsEarned: Core._points,
    ev.PointsWanted: Core._points,
    ev.BasketOpened: Core._basket_opened,
    ev.BasketPaid: Core._basket_paid,
    ev.BasketCancelled: Core._basket_cancelled,
    PartFault: Core._part_changed,
    PartHealed: Core._part_changed,
    ev.StoreFailed: Core._store_failed,
    ev.StoreRecovered: Core._store_recovered,
}
