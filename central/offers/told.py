"""What was picked for somebody, as a page and a kiosk show it: the newest run's offers that still hold.

A kiosk asks by the pseudonym on the card and is told titles alone. Nothing is told of whoever withdrew their consent
since the run, or was erased.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, exists, func, select

from central.consent import Purpose
from central.db.schema import bargains, consents, goods, offer_declines, offer_picks, persons, sites
from wire.messages import OFFER_CHARS_MAX, OFFERS_MAX


class Pick(msgspec.Struct, frozen=True, kw_only=True):
    """An offer, and why it was picked."""

    bargain: int
    title: str
    body: str
    site: str
    shop: str  # the site as people read it
    until_ms: int
    campaign: int | None
    why: str  # central.offers.picker.Why
    gtin: int
    goods: str  # what they bought, in words; empty: not known
    where: str  # where they bought it, as people read it


def of_person(connection: Connection, person_id: int, now_ms: int, run_id: int | None = None) -> list[Pick]:
    """What still holds of the newest picks of this person (or of that run's), best first."""
    newest = select(func.max(offer_picks.c.run_id)).where(offer_picks.c.person_id == person_id).scalar_subquery()
    theirs = (offer_picks.c.person_id == person_id) & (offer_picks.c.run_id == (newest if run_id is None else run_id))
    place = sites.alias()
    declined = exists().where(
        offer_declines.c.person_id == person_id, offer_declines.c.bargain_id == offer_picks.c.bargain_id
    )
    agreed = exists().where(
        consents.c.person_id == person_id,
        consents.c.purpose == Purpose.OFFERS.value,
        consents.c.withdrawn_ms.is_(None),
    )
    rows = connection.execute(
        select(
            offer_picks.c.bargain_id,
            bargains.c.title,
            bargains.c.body,
            sites.c.name,
            sites.c.title.label("shop"),
            bargains.c.until_ms,
            bargains.c.campaign,
            offer_picks.c.why,
            offer_picks.c.gtin,
            goods.c.name.label("goods"),
            offer_picks.c.site,
            place.c.title.label("place"),
        )
        .join_from(offer_picks, bargains, bargains.c.id == offer_picks.c.bargain_id)
        .join(sites, sites.c.id == bargains.c.site_id)
        .outerjoin(place, place.c.name == offer_picks.c.site)
        .outerjoin(goods, goods.c.gtin == offer_picks.c.gtin)
        .where(theirs, bargains.c.until_ms > now_ms, bargains.c.ended_ms.is_(None), ~declined, agreed)
        .order_by(offer_picks.c.rank)
        .limit(OFFERS_MAX)
    )
    return [
        Pick(
            bargain=row.bargain_id,
            title=row.title,
            body=row.body,
            site=row.name,
            shop=row.shop,
            until_ms=row.until_ms,
            campaign=row.campaign,
            why=row.why,
            gtin=row.gtin,
            goods=row.goods or "",
            where=row.place or row.site,
        )
        for row in rows
    ]


def titles(connection: Connection, holder: int, now_ms: int) -> list[str]:
    """What a kiosk's display says while the card of this holder is in."""
    person_id = connection.execute(
        select(persons.c.id).where(persons.c.holder == holder, persons.c.erased_ms.is_(None))
    ).scalar()
    if person_id is None:
        return []
    return [pick.title[:OFFER_CHARS_MAX] for pick in of_person(connection, person_id, now_ms)]
