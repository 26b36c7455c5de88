"""The stop list: serials and holders that count nowhere any more (a lost phone, a lost card, a stolen sheet).

Units know it as keyed hashes (`wire.sealing`), so that a stolen unit's list can't be spent. A holder on it stops
everything of that person, and nothing more is given out to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, delete, func, insert, select

from central import feed
from central.coupons import issue, persons
from central.db import bulk
from central.db.schema import coupons, read_serial, revocations, stored_serial
from wire import sealing
from wire.messages import Change, DropRevoked, PutRevoked

REVOKED_MAX: Final = 1_000_000
NOTE_CHARS_MAX: Final = 500
LISTED_MAX: Final = 1_000
ROWS_AT_ONCE: Final = 1_000
EVERYTHING: Final = 0  # the campaign of a revoked holder
_ANY: Final = "SELECT 1 FROM revocations LIMIT 1"
_SELECT: Final = "r.campaign, r.serial, r.holder, r.revoked_ms"
_JOIN: Final = "revocations r WHERE r.campaign = wanted.k0 AND r.serial = wanted.k1 AND r.holder = wanted.k2"


class StopListError(ValueError):
    """Nothing can be put on the list, or taken off it, as asked; the message says why."""


class Revoked(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list: a serial of a campaign, or (campaign 0) everything of a holder."""

    campaign: int
    serial: int
    holder: int
    revoked_ms: int
    note: str


def serial_of_number(connection: Connection, campaign: int, number: int) -> int:
    """The serial behind an identification number that people see. Raises StopListError."""
    where = (coupons.c.campaign == campaign) & (coupons.c.number == number)
    found = connection.execute(select(coupons.c.serial).where(where)).scalar()
    if not found:
        raise StopListError(f"coupon {campaign} was never given out with the number {number}")
    return read_serial(found)


def revoke_serial(connection: Connection, secret: bytes, campaign: int, serial: int, note: str, now_ms: int) -> bool:
    """From now on this coupon counts nowhere; False: it was on the list. Raises StopListError."""
    issued = issue.get(connection, campaign)
    if issued is None or not issued.campaign.serials or not 0 < serial < 2**64:
        raise StopListError(f"coupon {campaign} has no serial {serial:016x}")
    key = sealing.serial_hash(secret, campaign, serial)
    return _put(connection, (campaign, stored_serial(serial), 0), key, note, now_ms)


def revoke_person(connection: Connection, secret: bytes, name: str, note: str, now_ms: int) -> bool:
    """From now on nothing of this person counts anywhere; False: they were on the list. Raises StopListError."""
    holder = _holder(connection, name)
    return _put(connection, (EVERYTHING, 0, holder), sealing.holder_hash(secret, holder), note, now_ms)


def _put(connection: Connection, line: tuple[int, int, int], key: bytes, note: str, now_ms: int) -> bool:
    if revoked_ms(connection, *line) is not None:
        return False
    if (connection.execute(select(func.count()).select_from(revocations)).scalar() or 0) >= REVOKED_MAX:
        raise StopListError(f"the list is full: it holds {REVOKED_MAX:,} lines")
    campaign, serial, holder = line
    connection.execute(
        insert(revocations).values(
            campaign=campaign, serial=serial, holder=holder, revoked_ms=now_ms, note=note[:NOTE_CHARS_MAX]
        )
    )
    feed.append(connection, [PutRevoked(key)], None)
    return True


def restore_serial(connection: Connection, secret: bytes, campaign: int, serial: int) -> None:
    """It counts again, if it was not used. Raises StopListError when it is not on the list."""
    _drop(connection, (campaign, stored_serial(serial), 0), sealing.serial_hash(secret, campaign, serial))


def restore_person(connection: Connection, secret: bytes, name: str) -> None:
    """What is theirs counts again. Raises StopListError when they are not on the list."""
    holder = _holder(connection, name)
    _drop(connection, (EVERYTHING, 0, holder), sealing.holder_hash(secret, holder))


def _drop(connection: Connection, line: tuple[int, int, int], key: bytes) -> None:
    if not connection.execute(delete(revocations).where(_is(*line))).rowcount:
        raise StopListError("that is not on the stop list")
    feed.append(connection, [DropRevoked(key)], None)


def _holder(connection: Connection, name: str) -> int:
    person = persons.find(connection, name)
    if person is None:
        raise StopListError(f"there is nobody called {name}")
    return person.holder


def _is(campaign: int, serial: int, holder: int) -> Any:
    return (revocations.c.campaign == campaign) & (revocations.c.serial == serial) & (revocations.c.holder == holder)


def revoked_ms(connection: Connection, campaign: int, serial: int, holder: int) -> int | None:
    """Since when this very line is on the list. `serial` is stored."""
    return connection.execute(select(revocations.c.revoked_ms).where(_is(campaign, serial, holder))).scalar()


def stops(connection: Connection, campaign: int, serial: int, holder: int) -> bool:
    """Whether a coupon is on the list: by its (stored) serial, or because its holder is."""
    return (serial != 0 and revoked_ms(connection, campaign, serial, 0) is not None) or (
        holder != 0 and revoked_ms(connection, EVERYTHING, 0, holder) is not None
    )


def listed(connection: Connection, limit: int = LISTED_MAX) -> list[Revoked]:
    """The newest lines, newest first."""
    rows = connection.execute(select(revocations).order_by(revocations.c.id.desc()).limit(min(limit, LISTED_MAX)))
    return [
        Revoked(
            campaign=row.campaign,
            serial=read_serial(row.serial),
            holder=row.holder,
            revoked_ms=row.revoked_ms,
            note=row.note,
        )
        for row in rows
    ]


def changes(connection: Connection, secret: bytes) -> Iterator[Change]:
    """The list as a snapshot tells it."""
    hashes = sealing.Hashes(secret)
    rows = connection.execute(
        select(revocations.c.campaign, revocations.c.serial, revocations.c.holder).order_by(revocations.c.id),
        execution_options={"yield_per": ROWS_AT_ONCE},
    )
    for campaign, serial, holder in rows:
        yield PutRevoked(hashes.holder(holder) if holder else hashes.serial(campaign, read_serial(serial)))


def is_empty(connection: Connection) -> bool:
    return not bulk.run(connection, _ANY).first()


class Since:
    """Since when the coupons of a batch are on the list: one look-up for all."""

    def __init__(self, connection: Connection, uses: Sequence[tuple[int, int, int]]) -> None:
        """`uses` are (campaign, stored serial, holder)."""
        self._since: dict[tuple[int, int, int], int] = {}
        lines = [(campaign, serial, 0) for campaign, serial, _ in uses if serial]
        lines += [(EVERYTHING, 0, holder) for _, _, holder in uses if holder]
        if lines:
            for campaign, serial, holder, since_ms in bulk.look_up(connection, _SELECT, _JOIN, lines):
                self._since[campaign, serial, holder] = since_ms

    def stopped(self, campaign: int, serial: int, holder: int, at_ms: int) -> bool:
        """Whether the coupon was on the list when it was used."""
        return at_ms >= min(
            self._since.get((campaign, serial, 0), _NEVER) if serial else _NEVER,
            self._since.get((EVERYTHING, 0, holder), _NEVER) if holder else _NEVER,
        )


_NEVER: Final = 2**63
