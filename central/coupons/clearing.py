"""What was redeemed (K6, K8): the newest redemptions with their flags."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, func, select

from central.db.schema import (
    Flag,
    campaigns,
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
    at_error_ms: int  # how far `at_ms` may be wrong
    booked_ms: int
    discount_yen: int
    state: str
    flags: list[str]


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
            at_error_ms=row.at_error_ms,
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
