"""Giving out a coupon (K3): the count falls, the text is signed, and the answer is a coupon or a clear no.

One transaction that holds the campaign from its first read on: of two who want the last one, one gets it.
"""

from __future__ import annotations

import secrets
from enum import StrEnum
from typing import Final

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from central import homes
from central.coupons import issue, keyring, stoplist
from central.coupons.persons import Person
from central.db import locks
from central.db.schema import campaigns, coupons, stored_serial
from central.keys import Keys
from loyalty.barcode import moving, own
from loyalty.campaign import Campaign, Policy
from loyalty.coupon import CENTRE_HOME, HOME_SHIFT, Coupon, expires_s


class No(StrEnum):
    """Why a coupon is not given out. The codes are part of the HTTP API."""

    UNKNOWN = "unknown"
    STOPPED = "stopped"
    ENDED = "ended"  # the campaign itself is over
    TOO_LATE = "too_late"  # past the last day to download
    SOLD_OUT = "sold_out"
    PERSON_LIMIT = "person_limit"
    NEEDS_PASSWORD = "needs_password"  # noqa: S105 - a ticket is given out against the password alone
    REVOKED = "revoked"  # everything of this person is on the stop list
    NO_DOWNLOAD = "no_download"  # a printed code: there is nothing to download
    NEEDS_PHONE = "needs_phone"  # its code moves: the phone must say its public key


