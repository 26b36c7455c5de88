"""The pages that a kiosk shows to whoever put a member card in (M6, M12), as data.

This is where later pages come in: the centre names a page's kind, and a unit shows those that it knows. A questionnaire
is a new kind here, its screen in `edge_agent.screens.kiosk`, and what its second button does in `core.browsing`.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class PageKind(StrEnum):
    """What a page of a kiosk is about. The centre names them; what stands here is what this version can show."""

    MEMBER = "member"  # title: the member's number
    POINTS = "points"  # title: the programme
    COUPON = "coupon"  # that can be taken
    BARGAIN = "bargain"  # that was picked for the holder


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a kiosk."""

    kind: PageKind
    title: str = ""
    number: int = 0  # points; a coupon's campaign
    link: str = ""  # where a phone takes the coupon
    of_card: bool = False  # points as they were written on the card last, not as the centre has them now
