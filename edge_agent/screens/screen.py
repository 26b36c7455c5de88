"""A screen as data: what is to be seen, not where. Pure values."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Icon(StrEnum):
    PHONE = "phone"  # show your coupon
    CHECK = "check"  # yes
    CROSS = "cross"  # no
    WAIT = "wait"  # at work
    CARD = "card"
    WRENCH = "wrench"  # out of service
    UPDATE = "update"


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The bar on top, for whoever looks after the unit."""

    clock: str = ""  # "14:05"; empty: not known
    online: bool = False
    waiting: int = 0  # facts that the centre has not booked yet


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """One picture of the display. `headline` and `detail` may hold line feeds where a line must end."""

    icon: Icon
    headline: str
    detail: str = ""
    glow: bool = False  # the head stands in light: a yes that is seen from across the shop
    step: int = 0  # where the icon's movement is; 'wait' has WAIT_STEPS of them
    progress: int | None = None  # 0..100, a bar at the bottom
    status: Status | None = None


WAIT_STEPS = 8
