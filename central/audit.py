"""Who looked at whose data, and when: written in the same transaction that reads it, so that no look goes unwritten.

A person is named by pseudonym alone, so that an erasure leaves the log whole. Rows are only ever added.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, insert, select

from central.db.schema import audit, persons
from central.staff import Role

LIMIT_MAX: Final = 500


class What(StrEnum):
    """What was looked at or done."""

    PEOPLE_LISTED = "people_listed"  # names of several people
    PERSON_SEEN = "person_seen"  # one person with their coupons and points
    CUSTOMER_SOUGHT = "customer_sought"  # a shop asked for somebody, and nobody was shown (M7)
    CUSTOMER_SEEN = "customer_seen"  # a shop was shown what somebody did at it
    CUSTOMER_KEPT = "customer_kept"  # ... and keeps it in a file
    REGISTERED = "registered"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - the name of what was done
    CONSENT_GIVEN = "consent_given"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    EXPORTED = "exported"
    CARD_GIVEN = "card_given"  # a member card was granted to them
    ERASED = "erased"
    LETTER_PRINTED = "letter_printed"  # name, postal address and offers, for the printer
    ADDRESS_CHANGED = "address_changed"
    USE_SEEN = "use_seen"  # what one person looks at, downloads and uses
    TOKEN_ISSUED = "token_issued"  # noqa: S105 - the name of what was done
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    COUPON_ISSUED = "coupon_issued"  # by a token
    COUPON_STOPPED = "coupon_stopped"  # by a token


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log."""

    id: int
    at_ms: int
    role: Role
    who: str
    holder: int  # 0: several people
    name: str  # of the person now; empty: several, or erased since
    what: What
    site: str = ""  # the shop's that looked


def note(
    connection: Connection, role: Role, who: str, what: What, now_ms: int, holder: int = 0, site: str = ""
) -> None:
    """Writes a look down, in the caller's write transaction. `who`: a member's name, a person's pseudonym."""
    connection.execute(
        insert(audit).values(at_ms=now_ms, role=role.value, who=who, holder=holder, what=what.value, site=site)
    )


def listed(connection: Connection, limit: int = 100, before: int | None = None) -> list[Look]:
    """Newest first; `before`: only those with a smaller number, for the next page."""
    query = _LOOKS if before is None else _LOOKS.where(audit.c.id < before)
    return _looks(connection, query, limit)


def of_person(connection: Connection, holder: int, limit: int = 50) -> list[Look]:
    """Looks at one person's data, newest first, for that person to see."""
    return _looks(connection, _LOOKS.where(audit.c.holder == holder), limit)


_LOOKS: Final[Select[Any]] = (
    select(audit, persons.c.name, persons.c.erased_ms)
    .outerjoin_from(audit, persons, persons.c.holder == audit.c.holder)
    .order_by(audit.c.id.desc())
)


def _looks(connection: Connection, query: Select[Any], limit: int) -> list[Look]:
    rows = connection.execute(query.limit(max(0, min(limit, LIMIT_MAX))))
    return [
        Look(
            id=row.id,
            at_ms=row.at_ms,
            role=Role(row.role),
            who=row.who,
            holder=row.holder,
            name="" if row.name is None or row.erased_ms is not None else row.name,
            what=What(row.what),
            site=row.site,
        )
        for row in rows
    ]
