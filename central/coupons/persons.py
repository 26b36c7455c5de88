"""The people who download (K3): a name, a password, and the pseudonym under which facts speak of them.

Passwords are kept as argon2id hashes and checked here alone. A name that does not exist costs as much time as
a wrong password, so that names can't be tried out.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from functools import cache
from typing import Final

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, delete, insert, select, update

from central.db.schema import persons, sessions
from loyalty.cells import printable

NAME: Final = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,38}[^\s\x00-\x1f\x7f])?")
PASSWORD_CHARS_MIN: Final = 4
PASSWORD_CHARS_MAX: Final = 200
TOKEN_BYTES: Final = 32
SESSIONS_PER_PERSON_MAX: Final = 20


class PersonError(ValueError):
    """A person can't be entered as asked; the message says why."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may download coupons."""

    id: int
    name: str
    holder: int  # 48 bits, random, never 0


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()  # argon2id with the library's (RFC 9106 low-memory) parameters


@cache
def _nobodys_hash() -> str:
    return _hasher().hash(secrets.token_hex(16))


def hash_password(password: str) -> str:
    """Raises PersonError for one that is too short or too long."""
    if not PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
        raise PersonError(f"a password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters")
    return _hasher().hash(password)


def add(connection: Connection, name: str, password_hash: str, now_ms: int) -> Person:
    """Enters a person, or sets a new password for one who is there (and ends their sessions). Raises PersonError."""
    if not NAME.fullmatch(name):
        raise PersonError("a name has 1 to 40 characters, none of them a control character or a blank at the ends")
    known = find(connection, name)
    if known is not None:
        set_password(connection, known, password_hash)
        return known
    holder = secrets.randbelow(2**48 - 1) + 1
    connection.execute(insert(persons).values(name=name, password_hash=password_hash, holder=holder, created_ms=now_ms))
    person = find(connection, name)
    assert person is not None
    return person


def set_password(connection: Connection, person: Person, password_hash: str) -> None:
    """A new password ends every session. Who was erased in the meantime gets none."""
    there = (persons.c.id == person.id) & persons.c.erased_ms.is_(None)
    connection.execute(update(persons).where(there).values(password_hash=password_hash))
    connection.execute(delete(sessions).where(sessions.c.person_id == person.id))


def register(connection: Connection, name: str, password_hash: str, now_ms: int) -> Person | None:
    """Enters somebody who asks for it themselves; None: the name is taken. Raises PersonError."""
    if not NAME.fullmatch(name) or name != printable(name):
        raise PersonError("a name has 1 to 40 visible characters, with no blank at the ends")
    return None if find(connection, name) is not None else add(connection, name, password_hash, now_ms)


def find(connection: Connection, name: str) -> Person | None:
    if not NAME.fullmatch(name):
        return None  # and no text for every database
    row = connection.execute(
        select(persons.c.id, persons.c.name, persons.c.holder).where(persons.c.name == name)
    ).one_or_none()
    return None if row is None else Person(**row._asdict())


def all_persons(connection: Connection) -> list[Person]:
    rows = connection.execute(select(persons.c.id, persons.c.name, persons.c.holder).order_by(persons.c.name))
    return [Person(**row._asdict()) for row in rows]


def stored_hash(connection: Connection, name: str) -> str | None:
    if not NAME.fullmatch(name):
        return None
    return connection.execute(select(persons.c.password_hash).where(persons.c.name == name)).scalar()


def password_fits(stored: str | None, password: str) -> bool:
    """Whether it is the password; takes its time on purpose, so call it outside a transaction."""
    try:
        fits = _hasher().verify(stored or _nobodys_hash(), password[: PASSWORD_CHARS_MAX + 1])
    except (VerificationError, InvalidHashError):
        return False
    return fits and stored is not None


def open_session(connection: Connection, person: Person, now_ms: int, life_ms: int) -> str:
    """A token for somebody whose password was checked. The oldest sessions beyond the bound end."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    connection.execute(delete(sessions).where(sessions.c.expires_ms <= now_ms))
    mine = select(sessions.c.token_hash).where(sessions.c.person_id == person.id)
    too_old = connection.execute(mine.order_by(sessions.c.expires_ms.desc()).offset(SESSIONS_PER_PERSON_MAX - 1))
    connection.execute(delete(sessions).where(sessions.c.token_hash.in_(list(too_old.scalars()))))
    connection.execute(
        insert(sessions).values(token_hash=token_hash(token), person_id=person.id, expires_ms=now_ms + life_ms)
    )
    return token


def of_session(connection: Connection, token: str, now_ms: int) -> Person | None:
    row = connection.execute(
        select(persons.c.id, persons.c.name, persons.c.holder)
        .join_from(sessions, persons)
        .where(sessions.c.token_hash == token_hash(token), sessions.c.expires_ms > now_ms)
    ).one_or_none()
    return None if row is None else Person(**row._asdict())


def close_session(connection: Connection, token: str) -> None:
    connection.execute(delete(sessions).where(sessions.c.token_hash == token_hash(token)))


def token_hash(token: str) -> bytes:
    """What is kept of a session's token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
