"""Giving out cards: the next one of a member, what became of its writing, and blocking a lost one (M1, M2).

A card is granted here and written by a kiosk. From the grant on the cards before it are void, whatever becomes of the
writing: the person has said that they are gone. What the kiosk reports (`CardSettled`) is kept with the card; a card
whose writing is in doubt counts where its record turns out to be valid, and is written anew where it does not.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from enum import StrEnum
from typing import Final

import msgspec
from sqlalchemy import Connection, insert, select, update

from central.coupons import cards as bound
from central.coupons import stoplist
from central.db.schema import issued_cards
from central.members import membership
from central.members.membership import Member, MemberError
from loyalty.card import COUNTER_MAX, GENERATION_MAX, HOLDER_MAX
from loyalty.card_slots import Chip
from wire import sealing
from wire.facts import CardFact, CardSettled, CardSuspected, CardWriting, Outcome

QUESTION_BYTES: Final = 16
GRANT_LIFE_MS: Final = 10 * 60_000
LISTED_MAX: Final = 1_000
WORD_CHARS_MAX: Final = 64
_log = logging.getLogger(__name__)


class CardState(StrEnum):
    """What became of a card that was granted."""

    GRANTED = "granted"  # nothing was heard of its writing yet
    WRITTEN = "written"
    UNDONE = "undone"  # the kiosk could not write it, and it is as it was
    DOUBTED = "doubted"  # pulled away: it may say the old or the new
    LOST = "lost"  # blocked: said of it, never stored, so that a card that is found is again what it was
    REPLACED = "replaced"
    ERASED = "erased"  # its holder is nobody any more


_OF_OUTCOME: Final = {
    Outcome.DONE.value: CardState.WRITTEN,
    Outcome.UNDONE.value: CardState.UNDONE,
    Outcome.DOUBT.value: CardState.DOUBTED,
}
_UNSETTLED: Final = (CardState.GRANTED.value, CardState.DOUBTED.value)
_IN_USE: Final = tuple(
    state.value for state in (CardState.GRANTED, CardState.WRITTEN, CardState.UNDONE, CardState.DOUBTED)
)


class IssuedCard(msgspec.Struct, frozen=True, kw_only=True):
    """A card that was given out."""

    generation: int
    uid: bytes
    chip: str
    state: str
    device: str  # the kiosk; empty: by hand
    granted_ms: int
    settled_ms: int | None


def next_card(
    connection: Connection,
    secret: bytes,
    member: Member,
    *,
    uid: bytes,
    chip: Chip,
    now_ms: int,
    question: bytes = b"",
    device: str = "",
) -> Member:
    """The next card of this member is the tag with this UID; gives the member as they are then. Raises MemberError."""
    if len(uid) not in bound.UID_BYTES:
        raise MemberError(f"a card's UID has 4, 7 or 10 bytes, not {len(uid)}")
    if member.erased:
        raise MemberError("whoever that was has erased their account")
    if member.generation >= GENERATION_MAX:
        raise MemberError(f"{member.person.name} has had {GENERATION_MAX} cards: a new person must be entered")
    if stoplist.stops(connection, stoplist.EVERYTHING, 0, member.person.holder):
        raise MemberError(f"everything of {member.person.name} is on the stop list")
    owner = owner_of(connection, uid, now_ms)
    if owner is not None and owner != member.person.id:
        raise MemberError("that card is somebody else's")
    after = membership.change(connection, secret, member, member.generation + 1, blocked=False)
    _let_go(connection, secret, member)
    replaced = (issued_cards.c.person_id == member.person.id) & issued_cards.c.state.in_(_IN_USE)
    connection.execute(update(issued_cards).where(replaced).values(state=CardState.REPLACED.value))
    bound.release(connection, secret, uid)
    connection.execute(
        insert(issued_cards).values(
            person_id=member.person.id,
            generation=after.generation,
            uid=uid,
            chip=chip.value,
            state=CardState.GRANTED.value,
            device=device,
            question=question or None,
            granted_ms=now_ms,
        )
    )
    return after


def block(connection: Connection, secret: bytes, member: Member) -> Member:
    """The valid card was lost: it is refused everywhere until the next one is given out. Raises MemberError."""
    if member.generation == 0:
        raise MemberError(f"{member.person.name} has no card")
    if member.blocked:
        raise MemberError(f"the card of {member.person.name} is blocked already")
    after = membership.change(connection, secret, member, member.generation, blocked=True)
    _let_go(connection, secret, member)
    return after


def unblock(connection: Connection, secret: bytes, member: Member) -> Member:
    """The blocked card was found again, and counts. Raises MemberError."""
    if member.erased:
        raise MemberError("whoever that was has erased their account")
    if not member.blocked:
        raise MemberError(f"the card of {member.person.name} is not blocked")
    return membership.change(connection, secret, member, member.generation, blocked=False)


def unbookable(fact: CardFact) -> str:
    """Why a well-formed fact about a card makes no sense; empty: it can be booked."""
    if isinstance(fact, CardSettled):
        return "" if len(fact.id) == QUESTION_BYTES and len(fact.outcome) <= WORD_CHARS_MAX else "it names no writing"
    if isinstance(fact, CardWriting) and len(fact.id) != QUESTION_BYTES:
        return f"the writing of a card has a name of {QUESTION_BYTES} bytes"
    if len(fact.card) != sealing.HASH_BYTES or len(fact.why) > WORD_CHARS_MAX:
        return "it names no card"
    lowest = 0 if isinstance(fact, CardSuspected) else 1  # a record that can't be believed names nobody
    sound = (
        lowest <= fact.holder <= HOLDER_MAX
        and lowest <= fact.generation <= GENERATION_MAX
        and lowest <= fact.counter <= COUNTER_MAX
    )
    return "" if sound else "no card can say that"


def book(connection: Connection, secret: bytes, fact: CardFact, now_ms: int) -> None:
    """What a unit says of a card. The same told again changes nothing."""
    if isinstance(fact, CardSettled):
        _settle(connection, fact, now_ms)
    elif isinstance(fact, CardWriting):
        _learn(connection, secret, fact)
    elif isinstance(fact, CardSuspected):
        _log.warning("a card was refused (%s): holder %012x, generation %d", fact.why, fact.holder, fact.generation)


def _learn(connection: Connection, secret: bytes, fact: CardWriting) -> None:
    """A centre that was restored from an older backup hears of the cards that it gave out since: the lost ones before
    them must not count again."""
    member = membership.of_holder(connection, fact.holder)
    if member is not None and fact.generation > member.generation:
        _log.warning("member %s has had a card %d that was not known here", member.number, fact.generation)
        with suppress(MemberError):  # another one is given out at this moment: a later one than this
            membership.change(connection, secret, member, fact.generation, blocked=member.erased)


def _settle(connection: Connection, fact: CardSettled, now_ms: int) -> None:
    """A kiosk says what became of a card that was granted to it."""
    state = _OF_OUTCOME.get(fact.outcome)
    if state is not None:
        connection.execute(
            update(issued_cards)
            .where(issued_cards.c.question == fact.id, issued_cards.c.state.in_(_UNSETTLED))
            .values(state=state.value, settled_ms=now_ms)
        )


def owner_of(connection: Connection, uid: bytes, now_ms: int) -> int | None:
    """Whose valid card, blocked or not, this tag is; None: nobody's.

    A grant that its kiosk has not answered in time leaves the tag to others: kiosks ask for empty tags alone.
    """
    fresh = issued_cards.c.question.is_(None) | (issued_cards.c.granted_ms > now_ms - GRANT_LIFE_MS)
    is_card = issued_cards.c.state.in_((CardState.WRITTEN.value, CardState.DOUBTED.value))
    in_use = is_card | ((issued_cards.c.state == CardState.GRANTED.value) & fresh)
    return connection.execute(
        select(issued_cards.c.person_id).where(issued_cards.c.uid == uid, in_use).limit(1)
    ).scalar()


def cards_of(connection: Connection, member: Member) -> list[IssuedCard]:
    """The cards of a member, newest first."""
    rows = connection.execute(
        select(
            issued_cards.c.generation,
            issued_cards.c.uid,
            issued_cards.c.chip,
            issued_cards.c.state,
            issued_cards.c.device,
            issued_cards.c.granted_ms,
            issued_cards.c.settled_ms,
        )
        .where(issued_cards.c.person_id == member.person.id)
        .order_by(issued_cards.c.generation.desc())
        .limit(LISTED_MAX)
    )
    cards = [IssuedCard(**row._asdict()) for row in rows]
    return [
        msgspec.structs.replace(card, state=CardState.LOST.value)
        if member.blocked and card.generation == member.generation and card.state in _IN_USE
        else card
        for card in cards
    ]


def _let_go(connection: Connection, secret: bytes, member: Member) -> None:
    """The cards of a member speak by their UID alone no more."""
    theirs = (issued_cards.c.person_id == member.person.id) & issued_cards.c.state.in_(_IN_USE)
    for uid in connection.execute(select(issued_cards.c.uid).where(theirs)).scalars().all():
        bound.release(connection, secret, uid)
