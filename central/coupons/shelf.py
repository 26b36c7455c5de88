"""What can be downloaded, and what somebody has of it: the shelf as the pages show it (K3)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec
from sqlalchemy import Connection, func, select

from central.coupons import issue
from central.coupons.history import Line, State
from central.coupons.issue import Issued
from central.db.schema import coupons
from loyalty.campaign import DAY_MS, Campaign

OFFERS_MAX: Final = 300
GONE_SHOWN_MS: Final = 7 * DAY_MS  # so long after its last day an offer is shown as past


class Standing(StrEnum):
    """Whether a coupon can be downloaded now, as far as it is the same for everybody."""

    OPEN = "open"
    SOLD_OUT = "sold_out"
    TOO_LATE = "too_late"


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the shelf."""

    campaign: Campaign
    stock_left: int | None  # None: unlimited
    standing: Standing

    @classmethod
    def of(cls, issued: Issued, now_ms: int) -> Offer:
        until_ms = issued.campaign.download_ends_ms
        late = until_ms is not None and now_ms >= until_ms
        out = issued.stock_left is not None and issued.stock_left <= 0
        standing = Standing.TOO_LATE if late else Standing.SOLD_OUT if out else Standing.OPEN
        return cls(campaign=issued.campaign, stock_left=issued.stock_left, standing=standing)


def on_offer(connection: Connection, now_ms: int) -> list[Offer]:
    """What people may look at: first what can be downloaded, newest first; then what is gone, for some days."""
    found = [one for one in issue.newest(connection, OFFERS_MAX) if is_shown(one, now_ms)]
    every = [Offer.of(one, now_ms) for one in found]
    return sorted(every, key=lambda one: one.standing is not Standing.OPEN)


def is_shown(issued: Issued, now_ms: int) -> bool:
    """Whether people see it at all: printed, stopped, ended and long past coupons are not shown."""
    campaign = issued.campaign
    ended = campaign.ends_ms is not None and now_ms >= campaign.ends_ms
    past = campaign.download_ends_ms is not None and now_ms >= campaign.download_ends_ms + GONE_SHOWN_MS
    return not (campaign.found_by or campaign.stopped or ended or past)


def counts(connection: Connection, person_id: int) -> dict[int, int]:
    """How many of each campaign somebody has downloaded."""
    rows = connection.execute(
        select(coupons.c.campaign, func.count()).where(coupons.c.person_id == person_id).group_by(coupons.c.campaign)
    )
    return {row[0]: row[1] for row in rows}


def newest_of(connection: Connection, person_id: int, campaign: int) -> int:
    """The number of somebody's newest download of a campaign."""
    theirs = (coupons.c.person_id == person_id) & (coupons.c.campaign == campaign)
    return int(connection.execute(select(func.max(coupons.c.id)).where(theirs)).scalar_one())


def is_usable(line: Line, now_ms: int) -> bool:
    """Whether a coupon may still be held up: not used, not expired, not withdrawn."""
    ends = [at for at in (line.expires_ms, line.campaign.ends_ms) if at is not None]
    return line.state is not State.USED and not line.campaign.stopped and all(now_ms < at for at in ends)
