"""What the centre keeps about a person, for that person: all of it as one document, and its erasure.

Erasing takes name, password, addresses, cards, sessions, consents and the numbers of bank accounts; it can't be
undone. What was downloaded, used, bought, earned and paid stays in the books under the pseudonym, which then leads to
nobody: points that are left end there in their time, and no shop finds them.
"""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, delete, select, update

from central import audit, consent
from central.analysis import views
from central.bank import accounts
from central.coupons import cards, history
from central.coupons.persons import Person
from central.db.schema import (
    bank_accounts,
    bank_selections,
    bank_settlements,
    consents,
    coupons,
    persons,
    sessions,
)
from central.db.schema import cards as card_rows
from central.ledger import balances, programmes, statement
from central.ledger.balances import Balance
from central.ledger.statement import Move
from central.members import leaving, membership
from central.offers import addresses, purchases

COUPONS_MAX: Final = 100_000  # in one document
MOVES_MAX: Final = statement.LIMIT_MAX
PAYMENTS_MAX: Final = 100_000
PURCHASES_MAX: Final = 100_000
LOOKS_MAX: Final = audit.LIMIT_MAX
NO_PASSWORD: Final = "!"  # noqa: S105 - no hash: nothing fits it
ERASED: Final = " erased {holder:012x}"  # with a blank in front, it can be nobody's name


class CouponRow(msgspec.Struct, kw_only=True):
    campaign: int
    name: str
    provider: str
    number: int | None
    text: str
    downloaded_ms: int
    expires_ms: int | None
    state: str
    used_ms: int | None
    used_site: str | None


class LookRow(msgspec.Struct, kw_only=True):
    at_ms: int
    role: str
    what: str
    site: str  # the shop's that looked


class PointsRow(msgspec.Struct, kw_only=True):
    """What is there now, of one kind of points, at one shop or at all."""

    programme: int
    name: str
    site: str  # empty: shared by all shops
    points: int
    held: int
    usable: int
    next_end_ms: int | None


class MoveRow(msgspec.Struct, kw_only=True):
    """Points that came or went; gifts are among them."""

    programme: int
    kind: str
    site: str
    points: int
    at_ms: int
    waits: bool


class PaymentRow(msgspec.Struct, kw_only=True):
    at_ms: int
    site: str
    debit_yen: int
    state: str


class AccountRow(msgspec.Struct, kw_only=True):
    """A bank account; of its number the last digits, as everywhere but at the bank."""

    tail: str
    opened_ms: int
    closed_ms: int | None
    selected: list[int]  # coupons, by campaign
    payments: list[PaymentRow]


class PurchaseRow(msgspec.Struct, kw_only=True):
    at_ms: int
    site: str
    total_yen: int
    goods: list[purchases.Line]


class Export(msgspec.Struct, kw_only=True):
    """Times are milliseconds since 1970, UTC."""

    name: str
    pseudonym: str
    since_ms: int
    cards: list[str]  # UIDs
    member_number: str  # empty: no member
    member_cards: list[leaving.CardRow]
    bank_accounts: list[AccountRow]
    points: list[PointsRow]
    points_history: list[MoveRow]
    consents: list[consent.Consent]
    mail: str  # address; empty: none
    post: str  # name and address; empty: none
    coupons: list[CouponRow]
    purchases: list[PurchaseRow]
    views: list[views.View]  # the coupons that they looked at, if they agreed to its being kept
    looks: list[LookRow]  # of whoever looked at these data, by role


