"""Whose coupon it was, and what became of it (K7): figure 3 of document K, and the phone's list.

What a unit reports names a serial; the serial names the download, the download the person. A coupon without a
serial can't be followed: its state is 'untracked' (figure 3 prints a dash), and only its campaign's count tells.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, select

from central.db.schema import USES, campaigns, coupons, persons, redemptions
from loyalty.campaign import Campaign
from wire.messages import decode


class State(StrEnum):
    UNUSED = "unused"
    USED = "used"
    UNTRACKED = "untracked"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One coupon that somebody has."""

    id: int  # of the download
    person: str  # empty: handed out without asking who
    campaign: Campaign
    number: int | None
    text: str
    downloaded_ms: int
    expires_ms: int | None
    state: State
    used_ms: int | None
    used_site: str | None  # the site's name in topics


def of_person(connection: Connection, name: str | None) -> list[Line]:
    """The coupons of a person, oldest first; None: those handed out without asking who."""
    return _lines(connection, persons.c.id.is_(None) if name is None else persons.c.name == name)


def shown_to(connection: Connection, person_id: int, limit: int) -> list[Line]:
    """The coupons of a person, newest first."""
    return _lines(connection, coupons.c.person_id == person_id, newest=limit)


def one_of(connection: Connection, person_id: int, number: int) -> Line | None:
    """One download of this person; None: there is none, or it is somebody else's."""
    found = _lines(connection, and_(coupons.c.person_id == person_id, coupons.c.id == number))
    return found[0] if found else None


def of_everybody(connection: Connection) -> list[Line]:
    """Figure 3 as a whole: every person's coupons, by person."""
    return _lines(connection, persons.c.id.is_not(None))


def _lines(connection: Connection, which: ColumnElement[bool], newest: int | None = None) -> list[Line]:
    order = (persons.c.name, coupons.c.id) if newest is None else (coupons.c.id.desc(),)
    use = and_(
        coupons.c.serial != 0,
        redemptions.c.campaign == coupons.c.campaign,
        redemptions.c.serial == coupons.c.serial,
        redemptions.c.state.in_(USES),
    )
    rows = connection.execute(
        select(
            coupons.c.id,
            persons.c.name,
            campaigns.c.body,
            coupons.c.serial,
            coupons.c.number,
            coupons.c.text,
            coupons.c.downloaded_ms,
            coupons.c.expires_ms,
            redemptions.c.at_ms,
            redemptions.c.site,
        )
        .select_from(coupons.join(campaigns).outerjoin(persons).outerjoin(redemptions, use))
        .where(which)
        .order_by(*order)
        .limit(newest)
    )
    return [
        Line(
            id=row.id,
            person=row.name or "",
            campaign=decode(row.body, Campaign),
            number=row.number,
            text=row.text,
            downloaded_ms=row.downloaded_ms,
            expires_ms=row.expires_ms,
            state=State.UNTRACKED if row.serial == 0 else State.UNUSED if row.at_ms is None else State.USED,
            used_ms=row.at_ms,
            used_site=row.site,
        )
        for row in rows
    ]
