"""The conflicts that were booked, and how a person ends those that wait (`central.conflicts` says who pays at once)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select, update

from central.conflicts import ConflictState, Party, pseudonym
from central.coupons import issue
from central.db.schema import NUL, conflicts, read_serial, redemptions
from central.ledger import claims

NOTE_CHARS_MAX: Final = 500
LIMIT_MAX: Final = 1_000


class Ending(StrEnum):
    """How a person ends a conflict, or whom they charge."""

    SETTLED = "settled"  # by other means, as the note says
    PAID = "paid"  # the person paid what was claimed
    GIVEN_UP = "given_up"  # nothing will come: the issuer bears it
    ISSUER = "issuer"  # honoured, and charged to the issuer
    SHOP = "shop"  # charged to the shop that gave it
    HOLDER = "holder"  # claimed back: it waits on, for the money


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Two facts that can't both be right, or one that should not be; all are booked."""

    id: int
    kind: str
    campaign: int
    serial: int
    first: tuple[int, int]  # epoch and number of the fact that stands; (0, 0): there is but one
    second: tuple[int, int]
    found_ms: int
    rule: str
    charges: str  # central.conflicts.Party
    charged: str  # the party's name
    amount_yen: int
    state: str
    resolved_ms: int | None
    note: str
    programme: int = 0  # of a conflict about points, whose campaign is 0
    holder: int = 0
    site: str = ""
    points: int = 0  # at stake


def listed(connection: Connection, *, waiting: bool = True, limit: int = 100) -> list[Conflict]:
    """Conflicts that wait for a person or for money, oldest first; or all of them, newest first."""
    query = select(conflicts)
    if waiting:
        query = query.where(conflicts.c.state == ConflictState.WAITS.value).order_by(conflicts.c.id)
    else:
        query = query.order_by(conflicts.c.id.desc())
    return [_conflict(row) for row in connection.execute(query.limit(max(0, min(limit, LIMIT_MAX))))]


def _conflict(row: Any) -> Conflict:
    return Conflict(
        id=row.id,
        kind=row.kind,
        campaign=row.campaign,
        serial=read_serial(row.serial),
        first=(row.first_epoch, row.first_seq),
        second=(row.second_epoch, row.second_seq),
        found_ms=row.found_ms,
        rule=row.rule,
        charges=row.charges,
        charged=row.charged,
        amount_yen=row.amount_yen,
        state=row.state,
        resolved_ms=row.resolved_ms,
        note=row.note,
        programme=row.programme,
        holder=row.holder,
        site=row.site,
        points=row.points,
    )


def end(connection: Connection, number: int, how: Ending, note: str, now_ms: int) -> str:
    """A person ends a conflict that waits, or charges somebody. Gives why it can't be done; empty: it is done."""
    # Locked, where there are several workers: two people can't end it twice.
    row = connection.execute(select(conflicts).where(conflicts.c.id == number).with_for_update()).one_or_none()
    if row is None:
        return f"there is no conflict {number}"
    if row.state != ConflictState.WAITS:
        return f"conflict {number} does not wait for anybody: it is {row.state.replace('_', ' ')}"
    if how in (Ending.PAID, Ending.GIVEN_UP) and row.charges != Party.HOLDER:
        return f"conflict {number} claims nothing from anybody: charge somebody instead"
    changes: dict[str, Any] = {"note": note.replace(NUL, " ")[:NOTE_CHARS_MAX]}
    if row.programme:
        ended = claims.end(connection, row, how.value, now_ms)
        if isinstance(ended, str):
            return ended
        changes |= ended
    elif how is Ending.HOLDER:
        holder = _use(connection, row).get("holder", 0)
        if not holder:
            return f"the coupon of conflict {number} names no holder to claim from"
        changes |= {"charges": Party.HOLDER.value, "charged": pseudonym(holder)}
    else:
        state = ConflictState(how.value) if how in (Ending.PAID, Ending.GIVEN_UP) else ConflictState.SETTLED
        changes |= {"state": state.value, "resolved_ms": now_ms}
        if how is Ending.SHOP:
            site = _use(connection, row).get("site", "")
            if not site:
                return f"no redemption of conflict {number} names a shop"
            changes |= {"charges": Party.SHOP.value, "charged": site}
        elif how in (Ending.ISSUER, Ending.GIVEN_UP):
            issued = issue.get(connection, row.campaign)
            if issued is None:
                return f"nobody is known to have issued coupon {row.campaign}"
            changes |= {"charges": Party.ISSUER.value, "charged": issued.campaign.provider}
    connection.execute(update(conflicts).where(conflicts.c.id == number).values(**changes))
    return ""


def _use(connection: Connection, conflict: Any) -> dict[str, Any]:
    """The redemption that is at stake: the second fact, or the first where the second withdrew it."""
    for epoch, seq in (
        (conflict.second_epoch, conflict.second_seq),
        (conflict.first_epoch, conflict.first_seq),
    ):
        row = connection.execute(
            select(redemptions.c.site, redemptions.c.holder).where(
                redemptions.c.epoch_id == epoch, redemptions.c.seq == seq
            )
        ).one_or_none()
        if row is not None:
            return row._asdict()
    return {"site": conflict.site, "holder": conflict.holder} if conflict.site else {}