def export(connection: Connection, person: Person, now_ms: int) -> Export:
    """Everything about a person that the centre keeps in their name."""
    since_ms = connection.execute(select(persons.c.created_ms).where(persons.c.id == person.id)).scalar_one()
    uids = connection.execute(select(card_rows.c.uid).where(card_rows.c.person_id == person.id)).scalars()
    mail, post = addresses.mail_of(connection, person.id), addresses.postal_of(connection, person.id)
    member = membership.of_holder(connection, person.holder)
    return Export(
        name=person.name,
        pseudonym=f"{person.holder:012x}",
        since_ms=since_ms,
        cards=[uid.hex() for uid in uids],
        member_number=member.number if member is not None else "",
        member_cards=leaving.rows(connection, person),
        bank_accounts=_accounts(connection, person),
        points=_points(connection, person, now_ms),
        points_history=[_move(one) for one in statement.of_person(connection, person.holder, MOVES_MAX)],
        consents=consent.history(connection, person.id),
        mail=mail.address if mail is not None else "",
        post=f"{post.postcode}\n{post.lines}\n{post.name}" if post is not None else "",
        coupons=[
            CouponRow(
                campaign=line.campaign.id,
                name=line.campaign.name,
                provider=line.campaign.provider,
                number=line.number,
                text=line.text,
                downloaded_ms=line.downloaded_ms,
                expires_ms=line.expires_ms,
                state=line.state.value,
                used_ms=line.used_ms,
                used_site=line.used_site,
            )
            for line in history.shown_to(connection, person.id, COUPONS_MAX)
        ],
        purchases=[
            PurchaseRow(at_ms=one.at_ms, site=one.site, total_yen=one.total_yen, goods=one.lines)
            for one in purchases.of_holder(connection, person.holder, PURCHASES_MAX)
        ],
        views=views.of_person(connection, person.id),
        looks=[
            LookRow(at_ms=look.at_ms, role=look.role.value, what=look.what.value, site=look.site)
            for look in audit.of_person(connection, person.holder, LOOKS_MAX)
        ],
    )


def _points(connection: Connection, person: Person, now_ms: int) -> list[PointsRow]:
    found = balances.of_person(connection, person.holder, now_ms)
    names = programmes.by_number(connection, {one.programme for one in found})
    return [_balance(one, names[one.programme].name if one.programme in names else "") for one in found]


def _balance(one: Balance, name: str) -> PointsRow:
    return PointsRow(
        programme=one.programme,
        name=name,
        site=one.place,
        points=one.points,
        held=one.held,
        usable=one.usable,
        next_end_ms=one.next_end_ms,
    )


def _move(one: Move) -> MoveRow:
    return MoveRow(
        programme=one.programme, kind=one.kind, site=one.site, points=one.points, at_ms=one.at_ms, waits=one.waits
    )


def _accounts(connection: Connection, person: Person) -> list[AccountRow]:
    theirs = bank_accounts.c.person_id == person.id
    mine = select(bank_accounts.c.id).where(theirs)
    rows = {
        bytes(row.id): AccountRow(
            tail=row.tail, opened_ms=row.opened_ms, closed_ms=row.closed_ms, selected=[], payments=[]
        )
        for row in connection.execute(select(bank_accounts).where(theirs).order_by(bank_accounts.c.opened_ms))
    }
    for account, campaign in connection.execute(
        select(bank_selections.c.account_id, coupons.c.campaign)
        .join_from(bank_selections, coupons)
        .where(bank_selections.c.account_id.in_(mine))
        .order_by(bank_selections.c.selected_ms)
    ):
        rows[bytes(account)].selected.append(campaign)
    for row in connection.execute(
        select(bank_settlements)
        .where(bank_settlements.c.account_id.in_(mine))
        .order_by(bank_settlements.c.asked_ms.desc())
        .limit(PAYMENTS_MAX)
    ):
        paid = PaymentRow(at_ms=row.asked_ms, site=row.site, debit_yen=row.debit_yen, state=row.state)
        rows[bytes(row.account_id)].payments.append(paid)
    return list(rows.values())


def erase(connection: Connection, secret: bytes, person: Person, now_ms: int) -> None:
    """Takes away what leads from the pseudonym to the person, in the caller's write transaction.

    `secret`: of the caches (`central.keys`), by which the units know the cards that are let go.
    """
    for uid in connection.execute(select(card_rows.c.uid).where(card_rows.c.person_id == person.id)).scalars().all():
        cards.release(connection, secret, uid)
    accounts.forget(connection, person, now_ms)
    leaving.leave(connection, secret, person)
    connection.execute(delete(sessions).where(sessions.c.person_id == person.id))
    addresses.erase(connection, person.id)
    connection.execute(delete(consents).where(consents.c.person_id == person.id))
    connection.execute(
        update(persons)
        .where(persons.c.id == person.id)
        .values(name=ERASED.format(holder=person.holder), password_hash=NO_PASSWORD, erased_ms=now_ms)
    )
