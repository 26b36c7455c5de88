"""Whose card is whose: what a coupon that is bound to its holder's card is held against.

A card is known by its UID, which a cloned card has too: it keeps a coupon from somebody who holds a picture of it, and
is no proof of anything else. The units are told the keyed hash of the UID and the holder's pseudonym.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, delete, insert, select

from central import feed
from central.coupons.persons import Person
from central.db.schema import cards, persons
from wire import sealing
from wire.messages import PutCard

UID_BYTES: Final = (4, 7, 10)  # ISO/IEC 14443-3
CARDS_PER_PERSON_MAX: Final = 10


class CardError(ValueError):
    """A card can't be bound as asked; the message says why."""


def bind(connection: Connection, secret: bytes, person: Person, uid: bytes, now_ms: int) -> None:
    """From now on this card is that person's, and nobody else's. Raises CardError."""
    if len(uid) not in UID_BYTES:
        raise CardError(f"a card's UID has 4, 7 or 10 bytes, not {len(uid)}")
    theirs = connection.execute(select(cards.c.uid).where(cards.c.person_id == person.id)).scalars().all()
    if uid in theirs:
        return
    if len(theirs) >= CARDS_PER_PERSON_MAX:
        raise CardError(f"{person.name} has {CARDS_PER_PERSON_MAX} cards already; let go of one first")
    connection.execute(delete(cards).where(cards.c.uid == uid))
    connection.execute(insert(cards).values(uid=uid, person_id=person.id, bound_ms=now_ms))
    feed.append(connection, [PutCard(sealing.card_hash(secret, uid), person.holder)], None)


def release(connection: Connection, secret: bytes, uid: bytes) -> bool:
    """From now on this card is nobody's: it was lost. False: it was nobody's before."""
    if connection.execute(delete(cards).where(cards.c.uid == uid)).rowcount == 0:
        return False
    feed.append(connection, [PutCard(sealing.card_hash(secret, uid), 0)], None)
    return True


def listed(connection: Connection, secret: bytes) -> list[PutCard]:
    """Every card, as the units know it, in an order that does not change."""
    rows = connection.execute(select(cards.c.uid, persons.c.holder).join_from(cards, persons).order_by(cards.c.uid))
    return [PutCard(sealing.card_hash(secret, row.uid), row.holder) for row in rows]
