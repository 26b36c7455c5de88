"""Hints: a redemption that is on its way is told to the other caches at once, as provisional.

A hint proves nothing and books nothing. It is replaced by the booking of the same fact, or taken back when that
does not come within its life.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from central import feed
from central.coupons import issue
from central.db import locks
from central.db.schema import devices, epochs, hints, read_serial, stored_serial
from wire import sealing
from wire.chain import EPOCH_BYTES
from wire.messages import DropRedemption, Hint, PutRedemption
from wire.topics import Address

HINTS_PER_DEVICE_MAX: Final = 1_000
EXPIRED_AT_ONCE: Final = 500
_MS_MAX: Final = 2**53


def take(connection: Connection, secret: bytes, address: Address, hint: Hint, now_ms: int) -> bool:
    """Tells the caches of a redemption that a unit has hinted at; False when there is nothing to tell."""
    plausible = (
        len(hint.epoch) == EPOCH_BYTES
        and 0 < hint.number <= _MS_MAX
        and 0 <= hint.serial < 2**64
        and 0 <= hint.holder < 2**48
        and 0 <= hint.wall_ms <= _MS_MAX
    )
    locks.hold(connection, [locks.device(address.device), locks.campaign(hint.campaign)])
    issued = issue.get(connection, hint.campaign) if plausible and 0 < hint.campaign < 2**32 else None
    if issued is None or not (hint.serial or issued.campaign.per_person):
        return False
    device_id = connection.execute(select(devices.c.id).where(devices.c.name == address.device)).scalar_one()
    booked = connection.execute(
        select(epochs.c.upto).where(epochs.c.device_id == device_id, epochs.c.epoch == hint.epoch)
    ).scalar()
    if booked is not None and booked >= hint.number:
        return False
    fact = sealing.fact_id(address.device, hint.epoch, hint.number)
    if connection.execute(select(hints.c.fact).where(hints.c.fact == fact)).first() is not None:
        return False
    held = connection.execute(select(func.count()).where(hints.c.device_id == device_id)).scalar() or 0
    if held >= HINTS_PER_DEVICE_MAX:
        return False
    connection.execute(
        insert(hints).values(
            fact=fact,
            device_id=device_id,
            campaign=hint.campaign,
            serial=stored_serial(hint.serial),
            holder=hint.holder,
            site=address.site,
            at_ms=hint.wall_ms,
            told_ms=now_ms,
        )
    )
    told = PutRedemption(
        fact=fact,
        campaign=hint.campaign,
        serial=sealing.serial_hash(secret, hint.campaign, hint.serial) if hint.serial else b"",
        holder=sealing.holder_hash(secret, hint.holder) if hint.holder else b"",
        at_ms=hint.wall_ms,
        site=address.site,
        provisional=True,
    )
    feed.append(connection, [told], feed.sites_of(connection, issued.campaign))
    return True


def expire(connection: Connection, secret: bytes, told_before_ms: int) -> int:
    """Takes back hints that were told before then and never came true; gives how many (EXPIRED_AT_ONCE at most)."""
    old = connection.execute(
        select(hints.c.fact, hints.c.campaign, hints.c.serial)
        .where(hints.c.told_ms < told_before_ms)
        .limit(EXPIRED_AT_ONCE)
    ).all()
    for fact, campaign, stored in old:
        issued = issue.get(connection, campaign)
        where = feed.sites_of(connection, issued.campaign) if issued is not None else None
        serial = sealing.serial_hash(secret, campaign, read_serial(stored)) if stored else b""
        feed.append(connection, [DropRedemption(fact, serial)], where)
    if old:
        connection.execute(delete(hints).where(hints.c.fact.in_([row.fact for row in old])))
    return len(old)
