"""What a person agreed to, to which text, and since when. A withdrawal ends it; a new text asks anew.

The texts stand with the pages' words (`central.pages.words.consent`); here is which version is in force.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec
from sqlalchemy import Connection, insert, select, update

from central.db.schema import consents


class Purpose(StrEnum):
    """What somebody's data may be used for."""

    SERVICE = "service"  # keeping their coupons and history: without it there is no account
    OFFERS = "offers"  # choosing offers from what they used (M9); may be withdrawn
    SHOPS = "shops"  # shops may look them up by name, and see it (M7); may be withdrawn
    ANALYSIS = "analysis"  # keeping which coupons they look at (K10); may be withdrawn


VERSION: Final = "2026-12"  # of the texts in force


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    purpose: Purpose
    version: str
    given_ms: int
    withdrawn_ms: int | None


def give(connection: Connection, person_id: int, purpose: Purpose, now_ms: int) -> bool:
    """False: it was given to this very text before."""
    if any(one.version == VERSION for one in in_force(connection, person_id) if one.purpose is purpose):
        return False
    connection.execute(
        insert(consents).values(person_id=person_id, purpose=purpose.value, version=VERSION, given_ms=now_ms)
    )
    return True


def withdraw(connection: Connection, person_id: int, purpose: Purpose, now_ms: int) -> bool:
    """False: it was not given."""
    theirs = (consents.c.person_id == person_id) & (consents.c.purpose == purpose.value)
    changed = connection.execute(
        update(consents).where(theirs, consents.c.withdrawn_ms.is_(None)).values(withdrawn_ms=now_ms)
    )
    return changed.rowcount > 0


def history(connection: Connection, person_id: int) -> list[Consent]:
    """All of them, oldest first."""
    rows = connection.execute(select(consents).where(consents.c.person_id == person_id).order_by(consents.c.id))
    return [
        Consent(purpose=Purpose(row.purpose), version=row.version, given_ms=row.given_ms, withdrawn_ms=row.withdrawn_ms)
        for row in rows
    ]


def in_force(connection: Connection, person_id: int) -> list[Consent]:
    return [one for one in history(connection, person_id) if one.withdrawn_ms is None]
