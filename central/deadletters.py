"""What could not be booked, kept where a person can see and settle it (promise 4).

Two kinds: a fact that was put aside inside a good batch (its number is booked, its body is whole in `facts`),
and a message that was refused whole. The unit still has the second kind and sends it again, so the same message counts
up `times`, and only the newest REFUSED_MAX of them are kept.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from central.db.schema import NUL, dead_letters

PAYLOAD_BYTES_MAX: Final = 8 * 1024
REFUSED_MAX: Final = 2_000
REASON_CHARS_MAX: Final = 300
NOTE_CHARS_MAX: Final = 500


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One row, as it is shown."""

    id: int
    device: str
    topic: str
    epoch: bytes | None
    seq: int | None
    reason: str
    payload: bytes  # its first PAYLOAD_BYTES_MAX bytes
    payload_bytes: int
    times: int
    received_ms: int
    resolved_ms: int | None
    note: str


def refuse(connection: Connection, device: str, topic: str, reason: str, payload: bytes, now_ms: int) -> None:
    """Keeps a message that was refused whole."""
    digest = sha256(payload).digest()
    same = (
        (dead_letters.c.digest == digest)
        & (dead_letters.c.device == device)
        & dead_letters.c.seq.is_(None)
        & dead_letters.c.resolved_ms.is_(None)
    )
    again = update(dead_letters).where(same).values(times=dead_letters.c.times + 1, received_ms=now_ms)
    if connection.execute(again).rowcount:
        return
    _put(connection, device, topic, None, None, reason, payload, digest, now_ms)
    whole = dead_letters.c.seq.is_(None)
    if (connection.execute(select(func.count()).where(whole)).scalar() or 0) > REFUSED_MAX:
        oldest = select(func.min(dead_letters.c.id)).where(whole).scalar_subquery()
        connection.execute(delete(dead_letters).where(dead_letters.c.id == oldest))


def put_aside(
    connection: Connection, device: str, topic: str, epoch: bytes, seq: int, reason: str, body: bytes, now_ms: int
) -> None:
    """Keeps a fact that can't be booked, so that the rest of its batch can."""
    _put(connection, device, topic, epoch, seq, reason, body, sha256(body).digest(), now_ms)


def _put(
    connection: Connection,
    device: str,
    topic: str,
    epoch: bytes | None,
    seq: int | None,
    reason: str,
    payload: bytes,
    digest: bytes,
    now_ms: int,
) -> None:
    connection.execute(
        insert(dead_letters).values(
            device=device,
            topic=topic,
            epoch=epoch,
            seq=seq,
            reason=reason.replace(NUL, " ")[:REASON_CHARS_MAX],
            payload=payload[:PAYLOAD_BYTES_MAX],
            payload_bytes=len(payload),
            digest=digest,
            times=1,
            received_ms=now_ms,
        )
    )


def listed(connection: Connection, *, resolved: bool = False, limit: int = 100) -> list[DeadLetter]:
    """The newest letters, those that wait for somebody or those that are settled."""
    state = dead_letters.c.resolved_ms.is_not(None) if resolved else dead_letters.c.resolved_ms.is_(None)
    rows = connection.execute(select(*_COLUMNS).where(state).order_by(dead_letters.c.id.desc()).limit(limit))
    return [DeadLetter(**row._asdict()) for row in rows]


def get(connection: Connection, number: int) -> DeadLetter | None:
    row = connection.execute(select(*_COLUMNS).where(dead_letters.c.id == number)).one_or_none()
    return None if row is None else DeadLetter(**row._asdict())


def resolve(connection: Connection, number: int, note: str, now_ms: int) -> bool:
    """Marks a letter as settled by a person, who says how; False: there is none, or it was settled before."""
    settle = (
        update(dead_letters)
        .where(dead_letters.c.id == number, dead_letters.c.resolved_ms.is_(None))
        .values(resolved_ms=now_ms, note=note[:NOTE_CHARS_MAX])
    )
    return connection.execute(settle).rowcount > 0


_COLUMNS: Final = [column for column in dead_letters.c if column.name != "digest"]
