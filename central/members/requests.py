"""How a kiosk gets a card for a person who stands before it (M1, M2): name and password are typed on their own phone.

    kiosk   an empty tag is in the slot: AskCard                      -> `ask`: a code, shown as a QR
    phone   opens the page of the code: a new name and password       -> `register` (M1)
            or number (or name) and password of before                -> `claim` (M2)
            or is logged in as somebody already                       -> `confirm` (M2)
    kiosk   is told the holder and the generation (`grants`), writes the tag, reports what became of it (`CardSettled`)

No password and no name pass through the kiosk. A code has 128 bits that only the centre can work out from the kiosk's
question, lives ten minutes, and is kept as a hash; a kiosk has one at a time. A wrong number or password is a clear no,
and counts against the code and against the member.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select, update

from central import audit, consent
from central.consent import Purpose
from central.coupons import persons
from central.coupons.cards import UID_BYTES
from central.coupons.persons import Person, PersonError
from central.db.database import Database
from central.db.schema import card_requests, devices, issued_cards, members, sites
from central.db.schema import persons as people
from central.members import card_balances, giving, membership
from central.members.card_balances import Wanted
from central.members.giving import CardState
from central.members.membership import Member, MemberError
from central.staff import Role
from loyalty.card_slots import chip_named
from loyalty.cells import printable
from wire.messages import CardGrant, CardOffer

LIFE_MS: Final = giving.GRANT_LIFE_MS  # of a code, and of a grant that the kiosk has not answered
TRIES_MAX: Final = 5  # for one code
CODE_BYTES: Final = 16
CODE_CHARS: Final = 22
KEPT_MS: Final = 24 * 3_600_000  # requests that are over
GRANTS_MAX: Final = 100  # told at once


class No(StrEnum):
    """Why a phone's request is refused. Stored and sent; never renamed."""

    GONE = "gone"  # there is no such code, or its time is over, or it has been used
    WRONG = "wrong"  # number or password: which, is not said
    TOO_MANY_TRIES = "too_many_tries"
    NAME_TAKEN = "name_taken"
    BAD_NAME = "bad_name"
    BAD_PASSWORD = "bad_password"  # noqa: S105 - too short or too long
    NOT_POSSIBLE = "not_possible"  # stop list, somebody else's card, too many cards: staff must look


