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
    BASKET = "basket"


class Tone(StrEnum):
    """How much of the display is lit: a yes is told from a no without colours and without reading."""

    PLAIN = "plain"  # light on dark
    NO = "no"  # the head is lit
    YES = "yes"  # all of it is lit


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The bar on top, for whoever looks after the unit."""

    clock: str = ""  # "14:05"; empty: not known
    online: bool = False  # the centre is in reach (`edge_agent.core.reach`)
    waiting: int = 0  # facts that the centre has not booked yet


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """One picture of the display. `headline` and `detail` may hold line feeds where a line must end."""

    icon: Icon
    headline: str
    detail: str = ""
    strong: int | None = None  # which line of the detail (from 0) says what the shopper gets
    tone: Tone = Tone.PLAIN
    step: int = 0  # where the icon's movement is; 'wait' has WAIT_STEPS of them
    progress: int | None = None  # 0..100, a bar at the bottom
    status: Status | None = None
    code: str = ""  # a QR that fills the left half; `headline` and `detail` stand beside it, and there is no icon


WAIT_STEPS = 8
