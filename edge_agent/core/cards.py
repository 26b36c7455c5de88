"""The card in the slot: who it speaks for, what it may not do, and how it is written. Pure.

A member's card is known by its record, another one by its UID, where the centre named its holder. A card that is old,
blocked, torn or copied speaks for nobody, is told why, and is reported. A foreign card is never written.

Card and disk are two things, so a write is journalled twice: the intent before its first page, and what became of it.
Where points pay, they are taken from the card first; only when it was read back do they leave the journal and is
something handed over. In doubt nothing is: the next tap of that card here, or the centre, says what it was. Points that
were earned count whatever becomes of the card, whose balance is a hint that can only lower what may be spent.
"""

from __future__ import annotations

from typing import Final

import msgspec

from edge_agent.core import events as ev
from edge_agent.core import sharing
from edge_agent.core.base import SHOW_CARD_MS, SHOW_NO_MS, SHOW_YES_MS
from edge_agent.core.effects import AskCard, SeekPart, Show, Signal, View, WriteCard
from edge_agent.core.states import Mode, State
from edge_agent.core.till import Till
from edge_agent.core.visit import CardSeen, CardWanted, Member, Moment, Row, Step, Writing
from hal.events import CardPresented, CardRemoved
from hal.indicators import Light, Sound
from loyalty.card import COUNTER_MAX, GENERATION_MAX, HOLDER_MAX, Balance, Record
from loyalty.card_slots import Found, Kind, chip_named, fit
from loyalty.coupon import Verdict
from loyalty.lease import Amount
from loyalty.reason import Reason
from wire.facts import CardSettled, CardSuspected, CardWriting, Earned, Fact, Outcome, Spent

WRITING_MS: Final = 5_000  # longer than any write takes; its end is told in any case
OFFER_MS: Final = 180_000  # a QR stands so long for somebody who types a name and a password
NOTHING_SEEN: Final = CardSeen()
FREE: Final = (State.READY, State.SHOWING, State.BROWSING)
"""In these nobody waits for an answer that may cost something."""
WAITING: Final = (State.ASKING, State.PAYING)
"""In these what is on the display waits for its own answer."""


