"""Who is a member: their number, which card of theirs is the valid one, and whether it is blocked (M1, M2).

A member's number has ten digits, random, the last a check digit: what a person types where a name would be long. It is
no secret and no key; a password belongs to it. The generation counts a person's cards: 0 before the first one, and
every card of a lower one is refused everywhere once the feed has told it. Units are told only where that matters: of a
second card or a later one, and of a blocked one, as a keyed hash of the holder (`PutGeneration`). So a feed of five
million members carries the few who lost something.

Tries at a password are counted here, in the database, before the password is looked at: a restart forgets none, and
many tries at once gain nothing.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Final

import msgspec
from sqlalchemy import Connection, Row, case, insert, select, update

from central import feed
from central.coupons import persons
from central.coupons.persons import Person
from central.db.schema import members
from central.db.schema import persons as people
from loyalty.check_digit import check_digit, fits
from wire import sealing
from wire.messages import PutGeneration

NUMBER_DIGITS: Final = 10
NUMBER_DRAWS_MAX: Final = 20  # until one is free: with a tenth of all numbers taken, the last is drawn in 1 of 10^20
TRIES_MAX: Final = 5  # wrong passwords for one member ...
TRIES_WINDOW_MS: Final = 15 * 60_000  # ... in so long
ROWS_AT_ONCE: Final = 1_000
_BLANKS: Final = re.compile(r"[\s-]+")
_DIGITS: Final = re.compile(rf"[0-9]{{{NUMBER_DIGITS}}}")


class MemberError(ValueError):
    """Nothing can be done for a member as asked; the message says why."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A person, as far as cards are concerned."""

    person: Person
    number: str  # ten digits
    generation: int  # of the valid card; 0: there was none yet
    blocked: bool  # the valid card was lost, or its holder erased their account
    erased: bool = False


def shown(number: str) -> str:
    """A number as people read it."""
    return f"{number[:4]} {number[4:7]} {number[7:]}"


def find(connection: Connection, login: str) -> Member | None:
    """By their number, with blanks or without, or by their name."""
    digits = _BLANKS.sub("", login)
    if _DIGITS.fullmatch(digits) and fits(digits):
        member = _read(connection.execute(_SELECT.where(members.c.number == digits)).one_or_none())
        if member is not None:
            return member
    return _read(connection.execute(_SELECT.where(people.c.name == login)).one_or_none())


def of_holder(connection: Connection, holder: int) -> Member | None:
    return _read(connection.execute(_SELECT.where(people.c.holder == holder)).one_or_none())


def enrol(connection: Connection, person: Person) -> Member:
    """Makes somebody a member; gives the one they are already."""
    known = _read(connection.execute(_SELECT.where(members.c.person_id == person.id)).one_or_none())
    if known is not None:
        return known
    number = _free_number(connection)
    connection.execute(
        insert(members).values(
            person_id=person.id, number=number, generation=0, blocked=False, tries=0, tries_since_ms=0
        )
    )
    return Member(person=person, number=number, generation=0, blocked=False)


def find_or_enrol(connection: Connection, login: str) -> Member | None:
    """`find`, and a person who has registered and never had a card is a member from now on."""
    member = find(connection, login)
    if member is not None:
        return member
    person = persons.find(connection, login)
    return None if person is None else enrol(connection, person)


def _free_number(connection: Connection) -> str:
    for _ in range(NUMBER_DRAWS_MAX):
        digits = f"{secrets.randbelow(10 ** (NUMBER_DIGITS - 1)):0{NUMBER_DIGITS - 1}}"
        number = digits + str(check_digit(digits))
        if connection.execute(select(members.c.person_id).where(members.c.number == number)).first() is None:
            return number
    raise MemberError("no free member number was found")


def all_members(connection: Connection, limit: int) -> list[Member]:
    rows = connection.execute(_SELECT.where(people.c.erased_ms.is_(None)).order_by(people.c.name).limit(limit))
    return [member for member in map(_read, rows) if member is not None]


# --- tries --------------------------------------------------------------------------------------------


def count_try(connection: Connection, member: Member, now_ms: int) -> bool:
    """Counts a try at this member's password that is about to be made; False: there were too many, make none."""
    fresh = (members.c.tries_since_ms <= now_ms - TRIES_WINDOW_MS) | (members.c.tries_since_ms > now_ms)
    counted = connection.execute(
        update(members)
        .where(members.c.person_id == member.person.id, fresh | (members.c.tries < TRIES_MAX))
        .values(
            tries=case((fresh, 1), else_=members.c.tries + 1),
            tries_since_ms=case((fresh, now_ms), else_=members.c.tries_since_ms),
        )
    )
    return counted.rowcount == 1


def forget_tries(connection: Connection, member: Member) -> None:
    """The password was right."""
    connection.execute(update(members).where(members.c.person_id == member.person.id).values(tries=0))


# --- the valid card -----------------------------------------------------------------------------------


def change(connection: Connection, secret: bytes, member: Member, generation: int, *, blocked: bool) -> Member:
    """From now on this generation is the valid one. Raises MemberError when somebody else changed it meanwhile."""
    changed = connection.execute(
        update(members)
        .where(
            members.c.person_id == member.person.id,
            members.c.generation == member.generation,
            members.c.blocked == member.blocked,
        )
        .values(generation=generation, blocked=blocked)
    )
    if changed.rowcount != 1:
        raise MemberError("the card was changed by somebody else just now")
    after = msgspec.structs.replace(member, generation=generation, blocked=blocked)
    if _matters(after) or _matters(member):
        feed.append(connection, [_told(secret, after)], None)
    return after


def changes(connection: Connection, secret: bytes) -> Iterator[PutGeneration]:
    """What a snapshot says of members: those who lost a card."""
    rows = connection.execute(
        select(people.c.holder, members.c.generation, members.c.blocked)
        .join_from(members, people)
        .where((members.c.generation > 1) | members.c.blocked)
        .order_by(members.c.person_id),
        execution_options={"yield_per": ROWS_AT_ONCE},
    )
    for holder, generation, blocked in rows:
        yield PutGeneration(sealing.holder_hash(secret, holder), generation, bool(blocked))


def _matters(member: Member) -> bool:
    return member.generation > 1 or member.blocked


def _told(secret: bytes, member: Member) -> PutGeneration:
    return PutGeneration(sealing.holder_hash(secret, member.person.holder), member.generation, member.blocked)


_SELECT: Final = select(
    people.c.id,
    people.c.name,
    people.c.holder,
    members.c.number,
    members.c.generation,
    members.c.blocked,
    people.c.erased_ms.is_not(None),
).join_from(members, people)


def _read(row: Row[int, str, int, str, int, bool, bool] | None) -> Member | None:
    if row is None:
        return None
    number, name, holder, digits, generation, blocked, erased = row
    person = Person(id=number, name=name, holder=holder)
    return Member(person=person, number=digits, generation=generation, blocked=bool(blocked), erased=bool(erased))