WORDS: Final[dict[No, dict[str, str]]] = {
    No.UNKNOWN: {"ja": "このクーポンはありません", "en": "There is no such coupon"},
    No.STOPPED: {"ja": "配布は中止されました", "en": "This coupon was withdrawn"},
    No.ENDED: {"ja": "このクーポンは終了しました", "en": "This coupon has ended"},
    No.TOO_LATE: {"ja": "ダウンロード期限が過ぎました", "en": "The last day to download it has passed"},
    No.SOLD_OUT: {"ja": "配布は終了しました（残り0枚）", "en": "None are left"},
    No.PERSON_LIMIT: {"ja": "お一人様の枚数に達しました", "en": "You already have as many as one person may"},
    No.NEEDS_PASSWORD: {"ja": "パスワードで本人確認をしてください", "en": "Your password is needed for this one"},
    No.REVOKED: {"ja": "紛失の届けにより利用停止中です", "en": "Your coupons are blocked; they were reported lost"},
    No.NO_DOWNLOAD: {"ja": "ダウンロードの必要はありません", "en": "It is printed; there is nothing to download"},
    No.NEEDS_PHONE: {
        "ja": "このクーポンはアプリでお受け取りください",
        "en": "This one is given out to the app, whose phone shows it",
    },
}


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A coupon that was given out."""

    campaign: Campaign
    coupon: Coupon
    number: int | None  # the identification number people see (figure 2)
    text: str  # what its barcode says; of a moving code the ticket, to which the phone adds the rest
    downloaded_ms: int
    expires_ms: int | None


def download(
    connection: Connection,
    keys: Keys,
    campaign_id: int,
    person: Person | None,
    *,
    proven: bool,
    now_ms: int,
    home: str = "",
    phone: bytes = b"",
) -> Given | No:
    """Gives out one coupon, in the caller's write transaction or unit of work.

    `person` None: handed out without asking who (K8: leaflets). `proven`: the password was checked for this
    download. `phone`: its public key, 32 bytes, for a code that moves. A campaign without serials gives the same
    person the same text again.
    `home`: policy `home`, the site whose lanes may honour it without the centre; empty: its only shop, if there is
    one, else the centre.
    Raises KeyringError or KeyFileError when there is no key to sign with, HomeError for a site that can be no home.
    """
    locks.hold(connection, [locks.campaign(campaign_id)])
    issued = issue.get(connection, campaign_id)
    if issued is None:
        return No.UNKNOWN
    campaign = issued.campaign
    refusal = _refusal(connection, issued, person, proven, now_ms)
    if refusal is not None:
        return refusal
    if campaign.moving and len(phone) != moving.PHONE_KEY_BYTES:
        return No.NEEDS_PHONE
    if not campaign.serials and not campaign.moving:
        before = _given_before(connection, campaign, person)
        if before is not None:
            return before
    if issued.stock_left is not None and issued.stock_left <= 0:
        return No.SOLD_OUT
    key, secret = keyring.signing(connection, keys)
    number = _home(connection, campaign, home)
    coupon = Coupon(
        campaign=campaign.id,
        serial=_new_serial(connection, campaign, number) if campaign.serials else 0,
        holder=person.holder if person is not None else 0,
        expires_s=expires_s(campaign, now_ms),
        key=key,
        phone=phone if campaign.moving else b"",
    )
    numbered = campaign.serials and campaign.first_number is not None
    given = Given(
        campaign=campaign,
        coupon=coupon,
        number=(campaign.first_number or 0) + issued.given_out if numbered else None,
        text=moving.mint(secret, coupon) if campaign.moving else own.mint(secret, coupon),
        downloaded_ms=now_ms,
        expires_ms=coupon.expires_s * 1000 or None,
    )
    left = None if issued.stock_left is None else issued.stock_left - 1
    connection.execute(
        update(campaigns).where(campaigns.c.id == campaign.id).values(stock_left=left, given_out=issued.given_out + 1)
    )
    connection.execute(
        insert(coupons).values(
            campaign=campaign.id,
            serial=stored_serial(coupon.serial),
            number=given.number,
            person_id=person.id if person is not None else None,
            downloaded_ms=now_ms,
            expires_ms=given.expires_ms,
            text=given.text,
            home=number,
        )
    )
    return given


def _home(connection: Connection, campaign: Campaign, wanted: str) -> int:
    """The number of the site that decides about a new serial."""
    if campaign.policy is not Policy.HOME:
        return CENTRE_HOME
    site = wanted or (campaign.shops[0] if len(campaign.shops) == 1 else "")
    if not site:
        return CENTRE_HOME
    if campaign.shops and site not in campaign.shops:
        raise homes.HomeError(f"{campaign.name} does not count in {site}")
    return homes.number_of(connection, site)


def _refusal(
    connection: Connection, issued: issue.Issued, person: Person | None, proven: bool, now_ms: int
) -> No | None:
    campaign = issued.campaign
    if campaign.found_by:
        return No.NO_DOWNLOAD
    if campaign.stopped:
        return No.STOPPED
    if campaign.ends_ms is not None and now_ms >= campaign.ends_ms:
        return No.ENDED
    if campaign.download_ends_ms is not None and now_ms >= campaign.download_ends_ms:
        return No.TOO_LATE
    if person is not None and stoplist.stops(connection, campaign.id, 0, person.holder):
        return No.REVOKED
    if campaign.strong_auth and not (person is not None and proven):
        return No.NEEDS_PASSWORD
    if (campaign.per_person is not None or campaign.needs_card) and person is None:
        return No.NEEDS_PASSWORD  # what is counted by person, or bound to a card, can't go to nobody
    if campaign.per_person is not None and campaign.serials and person is not None:
        theirs = (coupons.c.campaign == campaign.id) & (coupons.c.person_id == person.id)
        if (connection.execute(select(func.count()).where(theirs)).scalar() or 0) >= campaign.per_person:
            return No.PERSON_LIMIT
    return None


def _given_before(connection: Connection, campaign: Campaign, person: Person | None) -> Given | None:
    whose = coupons.c.person_id.is_(None) if person is None else coupons.c.person_id == person.id
    row = connection.execute(
        select(coupons).where(coupons.c.campaign == campaign.id, whose).order_by(coupons.c.id.desc()).limit(1)
    ).one_or_none()
    if row is None or campaign.days_after_download is not None:
        return None  # with a validity from the download on, each download is one of its own
    coupon = Coupon(campaign=campaign.id, holder=person.holder if person else 0)
    return Given(
        campaign=campaign,
        coupon=coupon,
        number=row.number,
        text=row.text,
        downloaded_ms=row.downloaded_ms,
        expires_ms=row.expires_ms,
    )


def _new_serial(connection: Connection, campaign: Campaign, home: int) -> int:
    by_home = campaign.policy is Policy.HOME
    while True:  # ends: so many random bits meet a serial in use less than once in a lifetime
        serial = home << HOME_SHIFT | secrets.randbits(HOME_SHIFT) if by_home else secrets.randbits(64)
        used = (coupons.c.campaign == campaign.id) & (coupons.c.serial == stored_serial(serial))
        if serial and connection.execute(select(coupons.c.id).where(used)).first() is None:
            return serial
