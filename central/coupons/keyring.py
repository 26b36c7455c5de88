"""The keys that sign coupons: which one signs now, the next one, and when an old one stops counting.

The secret half lies in a file (`central.keys`), the public half in the database and, by the feed, in every
unit. A key is used only after its public half is committed, so no unit meets a code before its key can come.
"""

from __future__ import annotations

from typing import Final

from nacl.signing import SigningKey
from sqlalchemy import Connection, func, insert, select, update

from central import feed
from central.db.schema import coupon_keys
from central.keys import KeyFileError, Keys
from wire.messages import PutKey

KEY_ID_MAX: Final = 255


class KeyringError(ValueError):
    """A key can't be made or retired as asked; the message says why."""


def rotate(connection: Connection, keys: Keys, now_ms: int) -> int:
    """Makes the next signing key; codes signed with the older ones go on counting. Gives its number."""
    number = (connection.execute(select(func.max(coupon_keys.c.id))).scalar() or 0) + 1
    if number > KEY_ID_MAX:
        raise KeyringError(f"all {KEY_ID_MAX} numbers of signing keys are used up")
    public = keys.create_coupon(number).verify_key.encode()
    connection.execute(insert(coupon_keys).values(id=number, public=public, created_ms=now_ms))
    feed.append(connection, [PutKey(number, public)], None)
    return number


def retire(connection: Connection, number: int, at_ms: int) -> None:
    """Codes signed with this key no longer count from `at_ms` on. Raises KeyringError."""
    row = connection.execute(
        select(coupon_keys.c.public, coupon_keys.c.retired_ms).where(coupon_keys.c.id == number)
    ).one_or_none()
    if row is None:
        raise KeyringError(f"there is no signing key {number}")
    if row.retired_ms is not None and row.retired_ms <= at_ms:
        return
    connection.execute(update(coupon_keys).where(coupon_keys.c.id == number).values(retired_ms=at_ms))
    feed.append(connection, [PutKey(number, row.public, at_ms)], None)


def listed(connection: Connection) -> list[PutKey]:
    """Every key, as the units know it."""
    rows = connection.execute(
        select(coupon_keys.c.id, coupon_keys.c.public, coupon_keys.c.retired_ms).order_by(coupon_keys.c.id)
    )
    return [PutKey(row.id, row.public, row.retired_ms) for row in rows]


def signing(connection: Connection, keys: Keys) -> tuple[int, SigningKey]:
    """The key that signs now: the newest one that is not retired. Raises KeyringError, KeyFileError."""
    row = connection.execute(
        select(coupon_keys.c.id, coupon_keys.c.public)
        .where(coupon_keys.c.retired_ms.is_(None))
        .order_by(coupon_keys.c.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        raise KeyringError("there is no key to sign coupons with: run `tokuten central init`")
    secret = keys.coupon(row.id)
    if secret.verify_key.encode() != row.public:
        raise KeyFileError(f"{keys.folder / f'k{row.id}.key'} is not the key that the database knows as {row.id}")
    return row.id, secret
