"""What becomes of a member's cards when their account is erased, and what an export says of them.

The card in their pocket goes on naming a pseudonym that leads to nobody, so every unit must refuse it: the member stays
as a row that is blocked for ever, and the feed and each snapshot tell it. The number, which somebody may know them by,
and the UIDs, by which a card in a hand leads back to the pseudonym, go. That cards were given out, when and where, and
what became of them stays, under the pseudonym, as the facts of the kiosks do.
"""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, delete, select, update

from central.coupons import cards as bound
from central.coupons.persons import Person
from central.db.schema import card_requests, issued_cards, members
from central.members import giving, membership
from central.members.giving import CardState

NOBODYS: Final = "erased {holder:012x}"
"""In place of the ten digits: nobody can type it where a number is asked."""


class CardRow(msgspec.Struct, kw_only=True):
    """A card that was given out, for its holder. Times as in `central.own_data`."""

    number: str  # of the member
    generation: int
    uid: str
    chip: str
    state: str
    kiosk: str
    given_ms: int
    written_ms: int | None


def rows(connection: Connection, person: Person) -> list[CardRow]:
    """The cards of a person, newest first."""
    member = membership.of_holder(connection, person.holder)
    if member is None:
        return []
    return [
        CardRow(
            number=member.number,
            generation=card.generation,
            uid=card.uid.hex(),
            chip=card.chip,
            state=card.state,
            kiosk=card.device,
            given_ms=card.granted_ms,
            written_ms=card.settled_ms,
        )
        for card in giving.cards_of(connection, member)
    ]


def leave(connection: Connection, secret: bytes, person: Person) -> None:
    """Lets go of a member, in the caller's write transaction; every card of theirs is refused from now on."""
    member = membership.of_holder(connection, person.holder)
    if member is None:
        return
    uids = connection.execute(select(issued_cards.c.uid).where(issued_cards.c.person_id == person.id)).scalars().all()
    connection.execute(delete(card_requests).where(card_requests.c.person_id == person.id))
    for uid in uids:
        bound.release(connection, secret, uid)
    if not member.blocked:
        membership.change(connection, secret, member, member.generation, blocked=True)
    connection.execute(
        update(issued_cards).where(issued_cards.c.person_id == person.id).values(uid=b"", state=CardState.ERASED.value)
    )
    connection.execute(
        update(members).where(members.c.person_id == person.id).values(number=NOBODYS.format(holder=person.holder))
    )