WORDS: Final[dict[No, dict[str, str]]] = {
    No.GONE: {
        "ja": "受付時間が過ぎました。端末でやり直してください",
        "en": "The time is over; please start again at the kiosk",
    },
    No.WRONG: {"ja": "会員番号またはパスワードが違います", "en": "The member number or the password is wrong"},
    No.TOO_MANY_TRIES: {"ja": "しばらくしてからやり直してください", "en": "Too many tries; try again later"},
    No.NAME_TAKEN: {"ja": "この名前はすでに使われています", "en": "This name is taken"},
    No.BAD_NAME: {"ja": "名前は1～40文字で入力してください", "en": "A name has 1 to 40 characters"},
    No.BAD_PASSWORD: {"ja": "パスワードは4文字以上にしてください", "en": "A password has at least 4 characters"},
    No.NOT_POSSIBLE: {"ja": "発行できません。お店にお尋ねください", "en": "Not possible; please ask the staff"},
}


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """A card was granted: what the phone is told."""

    number: str  # the member's: the id that M1 gives back
    generation: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request stands, for the phone that waits: 'open', 'granted', or what became of the card."""

    state: str
    site: str  # what people call the shop whose kiosk asks
    number: str = ""  # of the member to whom it was granted


# --- the kiosk ------------------------------------------------------------------------------------------


def ask(
    connection: Connection,
    secret: bytes,
    device_id: int,
    question: bytes,
    uid: bytes,
    chip: str,
    now_ms: int,
    page: str,
) -> CardOffer | CardGrant | None:
    """A kiosk asks for a card on this tag. The same question again gets what stands now, and the same code; None: it
    makes no sense, or its time is over."""
    if len(question) != giving.QUESTION_BYTES or chip_named(chip) is None or len(uid) not in UID_BYTES:
        return None
    known = connection.execute(select(card_requests).where(card_requests.c.question == question)).one_or_none()
    if known is not None and ((known.device_id, known.uid) != (device_id, uid) or known.expires_ms <= now_ms):
        return None
    if known is not None and known.person_id is not None:
        return next((grant for _, _, grant in grants(connection, now_ms, question)), None)
    connection.execute(delete(card_requests).where(card_requests.c.expires_ms <= now_ms - KEPT_MS))
    offer = CardOffer(question, page.replace("{code}", _code(secret, question)), LIFE_MS)
    if known is not None:
        return msgspec.structs.replace(offer, life_ms=known.expires_ms - now_ms)
    over = (card_requests.c.device_id == device_id) & card_requests.c.person_id.is_(None)
    connection.execute(delete(card_requests).where(over))
    connection.execute(
        insert(card_requests).values(
            question=question,
            code_hash=_hashed(_code(secret, question)),
            device_id=device_id,
            uid=uid,
            chip=chip,
            expires_ms=now_ms + LIFE_MS,
            tries=0,
        )
    )
    return offer


def grants(connection: Connection, now_ms: int, question: bytes = b"") -> list[tuple[str, str, CardGrant]]:
    """What kiosks are to be told until they say what became of it: (device, site, grant)."""
    query = (
        select(
            card_requests.c.question,
            devices.c.name.label("device"),
            sites.c.name.label("site"),
            people.c.holder,
            members.c.number,
            issued_cards.c.generation,
        )
        .join_from(card_requests, devices, card_requests.c.device_id == devices.c.id)
        .join(sites, sites.c.id == devices.c.site_id)
        .join(people, people.c.id == card_requests.c.person_id)
        .join(members, members.c.person_id == people.c.id)
        .join(issued_cards, issued_cards.c.question == card_requests.c.question)
        .where(card_requests.c.expires_ms > now_ms, issued_cards.c.state == CardState.GRANTED.value)
        .order_by(card_requests.c.expires_ms)
        .limit(GRANTS_MAX)
    )
    if question:
        query = query.where(card_requests.c.question == question)
    rows = connection.execute(query).all()
    points = card_balances.usable(connection, {Wanted(row.holder, row.site) for row in rows}, now_ms)
    return [
        (
            row.device,
            row.site,
            CardGrant(row.question, row.holder, row.generation, row.number, points[Wanted(row.holder, row.site)]),
        )
        for row in rows
    ]


# --- the phone ------------------------------------------------------------------------------------------


def standing(connection: Connection, code: str, now_ms: int) -> Standing | No:
    """Where the request of this code stands."""
    row = _of_code(connection, code, now_ms)
    if row is None:
        return No.GONE
    site = connection.execute(
        select(sites.c.title).join_from(devices, sites).where(devices.c.id == row.device_id)
    ).scalar_one()
    if row.person_id is None:
        return Standing(state="open", site=site)
    state = connection.execute(select(issued_cards.c.state).where(issued_cards.c.question == row.question)).scalar()
    number = connection.execute(select(members.c.number).where(members.c.person_id == row.person_id)).scalar()
    return Standing(state=state or "open", site=site, number=number or "")


def register(
    database: Database,
    secret: bytes,
    code: str,
    name: str,
    password: str,
    now_ms: int,
    agreed: Collection[Purpose] = (Purpose.SERVICE,),
) -> Granted | No:
    """A new person, with what they agreed to, and their first card (M1). Takes its time: the password is hashed outside
    any transaction."""
    with database.read() as connection:
        trouble = _cannot_register(connection, code, name, now_ms)
    if trouble is not None:
        return trouble
    try:
        hashed = persons.hash_password(password)
    except PersonError:
        return No.BAD_PASSWORD
    with database.write() as connection:
        trouble = _cannot_register(connection, code, name, now_ms)
        if trouble is not None:
            return trouble
        person = persons.add(connection, name, hashed, now_ms)
        for purpose in agreed:
            consent.give(connection, person.id, purpose, now_ms)
        audit.note(connection, Role.PERSON, f"{person.holder:012x}", audit.What.REGISTERED, now_ms, person.holder)
        return _grant(connection, secret, code, membership.enrol(connection, person), now_ms)


def _cannot_register(connection: Connection, code: str, name: str, now_ms: int) -> No | None:
    row = _open(connection, code, now_ms)
    if row is None:
        return No.GONE
    if giving.owner_of(connection, row.uid, now_ms) is not None:
        return No.NOT_POSSIBLE
    if not persons.NAME.fullmatch(name) or name != printable(name):
        return No.BAD_NAME
    return No.NAME_TAKEN if persons.find(connection, name) is not None else None


def claim(database: Database, secret: bytes, code: str, login: str, password: str, now_ms: int) -> Granted | No:
    """The next card of somebody who is known, by number or name and password (M2). Takes its time, on purpose."""
    with database.write() as connection:
        row = _open(connection, code, now_ms)
        if row is None:
            return No.GONE
        if not _count_try(connection, row.question):
            return No.TOO_MANY_TRIES
        member = membership.find_or_enrol(connection, login)
        if member is not None and not membership.count_try(connection, member, now_ms):
            return No.TOO_MANY_TRIES
        stored = None if member is None else persons.stored_hash(connection, member.person.name)
    if not persons.password_fits(stored, password) or member is None:
        return No.WRONG
    with database.write() as connection:
        now = membership.find(connection, member.number)
        if now is None or persons.stored_hash(connection, now.person.name) != stored:
            return No.WRONG
        membership.forget_tries(connection, now)
        return _grant(connection, secret, code, now, now_ms)


def confirm(connection: Connection, secret: bytes, code: str, person: Person, now_ms: int) -> Granted | No:
    """The next card of somebody who is logged in on their phone, and so need not type who they are again."""
    if _open(connection, code, now_ms) is None:
        return No.GONE
    return _grant(connection, secret, code, membership.enrol(connection, person), now_ms)


def _grant(connection: Connection, secret: bytes, code: str, member: Member, now_ms: int) -> Granted | No:
    row = _open(connection, code, now_ms)
    if row is None:
        return No.GONE
    chip = chip_named(row.chip)
    taken = connection.execute(
        update(card_requests)
        .where(card_requests.c.question == row.question, card_requests.c.person_id.is_(None))
        .values(person_id=member.person.id, expires_ms=now_ms + LIFE_MS)
    )
    if taken.rowcount != 1 or chip is None:
        return No.GONE
    device = connection.execute(select(devices.c.name).where(devices.c.id == row.device_id)).scalar_one()
    try:
        after = giving.next_card(
            connection, secret, member, uid=row.uid, chip=chip, now_ms=now_ms, question=row.question, device=device
        )
    except MemberError:  # raised before anything is written
        connection.execute(delete(card_requests).where(card_requests.c.question == row.question))
        return No.NOT_POSSIBLE
    holder = after.person.holder
    audit.note(connection, Role.PERSON, f"{holder:012x}", audit.What.CARD_GIVEN, now_ms, holder)
    return Granted(number=after.number, generation=after.generation)


def _count_try(connection: Connection, question: bytes) -> bool:
    mine = (card_requests.c.question == question) & (card_requests.c.tries < TRIES_MAX)
    return connection.execute(update(card_requests).where(mine).values(tries=card_requests.c.tries + 1)).rowcount == 1


def _open(connection: Connection, code: str, now_ms: int) -> Row[Any] | None:
    row = _of_code(connection, code, now_ms)
    return None if row is None or row.person_id is not None else row


def _of_code(connection: Connection, code: str, now_ms: int) -> Row[Any] | None:
    if len(code) != CODE_CHARS:
        return None
    where = (card_requests.c.code_hash == _hashed(code)) & (card_requests.c.expires_ms > now_ms)
    return connection.execute(select(card_requests).where(where)).one_or_none()


def _code(secret: bytes, question: bytes) -> str:
    """The code of a kiosk's question: nobody can work it out without the centre's secret."""
    digest = hashlib.blake2b(question, key=secret, digest_size=CODE_BYTES, person=b"card code").digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _hashed(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).digest()
