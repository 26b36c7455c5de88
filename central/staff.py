"""Who works with the centre's pages: a shop, a provider, an operator; each is one of them, and sees no more.

Staff are entered by whoever may run commands on the centre (`tokuten staff`), never over the network. Passwords are
argon2id hashes; sessions are kept as hashes of their tokens. Changing or removing somebody ends their sessions.
"""

from __future__ import annotations

import secrets
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from central.coupons.persons import NAME, token_hash
from central.db.schema import sites, staff, staff_sessions
from loyalty.cells import printable

STAFF_MAX: Final = 10_000
SESSIONS_PER_MEMBER_MAX: Final = 5
PASSWORD_CHARS_MIN: Final = 8


class Role(StrEnum):
    """What somebody may see. A person is no staff: they have a pseudonym and see what is theirs."""

    PERSON = "person"
    SHOP = "shop"  # the redemptions of its own site
    PROVIDER = "provider"  # the coupons that it issued
    OPERATOR = "operator"  # everything; looks at people are written down


class StaffError(ValueError):
    """Somebody can't be entered as asked; the message says why."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One member of staff."""

    id: int
    name: str
    role: Role
    site: str = ""
    provider: str = ""


def add(
    connection: Connection,
    name: str,
    password_hash: str,
    role: Role,
    now_ms: int,
    *,
    site: str = "",
    provider: str = "",
) -> Member:
    """Enters somebody, or changes who they are (and ends their sessions). Raises StaffError."""
    if not NAME.fullmatch(name) or name != printable(name):
        raise StaffError("a name has 1 to 40 visible characters, with no blank at the ends")
    if role is Role.PERSON:
        raise StaffError("people register by themselves, or are entered with `tokuten central person`")
    if bool(site) != (role is Role.SHOP) or bool(provider) != (role is Role.PROVIDER):
        raise StaffError("a shop has a site, a provider has a provider's name, an operator has neither")
    if site and connection.execute(select(sites.c.id).where(sites.c.name == site)).first() is None:
        raise StaffError(f"there is no site {site}")
    if provider and provider != printable(provider):
        raise StaffError("a provider's name has no invisible characters and no stray blanks")
    values = {"password_hash": password_hash, "role": role.value, "site": site, "provider": provider}
    known = find(connection, name)
    if known is None:
        if len(listed(connection)) >= STAFF_MAX:
            raise StaffError(f"there are {STAFF_MAX:,} members of staff already")
        connection.execute(insert(staff).values(name=name, created_ms=now_ms, **values))
    else:
        connection.execute(update(staff).where(staff.c.id == known.id).values(**values))
        connection.execute(delete(staff_sessions).where(staff_sessions.c.staff_id == known.id))
    member = find(connection, name)
    assert member is not None
    return member


def remove(connection: Connection, name: str) -> bool:
    """They can't log in any more, and are logged out. False: there was nobody of that name."""
    member = find(connection, name)
    if member is None:
        return False
    connection.execute(delete(staff_sessions).where(staff_sessions.c.staff_id == member.id))
    connection.execute(delete(staff).where(staff.c.id == member.id))
    return True


_MEMBER: Final = select(staff.c.id, staff.c.name, staff.c.role, staff.c.site, staff.c.provider)


def find(connection: Connection, name: str) -> Member | None:
    row = connection.execute(_MEMBER.where(staff.c.name == name)).one_or_none()
    return None if row is None else _member(row)


def listed(connection: Connection) -> list[Member]:
    rows = connection.execute(_MEMBER.order_by(staff.c.role, staff.c.name).limit(STAFF_MAX))
    return [_member(row) for row in rows]


def _member(row: Any) -> Member:
    return Member(id=row.id, name=row.name, role=Role(row.role), site=row.site, provider=row.provider)


def stored_hash(connection: Connection, name: str) -> str | None:
    return connection.execute(select(staff.c.password_hash).where(staff.c.name == name)).scalar()


def open_session(connection: Connection, member: Member, now_ms: int, life_ms: int) -> str:
    """A token for somebody whose password was checked. The oldest sessions beyond the bound end."""
    token = secrets.token_urlsafe(32)
    connection.execute(delete(staff_sessions).where(staff_sessions.c.expires_ms <= now_ms))
    theirs = select(staff_sessions.c.token_hash).where(staff_sessions.c.staff_id == member.id)
    too_old = connection.execute(
        theirs.order_by(staff_sessions.c.expires_ms.desc()).offset(SESSIONS_PER_MEMBER_MAX - 1)
    )
    connection.execute(delete(staff_sessions).where(staff_sessions.c.token_hash.in_(list(too_old.scalars()))))
    connection.execute(
        insert(staff_sessions).values(token_hash=token_hash(token), staff_id=member.id, expires_ms=now_ms + life_ms)
    )
    return token


def of_session(connection: Connection, token: str, now_ms: int) -> Member | None:
    row = connection.execute(
        _MEMBER.join_from(staff, staff_sessions).where(
            staff_sessions.c.token_hash == token_hash(token), staff_sessions.c.expires_ms > now_ms
        )
    ).one_or_none()
    return None if row is None else _member(row)


def close_session(connection: Connection, token: str) -> None:
    connection.execute(delete(staff_sessions).where(staff_sessions.c.token_hash == token_hash(token)))
