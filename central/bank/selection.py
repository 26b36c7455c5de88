"""Coupons that a person selects ahead of time for a bank account (B1): at home, at a machine of the bank, at a kiosk.

What is selected is one coupon of the person's, downloaded before or by the selection. Its text may lie on the phone
too, so only the centre may decide about it (policy 'online'), and whoever asks first has it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, text

from central.bank import accounts
from central.bank.states import State
from central.coupons import download, issue
from central.coupons.persons import Person
from central.db.schema import (
    USES,
    WITH_SERIAL,
    bank_accounts,
    bank_selections,
    bank_settlements,
    campaigns,
    coupons,
    persons,
    read_serial,
    redemptions,
)
from central.keys import Keys
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.coupon import Coupon
from loyalty.tax import Off
from wire.messages import decode

SELECTED_MAX: Final = 20  # for one account: each payment looks at them all
_SIGNED: Final = 1  # whichever key signed it: the centre's own row says that it was given out


class No(StrEnum):
    """Why a coupon can't be selected. Part of what pages say; `download.No` has the reasons of the download."""

    NO_ACCOUNT = "no_account"  # not this person's, or closed
    UNKNOWN = "unknown"
    NO_DISCOUNT = "no_discount"  # a gift or a ticket: it takes nothing off a price
    NOT_FOR_ACCOUNTS = "not_for_accounts"  # others than the centre may decide about it, or it has no serial
    FULL = "full"  # SELECTED_MAX are selected


WORDS: Final[dict[No, dict[str, str]]] = {
    No.NO_ACCOUNT: {"ja": "ご登録の口座がありません", "en": "That account is not registered"},
    No.UNKNOWN: {"ja": "このクーポンはありません", "en": "There is no such coupon"},
    No.NO_DISCOUNT: {"ja": "割引クーポンではありません", "en": "It takes nothing off a price"},
    No.NOT_FOR_ACCOUNTS: {"ja": "口座払いではご利用になれません", "en": "It does not count with payment by account"},
    No.FULL: {"ja": "選択できる枚数に達しました", "en": "No more coupons can be selected for this account"},
}


class Selected(msgspec.Struct, frozen=True, kw_only=True):
    """A coupon that is selected for an account."""

    id: int  # of the coupon
    account: bytes
    campaign: Campaign
    coupon: Coupon
    selected_ms: int

    @property
    def off(self) -> Off:
        """What it takes off the price."""
        if self.campaign.kind is Kind.PERCENT:
            return Off(percent=self.campaign.percent)
        return Off(yen=self.campaign.amount_yen)


def suits(campaign: Campaign) -> No | None:
    """Why coupons of this campaign can't be selected, whoever wants to; None: they can."""
    if campaign.kind not in (Kind.AMOUNT, Kind.PERCENT):
        return No.NO_DISCOUNT
    if campaign.policy is not Policy.ONLINE or not campaign.serials or campaign.moving or campaign.found_by:
        return No.NOT_FOR_ACCOUNTS
    return None


def select_coupon(
    connection: Connection, keys: Keys, person: Person, account: bytes, campaign_id: int, now_ms: int, *, proven: bool
) -> Selected | No | download.No:
    """Selects a coupon of this campaign: one that the person has and that is free, else one downloaded now.

    `proven`: the password was checked for this. Raises KeyringError or KeyFileError as the download does.
    """
    owned = accounts.find(connection, account)
    if owned is None or owned.person.id != person.id:
        return No.NO_ACCOUNT
    issued = issue.get(connection, campaign_id)
    if issued is None:
        return No.UNKNOWN
    refusal = suits(issued.campaign)
    if refusal is not None:
        return refusal
    _forget_used(connection, account)
    mine = bank_selections.c.account_id == account
    if (
        connection.execute(select(func.count()).select_from(bank_selections).where(mine)).scalar() or 0
    ) >= SELECTED_MAX:
        return No.FULL
    free = _free(connection, person, campaign_id, now_ms)
    if free is None:
        given = download.download(connection, keys, campaign_id, person, proven=proven, now_ms=now_ms)
        if isinstance(given, download.No):
            return given
        free = _free(connection, person, campaign_id, now_ms)
        assert free is not None, "it was given out in this transaction"
    connection.execute(insert(bank_selections).values(coupon_id=free, account_id=account, selected_ms=now_ms))
    return next(one for one in listed(connection, account) if one.id == free)


