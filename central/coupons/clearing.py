"""What was redeemed (K6, K8): the newest redemptions with their flags, and the conflicts a person must settle."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, func, select, update

from central.db.schema import (
    Flag,
    campaigns,
    conflicts,
    coupons,
    devices,
    epochs,
    read_serial,
    redemptions,
)
from loyalty.campaign import Campaign
from wire.messages import decode

LIMIT_MAX: Final = 1_000


class Redemption(msgspec.Struct, frozen=True, kw_only=True):
    """One redemption as it was booked."""

    device: str
    epoch: bytes
    seq: int
    campaign: int
    name: str  # of the campaign; empty: the centre does not know it
    number: int | None
    serial: int
    site: str
    at_ms: int
    booked_ms: int
    discount_yen: int
    state: str
    flags: list[str]


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Two facts that can't both be right; both are booked."""

    id: int
    kind: str
    campaign: int
    serial: int
    found_ms: int
    resolved_ms: int | None
    note: str


def newest(connection: Connection, limit: int) -> list[Redemption]:
    """The redemptions booked last, newest first; at most LIMIT_MAX."""
    given = (
        (coupons.c.campaign == redemptions.c.campaign)
        & (coupons.c.serial == redemptions.c.serial)
        & (coupons.c.serial != 0)
    )
    rows = connection.execute(
        select(
            redemptions,
            devices.c.name.label("device"),
            epochs.c.epoch.label("epoch"),
            campaigns.c.body,
            coupons.c.number,
        )
        .select_from(
            redemptions.join(epochs, epochs.c.id == redemptions.c.epoch_id)
            .join(devices, devices.c.id == redemptions.c.device_id)
            .outerjoin(campaigns, campaigns.c.id == redemptions.c.campaign)
            .outerjoin(coupons, given)
        )
        .order_by(redemptions.c.id.desc())
        .limit(max(0, min(limit, LIMIT_MAX)))
    )
    return [
        Redemption(
            device=row.device,
            epoch=row.epoch,
            seq=row.seq,
            campaign=row.campaign,
            name=decode(row.body, Campaign).name if row.body is not None else "",
            number=row.number,
            serial=read_serial(row.serial),
            site=row.site,
            at_ms=row.at_ms,
            booked_ms=row.booked_ms,
            discount_yen=row.discount_yen,
            state=row.state,
            flags=Flag(row.flags).names(),
        )
        for row in rows
    ]


def booked(connection: Connection) -> int:
    """How many facts are booked in all."""
    return int(connection.execute(select(func.coalesce(func.sum(epochs.c.upto), 0))).scalar_one())


def open_conflicts(connection: Connection, limit: int = 100) -> list[Conflict]:
    """Conflicts that nobody has settled yet, oldest first."""
    rows = connection.execute(
        select(
            conflicts.c.id,
            conflicts.c.kind,
            conflicts.c.campaign,
            conflicts.c.serial,
            conflicts.c.found_ms,
            conflicts.c.resolved_ms,
            conflicts.c.note,
        )
        .where(conflicts.c.resolved_ms.is_(None))
        .order_by(conflicts.c.id)
        .limit(limit)
    )
    return [Conflict(**{**row._asdict(), "serial": read_serial(row.serial)}) for row in rows]


def settle(connection: Connection, number: int, note: str, now_ms: int) -> bool:
    """A person has settled a conflict and says how; False: there is none, or it was settled before."""
    waiting = (conflicts.c.id == number) & conflicts.c.resolved_ms.is_(None)
    done = update(conflicts).where(waiting).values(resolved_ms=now_ms, note=note[:500])
    return connection.execute(done).rowcount > 0
