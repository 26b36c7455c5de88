"""Bank accounts of persons. Everything but the bank knows an account by 16 random bytes.

The number stands in the database sealed with a key that lies in a file, so that neither a copy of the database nor a
log tells it; people see its last digits. A lane is given the id (it lies on the member card), never the number.
"""

from __future__ import annotations

import re
import secrets
from typing import Any, Final

import msgspec
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from sqlalchemy import Connection, delete, func, insert, select, update

from central.coupons.persons import Person
from central.db.schema import bank_accounts, bank_selections, persons
from central.keys import KeyFileError, Keys

ACCOUNT_BYTES: Final = 16
NUMBER: Final = re.compile(r"[0-9A-Z][0-9A-Z-]{5,33}")  # bank, branch and number, or an IBAN
TAIL_CHARS: Final = 3
ACCOUNTS_PER_PERSON_MAX: Final = 5
LISTED_MAX: Final = 1_000


class AccountError(ValueError):
    """An account can't be entered or found as asked; the message says why and does not tell its number."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account as people and lanes know it."""

    id: bytes
    person: Person
    tail: str  # the last digits of its number
    opened_ms: int
    closed_ms: int | None


def add(connection: Connection, keys: Keys, person: Person, number: str, now_ms: int) -> Account:
    """Ties an account to a person. Raises AccountError, KeyFileError."""
    if not NUMBER.fullmatch(number):
        raise AccountError("an account's number has 6 to 34 digits, capital letters and hyphens")
    theirs = (bank_accounts.c.person_id == person.id) & bank_accounts.c.closed_ms.is_(None)
    if (connection.execute(select(func.count()).where(theirs)).scalar() or 0) >= ACCOUNTS_PER_PERSON_MAX:
        raise AccountError(f"{person.name} has {ACCOUNTS_PER_PERSON_MAX} accounts already; close one first")
    account = Account(
        id=secrets.token_bytes(ACCOUNT_BYTES),
        person=person,
        tail=number[-TAIL_CHARS:],
        opened_ms=now_ms,
        closed_ms=None,
    )
    box = SecretBox(keys.account_secret(create=True))
    connection.execute(
        insert(bank_accounts).values(
            id=account.id,
            person_id=person.id,
            sealed=bytes(box.encrypt(number.encode())),
            tail=account.tail,
            opened_ms=now_ms,
        )
    )
    return account


def close(connection: Connection, account: bytes, now_ms: int) -> None:
    """From now on it pays nothing. What it paid stays; what was selected for it is free again. Raises AccountError."""
    still = (bank_accounts.c.id == account) & bank_accounts.c.closed_ms.is_(None)
    if not connection.execute(update(bank_accounts).where(still).values(closed_ms=now_ms)).rowcount:
        raise AccountError("there is no such open account")
    connection.execute(delete(bank_selections).where(bank_selections.c.account_id == account))


def forget(connection: Connection, person: Person, now_ms: int) -> None:
    """An erased person's accounts pay nothing and lead nowhere: number, last digits and selections are gone. The rows
    stay, for the payments that name them; a payment in doubt is settled by its own id.
    """
    theirs = bank_accounts.c.person_id == person.id
    mine = select(bank_accounts.c.id).where(theirs)
    connection.execute(delete(bank_selections).where(bank_selections.c.account_id.in_(mine)))
    connection.execute(
        update(bank_accounts)
        .where(theirs)
        .values(sealed=b"", tail="", closed_ms=func.coalesce(bank_accounts.c.closed_ms, now_ms))
    )


def find(connection: Connection, account: bytes) -> Account | None:
    """The account that can pay; None: there is none, or it is closed."""
    row = connection.execute(_SELECT.where(bank_accounts.c.id == account, bank_accounts.c.closed_ms.is_(None))).first()
    return None if row is None else _account(row)


def of_person(connection: Connection, person: Person) -> list[Account]:
    """The accounts with which a person can pay, the oldest first."""
    theirs = (bank_accounts.c.person_id == person.id) & bank_accounts.c.closed_ms.is_(None)
    rows = connection.execute(_SELECT.where(theirs).order_by(bank_accounts.c.opened_ms, bank_accounts.c.id))
    return [_account(row) for row in rows]


def listed(connection: Connection, limit: int = LISTED_MAX) -> list[Account]:
    """All accounts by their persons' names, closed ones too; at most LISTED_MAX."""
    rows = connection.execute(_SELECT.order_by(persons.c.name, bank_accounts.c.opened_ms).limit(min(limit, LISTED_MAX)))
    return [_account(row) for row in rows]


def number(connection: Connection, keys: Keys, account: bytes) -> str:
    """The number, for the bank and nobody else. Raises AccountError, KeyFileError."""
    sealed = connection.execute(select(bank_accounts.c.sealed).where(bank_accounts.c.id == account)).scalar()
    if not sealed:
        raise AccountError("there is no such account")
    try:
        return SecretBox(keys.account_secret()).decrypt(bytes(sealed)).decode()
    except CryptoError as error:
        raise KeyFileError("account.secret is not the key with which this account was entered") from error


_SELECT: Final = select(
    bank_accounts.c.id,
    bank_accounts.c.tail,
    bank_accounts.c.opened_ms,
    bank_accounts.c.closed_ms,
    persons.c.id.label("person"),
    persons.c.name,
    persons.c.holder,
).join_from(bank_accounts, persons)


def _account(row: Any) -> Account:
    return Account(
        id=bytes(row.id),
        person=Person(id=row.person, name=row.name, holder=row.holder),
        tail=row.tail,
        opened_ms=row.opened_ms,
        closed_ms=row.closed_ms,
    )