def drop(connection: Connection, person: Person, coupon_id: int) -> bool:
    """It is not selected any more, and stays the person's. False: it was not selected by this person."""
    theirs = select(coupons.c.id).where(coupons.c.id == coupon_id, coupons.c.person_id == person.id)
    gone = delete(bank_selections).where(bank_selections.c.coupon_id.in_(theirs))
    return bool(connection.execute(gone).rowcount)


def listed(connection: Connection, account: bytes) -> list[Selected]:
    """What is selected for an account, in the order of selection; used ones too, until they are forgotten."""
    rows = connection.execute(
        _SELECT.where(bank_selections.c.account_id == account)
        .order_by(bank_selections.c.selected_ms, coupons.c.id)
        .limit(SELECTED_MAX)
    )
    return [_selected(row) for row in rows]


def _free(connection: Connection, person: Person, campaign: int, now_ms: int) -> int | None:
    """A coupon of theirs that is neither used, selected nor over; the one that ends first."""
    row = connection.execute(
        select(coupons.c.id)
        .where(
            coupons.c.campaign == campaign,
            coupons.c.person_id == person.id,
            coupons.c.serial != 0,
            coupons.c.expires_ms.is_(None) | (coupons.c.expires_ms > now_ms),
            coupons.c.id.not_in(select(bank_selections.c.coupon_id)),
            ~_used(),
        )
        .order_by(coupons.c.expires_ms.is_(None), coupons.c.expires_ms, coupons.c.id)
        .limit(1)
    ).first()
    return None if row is None else int(row.id)


def _used() -> ColumnElement[bool]:
    redeemed = (
        select(redemptions.c.id)
        .where(
            redemptions.c.campaign == coupons.c.campaign,
            redemptions.c.serial == coupons.c.serial,
            redemptions.c.state.in_(USES),
        )
        .exists()
    )
    paid = (
        select(bank_settlements.c.question)
        .where(
            bank_settlements.c.campaign == coupons.c.campaign,
            bank_settlements.c.serial == coupons.c.serial,
            text(WITH_SERIAL),
            bank_settlements.c.state == State.SETTLED.value,
        )
        .exists()
    )
    return redeemed | paid


def _forget_used(connection: Connection, account: bytes) -> None:
    used = select(coupons.c.id).where(
        coupons.c.id.in_(select(bank_selections.c.coupon_id).where(bank_selections.c.account_id == account)), _used()
    )
    connection.execute(delete(bank_selections).where(bank_selections.c.coupon_id.in_(used)))


_SELECT: Final = (
    select(
        coupons.c.id,
        coupons.c.campaign,
        coupons.c.serial,
        coupons.c.expires_ms,
        bank_selections.c.account_id,
        bank_selections.c.selected_ms,
        campaigns.c.body,
        bank_accounts.c.person_id,
        persons.c.holder,
    )
    .join_from(bank_selections, coupons)
    .join(campaigns, campaigns.c.id == coupons.c.campaign)
    .join(bank_accounts, bank_accounts.c.id == bank_selections.c.account_id)
    .join(persons, persons.c.id == bank_accounts.c.person_id)
)


def _selected(row: Any) -> Selected:
    campaign: Campaign = decode(bytes(row.body), Campaign)
    coupon = Coupon(
        campaign=row.campaign,
        serial=read_serial(row.serial),
        holder=row.holder,
        expires_s=(row.expires_ms or 0) // 1000,
        key=_SIGNED,
    )
    return Selected(
        id=row.id, account=bytes(row.account_id), campaign=campaign, coupon=coupon, selected_ms=row.selected_ms
    )
