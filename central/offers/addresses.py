"""Where a person can be reached: a mail address that they confirmed, a postal address. Personal data, here alone.

A mail address counts once its owner has opened the link that was mailed to it; until then nothing else is sent there,
and such links are few (CONFIRMATIONS_PER_DAY), so that nobody's box can be filled from here. Each mail has a link that
ends the mails without logging in (RFC 8058). Both links are made of random bytes and a key that lies in a file; the
database holds their hashes. Nobody is told whether an address is known.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from typing import Final

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from central.db.schema import mail_addresses, mails, offer_declines, offer_picks, postal_addresses
from central.offers import outbox
from loyalty.campaign import DAY_MS, Lang
from loyalty.cells import printable

ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}")
ADDRESS_CHARS_MAX: Final = 254  # RFC 5321, 4.5.3.1.3
CONFIRMATIONS_PER_DAY: Final = 5
CONFIRM_LIFE_MS: Final = 7 * DAY_MS
TOKEN_CHARS: Final = 22  # 16 bytes in base64
POSTCODE: Final = re.compile(r"[0-9]{3}-[0-9]{4}")
NAME_CHARS_MAX: Final = 30
LINES_MAX: Final = 3
LINE_CHARS_MAX: Final = 30


class MailAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where mail goes."""

    address: str
    lang: Lang
    nonce: bytes
    confirmed_ms: int | None


class PostalAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a letter goes."""

    name: str
    postcode: str  # 100-0001
    lines: str  # one below the other
    lang: Lang


# --- mail ---------------------------------------------------------------------------------------------------


def enter(connection: Connection, secret: bytes, person_id: int, address: str, lang: Lang, now_ms: int) -> str | None:
    """Keeps an address and posts the link that confirms it; a word for the page where that can't be."""
    if len(address) > ADDRESS_CHARS_MAX or not ADDRESS.fullmatch(address) or ".." in address:
        return "mail.bad_address"
    posted = outbox.sent_since(connection, person_id, outbox.Kind.CONFIRM, now_ms - DAY_MS)
    if posted >= CONFIRMATIONS_PER_DAY:
        return "mail.too_many"
    nonce = secrets.token_bytes(16)
    connection.execute(delete(mail_addresses).where(mail_addresses.c.person_id == person_id))
    connection.execute(
        insert(mail_addresses).values(
            person_id=person_id,
            address=address,
            lang=lang,
            nonce=nonce,
            confirm_hash=_hashed(confirm_token(secret, nonce)),
            leave_hash=_hashed(leave_token(secret, nonce)),
            entered_ms=now_ms,
        )
    )
    outbox.post(connection, secrets.token_bytes(16), outbox.Kind.CONFIRM, person_id, now_ms)
    return None


def confirm(connection: Connection, token: str, now_ms: int) -> bool:
    """Whoever has the link reads what is sent to the address. False: the link is not known, or too old."""
    fresh = (mail_addresses.c.confirm_hash == _hashed(token)) & (mail_addresses.c.entered_ms > now_ms - CONFIRM_LIFE_MS)
    known = connection.execute(select(mail_addresses.c.confirmed_ms).where(fresh)).one_or_none()
    if known is None:
        return False
    if known.confirmed_ms is None:
        connection.execute(update(mail_addresses).where(fresh).values(confirmed_ms=now_ms))
    return True


def leave(connection: Connection, token: str) -> bool:
    """No mail goes there any more: the address is forgotten. False: the link is not known, or was used."""
    gone = delete(mail_addresses).where(mail_addresses.c.leave_hash == _hashed(token))
    return connection.execute(gone).rowcount == 1


def forget_mail(connection: Connection, person_id: int) -> bool:
    """The person takes their address away."""
    gone = delete(mail_addresses).where(mail_addresses.c.person_id == person_id)
    return connection.execute(gone).rowcount == 1


def mail_of(connection: Connection, person_id: int) -> MailAddress | None:
    columns = [mail_addresses.c[name] for name in MailAddress.__struct_fields__]
    row = connection.execute(select(*columns).where(mail_addresses.c.person_id == person_id)).one_or_none()
    return None if row is None else MailAddress(**row._asdict())


def confirm_token(secret: bytes, nonce: bytes) -> str:
    return _token(secret, nonce, b"mail confirm")


def leave_token(secret: bytes, nonce: bytes) -> str:
    return _token(secret, nonce, b"mail leave")


def _token(secret: bytes, nonce: bytes, purpose: bytes) -> str:
    digest = hashlib.blake2b(nonce, key=secret, digest_size=16, person=purpose).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token[: TOKEN_CHARS + 1].encode("utf-8", "surrogatepass")).digest()


# --- post ---------------------------------------------------------------------------------------------------


def enter_postal(
    connection: Connection, person_id: int, name: str, postcode: str, lines: str, lang: Lang, now_ms: int
) -> str | None:
    """Keeps where letters go; a word for the page where that can't be."""
    name, split = printable(name), [printable(line) for line in lines.splitlines() if line.strip()]
    if not 0 < len(name) <= NAME_CHARS_MAX:
        return "postal.bad_name"
    digits = postcode.translate(_DIGITS).replace("-", "").replace("〒", "").strip()
    postcode = f"{digits[:3]}-{digits[3:]}"
    if not POSTCODE.fullmatch(postcode):
        return "postal.bad_postcode"
    if not 0 < len(split) <= LINES_MAX or any(len(line) > LINE_CHARS_MAX for line in split):
        return "postal.bad_lines"
    forget_postal(connection, person_id)
    connection.execute(
        insert(postal_addresses).values(
            person_id=person_id, name=name, postcode=postcode, lines="\n".join(split), lang=lang, entered_ms=now_ms
        )
    )
    return None


_DIGITS: Final = str.maketrans("０１２３４５６７８９－ー−", "0123456789---")


def forget_postal(connection: Connection, person_id: int) -> bool:
    gone = delete(postal_addresses).where(postal_addresses.c.person_id == person_id)
    return connection.execute(gone).rowcount == 1


def postal_of(connection: Connection, person_id: int) -> PostalAddress | None:
    columns = [postal_addresses.c[name] for name in PostalAddress.__struct_fields__]
    row = connection.execute(select(*columns).where(postal_addresses.c.person_id == person_id)).one_or_none()
    return None if row is None else PostalAddress(**row._asdict())


def erase(connection: Connection, person_id: int) -> None:
    """Everything about offers that stands in a person's name, when they are erased."""
    for table in (mail_addresses, postal_addresses, mails, offer_picks, offer_declines):
        connection.execute(delete(table).where(table.c.person_id == person_id))
