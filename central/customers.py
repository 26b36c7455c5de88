"""A shop asks for a customer (M7): who may be found, and what the shop is told. Nothing but what is this shop's own.

    found     by member number, by the pseudonym on a card, or by the name that the customer tells: the whole of it
    shown     who has done something at this shop, or has agreed that shops look them up
    told      what they did at this shop and their points there; the name, and points that all shops share, with
              their agreement alone

Nobody, somebody who has nothing to do with this shop, and somebody who was erased are one answer: None. A look is
written down by the caller, in the transaction that reads.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, func, select, text

from central import consent
from central.consent import Purpose
from central.coupons.persons import NAME
from central.db.schema import USES, campaigns, coupons, members, persons, redemptions
from central.ledger import balances, statement
from central.ledger.balances import Balance
from central.ledger.statement import Move
from central.members.membership import NUMBER_DIGITS
from loyalty.campaign import Campaign
from wire.messages import decode

SHOWN_MAX: Final = 200  # uses, and movements of points, each
_PSEUDONYM: Final = re.compile(r"[0-9a-f]{12}")
_NUMBER: Final = re.compile(rf"[0-9]{{{NUMBER_DIGITS}}}")
_BLANKS: Final = re.compile(r"[\s-]+")
_OF_SOMEBODY: Final = text("redemptions.holder <> 0")  # as the index has it


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """A coupon that was used at this shop."""

    campaign: int
    name: str
    number: int | None
    at_ms: int
    discount_yen: int


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """What a shop is told of somebody."""

    holder: int
    name: str  # empty: they have not agreed that shops see it
    uses: list[Used]  # newest first
    moves: list[Move]  # newest first
    balances: list[Balance]  # of this shop; shared ones with their agreement alone


class _Person(msgspec.Struct, frozen=True):
    id: int
    name: str
    holder: int


def find(connection: Connection, site: str, told: str, now_ms: int) -> Customer | None:
    """Who was meant, if this shop may know of them; None: nobody, or nobody whom this shop may see."""
    person = _person(connection, told.strip())
    if person is None:
        return None
    agreed = any(one.purpose is Purpose.SHOPS for one in consent.in_force(connection, person.id))
    uses = _uses(connection, person, site)
    moves = statement.at_shop(connection, person.holder, site, SHOWN_MAX)
    if not (agreed or uses or moves):
        return None
    theirs = balances.of_person(connection, person.holder, now_ms)
    return Customer(
        holder=person.holder,
        name=person.name if agreed else "",
        uses=uses,
        moves=moves,
        balances=[one for one in theirs if one.place == site or (agreed and one.place == "")],
    )


def _person(connection: Connection, told: str) -> _Person | None:
    digits = _BLANKS.sub("", told)
    known = select(persons.c.id, persons.c.name, persons.c.holder).where(persons.c.erased_ms.is_(None))
    ways = []
    if _NUMBER.fullmatch(digits):
        ways.append(known.join_from(persons, members).where(members.c.number == digits))
    if _PSEUDONYM.fullmatch(told.lower()):
        ways.append(known.where(persons.c.holder == int(told, 16)))
    if NAME.fullmatch(told):
        ways.append(known.where(persons.c.name == told))
    for way in ways:
        row = connection.execute(way).one_or_none()
        if row is not None:
            return _Person(row.id, row.name, row.holder)
    return None


def _uses(connection: Connection, person: _Person, site: str) -> list[Used]:
    """Of their coupons, by serial; and of those without a serial, by whom the unit named."""
    # Not by the index of sites: a person has few uses, a shop has all of everybody's.
    here = (func.coalesce(redemptions.c.site, "") == site) & redemptions.c.state.in_(USES)
    serial = (redemptions.c.campaign == coupons.c.campaign) & (redemptions.c.serial == coupons.c.serial)
    by_serial = (
        select(redemptions.c.id)
        .join_from(coupons, redemptions, serial)
        .where(coupons.c.person_id == person.id, coupons.c.serial != 0)
    )
    theirs = select(coupons.c.campaign).where(coupons.c.person_id == person.id)
    by_holder = select(redemptions.c.id).where(
        redemptions.c.campaign.in_(theirs), redemptions.c.holder == person.holder, _OF_SOMEBODY
    )
    found = by_serial.union(by_holder).subquery()
    rows = connection.execute(
        select(
            redemptions.c.campaign, redemptions.c.at_ms, redemptions.c.discount_yen, campaigns.c.body, coupons.c.number
        )
        .select_from(
            redemptions.join(found, found.c.id == redemptions.c.id)
            .outerjoin(campaigns, campaigns.c.id == redemptions.c.campaign)
            .outerjoin(coupons, serial & (coupons.c.serial != 0))
        )
        .where(here)
        .order_by(redemptions.c.at_ms.desc(), redemptions.c.id.desc())
        .limit(SHOWN_MAX)
    )
    return [_used(row) for row in rows]


def _used(row: Any) -> Used:
    return Used(
        campaign=row.campaign,
        name="" if row.body is None else decode(bytes(row.body), Campaign).name,
        number=row.number,
        at_ms=row.at_ms,
        discount_yen=row.discount_yen,
    )