class Cards(Till):
    """See the module."""

    # --- a card comes and goes ------------------------------------------------------------------------

    def _put_in(self, event: CardPresented, row: Row, answer: Step | None, at: Moment) -> Step:
        """A card is in the slot from now on: kept in mind and greeted, or refused. `answer`: a coupon waited for it."""
        before = self.visit
        seen = row.seen or NOTHING_SEEN
        if answer is not None:
            step = answer
        elif self._is_refused(seen):
            assert seen.refusal is not None, "a refusal has a reason"
            step = self._show(Verdict(reason=seen.refusal), pending=before.pending)
        elif before.state not in FREE or before.basket_yen is not None:
            step = Step(visit=before)
        else:
            step = self._greet(event, row, seen, at)
        suspected, facts = self._said_of(seen, at)
        if before.writing is not None:  # its end was lost: the reader tells it before the next card
            facts = (CardSettled(at.stamp, before.writing.id, Outcome.DOUBT.value), *facts)
        member = Member(slot=event, card=seen.card, found=seen.found) if seen.found and seen.holder else None
        refused = seen.found is not None and member is None
        visit = msgspec.structs.replace(
            step.visit, card=event.uid, member=member, refused=refused, suspected=suspected, writing=None
        )
        note = None
        if member is not None and member.record.counter > seen.counter:
            note = (seen.card, member.record.counter)
        effects = (*step.effects, *self._may_pay(member))
        return msgspec.structs.replace(step, visit=visit, effects=effects, facts=(*step.facts, *facts), card=note)

    def _may_pay(self, member: Member | None) -> tuple[SeekPart, ...]:
        """At a lane whoever's card this is may pay with points: parts of the floors are sought before the till asks."""
        if member is None or self._mode is not Mode.LANE:
            return ()
        wanted = (
            ev.PointsWanted(programme=balance.programme, holder=member.record.holder, points=balance.points)
            for balance in member.record.balances
            if balance.points
        )
        return tuple(part for event in wanted for part in self._sought(event, ()))

    def _is_refused(self, seen: CardSeen) -> bool:
        """Whether the shopper is to hear that this card may not speak; a tag that was torn here is written anew."""
        if seen.refusal is None or self.visit.state not in (*FREE, State.BASKET):
            return False
        return not (self._mode is Mode.KIOSK and seen.torn)

    def _greet(self, event: CardPresented, row: Row, seen: CardSeen, at: Moment) -> Step:
        if row.known.card_holder > 0:
            visit, timer = self._timed(State.SHOWING, SHOW_NO_MS, pending=None)
            pages = self._mode is Mode.KIOSK and seen.holder > 0
            return Step(visit=visit, effects=(Show(view=View.KNOWN_CARD, number=int(pages)), timer))
        if self._mode is Mode.KIOSK and (seen.kind is Kind.EMPTY or seen.torn):
            return self._ask_for_card(event, seen)
        visit, timer = self._timed(State.SHOWING, SHOW_NO_MS, pending=None)
        signal = Signal(light=Light.AMBER, sound=Sound.NO, duration_ms=SHOW_NO_MS)
        return Step(visit=visit, effects=(Show(view=View.FOREIGN_CARD), signal, timer))

    def _said_of(self, seen: CardSeen, at: Moment) -> tuple[bytes, tuple[Fact, ...]]:
        """What the journal must hear of this card: writes whose end it shows, and that it is not what it should be.

        The same card that comes again and again is reported once.
        """
        facts: list[Fact] = []
        record = seen.found.record if seen.found is not None else None
        if record is not None or seen.kind is Kind.EMPTY:
            counter = record.counter if record is not None else 0
            for write in seen.doubted:
                outcome = Outcome.DONE if counter >= write.counter else Outcome.UNDONE
                facts.append(CardSettled(at.stamp, write.id, outcome.value))
        if seen.refusal is None or seen.torn:
            return b"", tuple(facts)
        if seen.card != self.visit.suspected:
            holder, generation, counter = (record.holder, record.generation, record.counter) if record else (0, 0, 0)
            why = seen.refusal.value
            facts.append(CardSuspected(at.stamp, seen.card, holder, generation, counter, why, seen.counter))
        return seen.card, tuple(facts)

    def _card_removed(self, event: CardRemoved, rows: tuple[Row, ...], at: Moment) -> Step:
        visit = msgspec.structs.replace(self.visit, card=b"", member=None, refused=False)
        if visit.state is State.BROWSING:  # nothing of a person stays on the display
            visit = msgspec.structs.replace(visit, state=State.READY, browsing=None)
            return Step(visit=visit, effects=(visit.idle,))
        if visit.offered and visit.state is State.SHOWING:  # the QR belongs to the tag
            visit = msgspec.structs.replace(visit, state=State.READY, offered=False)
            return Step(visit=visit, effects=(visit.idle,))
        return Step(visit=visit)

    # --- points -----------------------------------------------------------------------------------------

    def _points(self, event: ev.PointsEarned | ev.PointsWanted, rows: tuple[Row, ...], at: Moment) -> Step:
        """Points are always earned; they are spent within the floors that this unit was leased, and within what the
        card of their holder says."""
        visit = self.visit
        if visit.state is State.OUT_OF_SERVICE:
            return Step(visit=visit)
        if isinstance(event, ev.PointsEarned):
            earned = Earned(
                at.stamp, self._new_id(), event.programme, event.holder, event.points, self._site, event.spend_yen,
                event.revision, event.sale,
            )  # fmt: skip
            return self._with_card(event, self._moved(event.points, View.EARNED, earned), at)
        refusal = self._cannot_pay(event, rows)
        if refusal is not None:
            if visit.state in WAITING:
                return Step(visit=visit)
            return self._show(Verdict(reason=refusal), *self._sought(event, rows))
        member = self.visit.member
        if member is None or self._speaks_of(event) is None or _is_worn(member):
            return self._moved(event.points, View.SPENT, self._spent(event, at))
        step = Step(visit=visit)
        if visit.state not in WAITING:
            showing, timer = self._timed(State.SHOWING, WRITING_MS)
            step = Step(visit=showing, effects=(Show(view=View.CARD_WRITING), timer))
        return self._with_card(event, step, at)

    def _cannot_pay(self, event: ev.PointsWanted, rows: tuple[Row, ...]) -> Reason | None:
        hint = self._speaks_of(event)
        if not _covered(event.points, rows) or (hint is not None and hint < event.points):
            return Reason.NO_POINTS
        return Reason.BUSY if self.visit.writing is not None else None

    @staticmethod
    def _sought(event: ev.PointsWanted, rows: tuple[Row, ...]) -> tuple[SeekPart, ...]:
        """`rows`: what is left of the floors; none: it is not known here, and whoever asks the centre looks."""
        if rows and _covered(event.points, rows):
            return ()
        return tuple(SeekPart(pot=pot, cost=Amount(event.points)) for pot in sharing.floors(event))

    def _spent(self, event: ev.PointsWanted, at: Moment) -> Spent:
        return Spent(at.stamp, self._new_id(), event.programme, event.holder, event.points, self._site, sale=event.sale)

    def _moved(self, points: int, view: View, fact: Fact) -> Step:
        """Points have moved; what is on the display and waits for its own answer stays."""
        if self.visit.state in WAITING:
            return Step(visit=self.visit, facts=(fact,))
        visit, timer = self._timed(State.SHOWING, SHOW_YES_MS)
        signal = Signal(light=Light.GREEN, sound=Sound.YES, duration_ms=SHOW_YES_MS)
        return Step(visit=visit, facts=(fact,), effects=(Show(view=view, number=points), signal, timer))

    def _speaks_of(self, event: ev.PointsEarned | ev.PointsWanted) -> int | None:
        """What the card in the slot says of this person's points in this programme; None: nothing."""
        member = self.visit.member
        if member is None or member.record.holder != event.holder:
            return None
        return member.record.points(event.programme)

    def _with_card(self, event: ev.PointsEarned | ev.PointsWanted, step: Step, at: Moment) -> Step:
        """The step, and the card's balance follows it; a card that says nothing of this programme stays as it is."""
        member, said = self.visit.member, self._speaks_of(event)
        if member is None or said is None or self.visit.writing is not None or _is_worn(member):
            return step
        paying = event if isinstance(event, ev.PointsWanted) else None
        change = event.points if paying is None else -event.points
        record = member.record.with_points(event.programme, said + change)
        return self._write(step, member.slot, member.card, member.found, record, self._new_id(), at, paying=paying)

    # --- writing ----------------------------------------------------------------------------------------

    def _write(
        self,
        step: Step,
        slot: CardPresented,
        card: bytes,
        before: Found | None,
        record: Record,
        id: bytes,
        at: Moment,
        *,
        paying: ev.PointsWanted | None = None,
        number: str = "",
    ) -> Step:
        """The step, with the intent and the write in it."""
        record = msgspec.structs.replace(record, counter=1 if before is None else before.record.counter + 1)
        after = Found(record, 0 if before is None else 1 - before.slot)
        writing = Writing(id=id, slot=slot, card=card, after=after, paying=paying, number=number)
        why = "issue" if number else "points"
        intent = CardWriting(at.stamp, id, card, record.holder, record.generation, record.counter, why)
        return msgspec.structs.replace(
            step,
            visit=msgspec.structs.replace(step.visit, writing=writing),
            facts=(*step.facts, intent),
            effects=(*step.effects, WriteCard(id=id, slot=slot, record=record, before=before)),
        )

    def _card_written(self, event: ev.CardWritten, rows: tuple[Row, ...], at: Moment) -> Step:
        """A write has ended, or is in doubt."""
        writing = self.visit.writing
        if writing is None or writing.id != event.id:
            return Step(visit=self.visit)
        before = self.visit
        settled = CardSettled(at.stamp, event.id, event.outcome.value)
        done = event.outcome is Outcome.DONE
        member = before.member
        if done and before.card == writing.slot.uid:
            member = Member(slot=writing.slot, card=writing.card, found=writing.after)
        step = self._after_write(writing, rows, at, done=done)
        return msgspec.structs.replace(
            step,
            visit=msgspec.structs.replace(step.visit, writing=None, member=member),
            facts=(settled, *step.facts),
            card=(writing.card, writing.after.record.counter) if done else None,
        )

    def _after_write(self, writing: Writing, rows: tuple[Row, ...], at: Moment, *, done: bool) -> Step:
        """What the person is told. A balance that follows what was earned is nobody's business."""
        quiet = Step(visit=self.visit)
        if writing.paying is not None:
            if done and _covered(writing.paying.points, rows):
                return self._moved(writing.paying.points, View.SPENT, self._spent(writing.paying, at))
            if self.visit.state in WAITING:
                return quiet
            return self._show(Verdict(reason=Reason.NO_POINTS if done else Reason.CARD_NOT_WRITTEN))
        if not writing.number or self.visit.state not in (State.READY, State.SHOWING):
            return quiet
        if not done:
            return self._show(Verdict(reason=Reason.CARD_NOT_WRITTEN))
        visit, timer = self._timed(State.SHOWING, SHOW_CARD_MS)
        signal = Signal(light=Light.GREEN, sound=Sound.YES, duration_ms=SHOW_YES_MS)
        return Step(visit=visit, effects=(Show(view=View.CARD_GIVEN, detail=writing.number), signal, timer))

    # --- giving out cards (M1, M2) ----------------------------------------------------------------------

    def _ask_for_card(self, event: CardPresented, seen: CardSeen) -> Step:
        """An empty tag at a kiosk: somebody wants a card. The same tag again is the same wish."""
        before = self.visit
        if not before.reach.online:
            return self._show(Verdict(reason=Reason.NO_CARD_NOW))
        wanted = before.wanted
        if wanted is None or wanted.slot.uid != event.uid:
            wanted = CardWanted(question=self._new_id(), slot=event, card=seen.card)
        visit, timer = self._timed(State.SHOWING, before.reach.limit_ms, pending=None, wanted=wanted)
        ask = AskCard(question=wanted.question, uid=event.uid, chip=event.chip)
        return Step(visit=visit, effects=(Show(view=View.ASKING), ask, timer))

    def _card_offered(self, event: ev.CardOffered, rows: tuple[Row, ...], at: Moment) -> Step:
        """The person goes on on their phone."""
        if not self._waits_for(event.question):
            return Step(visit=self.visit)
        visit, timer = self._timed(State.SHOWING, min(OFFER_MS, event.life_ms), offered=True)
        return Step(visit=visit, effects=(Show(view=View.CARD_OFFER, detail=event.link), timer))

    def _card_denied(self, event: ev.CardDenied, rows: tuple[Row, ...], at: Moment) -> Step:
        if not self._waits_for(event.question):
            return Step(visit=self.visit)
        return self._show(Verdict(reason=Reason.NO_CARD_NOW), wanted=None)

    def _card_granted(self, event: ev.CardGranted, rows: tuple[Row, ...], at: Moment) -> Step:
        """The phone has said who it is: the tag becomes their card."""
        visit, wanted = self.visit, self.visit.wanted
        chip = chip_named(wanted.slot.chip) if wanted is not None else None
        sound = 0 < event.holder <= HOLDER_MAX and 0 < event.generation <= GENERATION_MAX
        if wanted is None or not self._waits_for(event.question) or visit.writing is not None:
            return Step(visit=visit)
        if chip is None or not sound:
            return self._show(Verdict(reason=Reason.NO_CARD_NOW), wanted=None)
        record = Record(holder=event.holder, generation=event.generation)
        for programme, points in reversed(event.balances):
            record = record.with_points(programme, points)
        kept: tuple[Balance, ...] = fit(record.balances, chip)[0]
        record = msgspec.structs.replace(record, balances=kept)
        showing, timer = self._timed(State.SHOWING, WRITING_MS, wanted=None, offered=False)
        step = Step(visit=showing, effects=(Show(view=View.CARD_WRITING), timer))
        return self._write(step, wanted.slot, wanted.card, None, record, event.question, at, number=event.number)

    def _waits_for(self, question: bytes) -> bool:
        """Whether the tag for which this was asked is in the slot, and nobody else is being served."""
        visit = self.visit
        wanted = visit.wanted
        here = wanted is not None and wanted.question == question and wanted.slot.uid == visit.card
        return here and visit.state in (State.READY, State.SHOWING) and visit.basket_yen is None


def _is_worn(member: Member) -> bool:
    """Whether this card can't be written any more; the points move without it."""
    return member.record.counter >= COUNTER_MAX


def _covered(points: int, rows: tuple[Row, ...]) -> bool:
    """Whether every floor that the rows tell of still holds so many points."""
    return all(row.left.count >= points for row in rows)
