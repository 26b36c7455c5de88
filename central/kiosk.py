"""What a kiosk may show to whoever has a member card in its slot, and the coupons that are taken there (M6, M12).

A kiosk says holder and generation as they stand on the card. A card that was replaced or blocked, and that of somebody
who erased their account, is told nothing. Nothing personal is sent but the member's number: points with the names of
their programmes, and coupons that anybody may look at. What needs a password or an app is left out: neither is there.

A coupon is taken for the person: it is among theirs, as if they had downloaded it. One that they have is not given
again, so a question that comes twice takes one.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from central.coupons import download, shelf
from central.coupons.download import Given
from central.keys import Keys
from central.ledger import programmes
from central.members import card_balances, membership
from central.members.card_balances import Wanted
from central.members.membership import Member
from loyalty.campaign import Campaign
from wire.messages import PAGE_CHARS_MAX, PAGES_MAX, KioskPage

POINTS_PAGES_MAX: Final = 5
COUPON_PAGES_MAX: Final = 5
CARD_LEAF: Final = "/card/{code}"


def holder_of(connection: Connection, holder: int, generation: int) -> Member | None:
    """The member whose valid card this is; None: it is told nothing."""
    member = membership.of_holder(connection, holder)
    if member is None or member.erased or member.blocked or member.generation != generation:
        return None
    return member


def pages(connection: Connection, member: Member, site: str, card_page: str, now_ms: int) -> list[KioskPage]:
    """The member's number, points of this site by programme, and coupons that can be taken.

    `card_page`: the setting of that name; the QR of a coupon leads to the pages beside it.
    """
    shown = [KioskPage("member", membership.shown(member.number))]
    wanted = Wanted(member.person.holder, site)
    balances = card_balances.usable(connection, [wanted], now_ms)[wanted][:POINTS_PAGES_MAX]
    names = programmes.by_number(connection, [number for number, _ in balances])
    shown += [
        KioskPage("points", names[number].name[:PAGE_CHARS_MAX], points)
        for number, points in balances
        if number in names
    ]
    base = card_page.removesuffix(CARD_LEAF) if card_page.endswith(CARD_LEAF) else ""
    shown += [
        KioskPage("coupon", one.name[:PAGE_CHARS_MAX], one.id, f"{base}/offers/{one.id}" if base else "")
        for one in _takeable(connection, member, site, now_ms)
    ]
    return shown[:PAGES_MAX]


def _takeable(connection: Connection, member: Member, site: str, now_ms: int) -> list[Campaign]:
    mine = shelf.counts(connection, member.person.id)
    return [
        offer.campaign
        for offer in shelf.on_offer(connection, now_ms)
        if offer.standing is shelf.Standing.OPEN
        and not (offer.campaign.strong_auth or offer.campaign.moving or mine.get(offer.campaign.id))
        and (not offer.campaign.shops or site in offer.campaign.shops)
    ][:COUPON_PAGES_MAX]


def take(connection: Connection, keys: Keys, member: Member, campaign: int, now_ms: int) -> bool:
    """Whether the coupon is among the person's now, in the caller's write transaction.

    Raises what `central.coupons.download.download` raises.
    """
    if shelf.counts(connection, member.person.id).get(campaign):
        return True
    given = download.download(connection, keys, campaign, member.person, proven=False, now_ms=now_ms)
    return isinstance(given, Given)
