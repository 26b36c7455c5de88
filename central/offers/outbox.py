"""The outbox of mails: what waits, when it is tried again, and what became of it. At least once, and recognizably so.

A mail is a row with a name of 16 bytes, of which its Message-ID is made: a mail that is sent twice (the centre was
killed between the mail server's yes and its own note of it) has one Message-ID, by which mail programs show it once.
A try is written down before it is made, so nothing is tried for ever. What a mail says and where it goes are worked
out when it is sent: who withdrew or was erased meanwhile gets none, and no address lies in here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec
from sqlalchemy import Connection, func, insert, select, text, update

from central.db.schema import MAIL_WAITS, mails

MINUTE_MS: Final = 60_000
BACKOFF_MIN: Final = (2, 5, 15, 30, 60, 120, 240, 360, 360, 360, 360)  # after each try; then it is given up
TRIES_MAX: Final = len(BACKOFF_MIN) + 1  # within about 32 hours


class Kind(StrEnum):
    """What a mail is for. Stored; never renamed."""

    CONFIRM = "confirm"  # the link that confirms an address
    OFFERS = "offers"


class State(StrEnum):
    """What became of it. Stored; never renamed."""

    WAITING = "waiting"
    SENT = "sent"  # the mail server took it
    REFUSED = "refused"  # the mail server takes it never (5xx)
    GIVEN_UP = "given_up"  # it was tried TRIES_MAX times
    NEEDLESS = "needless"  # withdrawn, erased or over before it could be sent


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """One mail."""

    id: int
    name: bytes
    kind: Kind
    person_id: int
    run_id: int | None
    state: State
    tries: int
    made_ms: int
    next_ms: int
    changed_ms: int
    code: int


def post(
    connection: Connection, name: bytes, kind: Kind, person_id: int, now_ms: int, *, run_id: int | None = None
) -> None:
    """Puts a mail into the outbox."""
    connection.execute(
        insert(mails).values(
            name=name,
            kind=kind.value,
            person_id=person_id,
            run_id=run_id,
            state=State.WAITING.value,
            tries=0,
            made_ms=now_ms,
            next_ms=now_ms,
            changed_ms=now_ms,
            code=0,
        )
    )


def due(connection: Connection, now_ms: int, most: int) -> list[Mail]:
    """What may be tried now, what waits longest first."""
    columns = [mails.c[name] for name in Mail.__struct_fields__]
    waits = text(MAIL_WAITS)
    rows = select(*columns).where(waits, mails.c.next_ms <= now_ms).order_by(mails.c.next_ms, mails.c.id).limit(most)
    return [
        Mail(**{**row._asdict(), "kind": Kind(row.kind), "state": State(row.state)}) for row in connection.execute(rows)
    ]


def claim(connection: Connection, mail: Mail, now_ms: int) -> bool:
    """Writes a try down before it is made; False: another sender was faster."""
    wait_ms = BACKOFF_MIN[min(mail.tries, len(BACKOFF_MIN) - 1)] * MINUTE_MS
    same = (mails.c.id == mail.id) & (mails.c.tries == mail.tries) & (mails.c.state == State.WAITING.value)
    changed = update(mails).where(same).values(tries=mail.tries + 1, next_ms=now_ms + wait_ms, changed_ms=now_ms)
    return connection.execute(changed).rowcount == 1


def settle(connection: Connection, mail_id: int, state: State, code: int, now_ms: int) -> None:
    """What became of a try; a mail that waits on after its last one is given up."""
    waits = (mails.c.id == mail_id) & (mails.c.state == State.WAITING.value)
    connection.execute(update(mails).where(waits).values(state=state.value, code=code, changed_ms=now_ms))
    if state is State.WAITING:
        over = waits & (mails.c.tries >= TRIES_MAX)
        connection.execute(update(mails).where(over).values(state=State.GIVEN_UP.value))


def counts(connection: Connection) -> dict[State, int]:
    """How many mails stand how."""
    query = select(mails.c.state, func.count()).group_by(mails.c.state)
    return {State(state): count for state, count in connection.execute(query)}


def counts_by_run(connection: Connection, runs: list[int]) -> dict[tuple[int, State], int]:
    """How many mails of each of these runs stand how."""
    columns = (mails.c.run_id, mails.c.state)
    rows = connection.execute(select(*columns, func.count()).where(mails.c.run_id.in_(runs)).group_by(*columns))
    return {(run_id, State(state)): count for run_id, state, count in rows}


def sent_since(connection: Connection, person_id: int, kind: Kind, since_ms: int) -> int:
    """How many mails of a kind were made for somebody since then."""
    theirs = (mails.c.person_id == person_id) & (mails.c.kind == kind.value) & (mails.c.made_ms >= since_ms)
    return connection.execute(select(func.count()).select_from(mails).where(theirs)).scalar_one()
