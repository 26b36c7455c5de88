"""What the centre keeps about a person, for that person: all of it as one document, and its erasure.

Erasing takes name, password, cards, sessions and consents; it can't be undone. What was downloaded and used stays in
the books under the pseudonym, which then leads to nobody.
"""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, delete, select, update

from central import audit, consent
from central.analysis import views
from central.coupons import cards, history
from central.coupons.persons import Person
from central.db.schema import cards as card_rows
from central.db.schema import consents, persons, sessions

COUPONS_MAX: Final = 100_000  # in one document
LOOKS_MAX: Final = audit.LIMIT_MAX
NO_PASSWORD: Final = "!"  # noqa: S105 - no hash: nothing fits it
ERASED: Final = " erased {holder:012x}"  # with a blank in front, it can be nobody's name


class CouponRow(msgspec.Struct, kw_only=True):
    campaign: int
    name: str
    provider: str
    number: int | None
    text: str
    downloaded_ms: int
    expires_ms: int | None
    state: str
    used_ms: int | None
    used_site: str | None


class LookRow(msgspec.Struct, kw_only=True):
    at_ms: int
    role: str
    what: str


class Export(msgspec.Struct, kw_only=True):
    """Times are milliseconds since 1970, UTC."""

    name: str
    pseudonym: str
    since_ms: int
    cards: list[str]  # UIDs
    consents: list[consent.Consent]
    coupons: list[CouponRow]
    views: list[views.View]  # the coupons that they looked at, if they agreed to its being kept
    looks: list[LookRow]  # of whoever looked at these data, by role


def export(connection: Connection, person: Person) -> Export:
    """Everything about a person that the centre keeps in their name."""
    since_ms = connection.execute(select(persons.c.created_ms).where(persons.c.id == person.id)).scalar_one()
    uids = connection.execute(select(card_rows.c.uid).where(card_rows.c.person_id == person.id)).scalars()
    return Export(
        name=person.name,
        pseudonym=f"{person.holder:012x}",
        since_ms=since_ms,
        cards=[uid.hex() for uid in uids],
        consents=consent.history(connection, person.id),
        coupons=[
            CouponRow(
                campaign=line.campaign.id,
                name=line.campaign.name,
                provider=line.campaign.provider,
                number=line.number,
                text=line.text,
                downloaded_ms=line.downloaded_ms,
                expires_ms=line.expires_ms,
                state=line.state.value,
                used_ms=line.used_ms,
                used_site=line.used_site,
            )
            for line in history.shown_to(connection, person.id, COUPONS_MAX)
        ],
        views=views.of_person(connection, person.id),
        looks=[
            LookRow(at_ms=look.at_ms, role=look.role.value, what=look.what.value)
            for look in audit.of_person(connection, person.holder, LOOKS_MAX)
        ],
    )


def erase(connection: Connection, secret: bytes, person: Person, now_ms: int) -> None:
    """Takes away what leads from the pseudonym to the person, in the caller's write transaction.

    `secret`: of the caches (`central.keys`), by which the units know the cards that are let go.
    """
    for uid in connection.execute(select(card_rows.c.uid).where(card_rows.c.person_id == person.id)).scalars().all():
        cards.release(connection, secret, uid)
    connection.execute(delete(sessions).where(sessions.c.person_id == person.id))
    connection.execute(delete(consents).where(consents.c.person_id == person.id))
    connection.execute(
        update(persons)
        .where(persons.c.id == person.id)
        .values(name=ERASED.format(holder=person.holder), password_hash=NO_PASSWORD, erased_ms=now_ms)
    )
