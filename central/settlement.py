"""Questions and what becomes of them: settled by a redemption, or cancelled, in whichever order these arrive."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, insert, select, update

from central import conflicts as stakes
from central.bank import book
from central.coupons import issue
from central.db import bulk
from central.db.schema import (
    USES,
    Flag,
    QuestionState,
    RedemptionState,
    conflicts,
    devices,
    questions,
    redemptions,
    stored_serial,
)
from central.registry import Device
from loyalty.reason import Reason
from wire.facts import Cancelled, HomeLeft, Redeemed

_ASKED_SELECT: Final = "q.question, q.state"
_ASKED_JOIN: Final = "questions q WHERE q.question = wanted.k0 AND q.device_id = wanted.k1"


def settle(connection: Connection, device: Device, facts: list[Redeemed]) -> dict[bytes, int]:
    """Settles the granted questions of these redemptions; gives what is odd about the other ones."""
    if not facts:
        return {}
    wanted = [(fact.question, device.id) for fact in facts]
    states = {bytes(row[0]): row[1] for row in bulk.look_up(connection, _ASKED_SELECT, _ASKED_JOIN, wanted)}
    odd: dict[bytes, int] = {}
    granted: list[dict[str, bytes]] = []
    for fact in facts:
        state = states.get(fact.question)
        if state == QuestionState.GRANTED:
            granted.append({"asked": fact.question})
        elif state == QuestionState.CANCELLED:
            odd[fact.question] = int(Flag.NOT_GRANTED | Flag.CANCELLED)
        else:  # refused, never heard of, or settled before
            odd[fact.question] = int(Flag.NOT_GRANTED)
    if granted:
        connection.execute(
            update(questions).where(questions.c.question == bindparam("asked")).values(state=QuestionState.SETTLED),
            granted,
        )
    return odd


def granted_elsewhere(connection: Connection, left: HomeLeft, now_ms: int) -> None:
    """A home let a serial go for a unit that asked: its question is granted, unless it was withdrawn meanwhile."""
    asker = connection.execute(select(devices.c.id).where(devices.c.name == left.to)).scalar()
    known = connection.execute(select(questions.c.state).where(questions.c.question == left.question)).scalar()
    if asker is None or known is not None:
        return
    same = (redemptions.c.campaign == left.campaign) & (redemptions.c.serial == stored_serial(left.serial))
    # The redemption may have been booked before: the home's journal and the asker's arrive in any order.
    # So may the reversal of its sale: the question is over all the same, and holds the serial no more.
    over = (*USES, RedemptionState.RESTORED.value)
    mine = same & (redemptions.c.device_id == asker) & redemptions.c.state.in_(over)
    settled = connection.execute(select(redemptions).where(mine)).all()
    for row in settled:
        _was_granted(connection, row, now_ms)
    held = (questions.c.campaign == left.campaign) & (questions.c.serial == stored_serial(left.serial))
    connection.execute(
        update(questions)
        .where(held, questions.c.state == QuestionState.GRANTED)
        .values(state=QuestionState.CANCELLED.value, reason=Reason.NOT_NOW.value)
    )
    connection.execute(
        insert(questions).values(
            question=left.question,
            device_id=asker,
            campaign=left.campaign,
            serial=stored_serial(left.serial),
            holder=0,
            state=(QuestionState.SETTLED if settled else QuestionState.GRANTED).value,
            reason=Reason.OK.value,
            at_ms=0,
            site="",
            asked_ms=now_ms,
        )
    )


def _was_granted(connection: Connection, row: Any, now_ms: int) -> None:
    """A booked use turns out to have been granted: its flag goes, and so does a conflict that came of it alone."""
    flags = row.flags & ~int(Flag.NOT_GRANTED)
    connection.execute(update(redemptions).where(redemptions.c.id == row.id).values(flags=flags))
    about = (conflicts.c.second_epoch == row.epoch_id) & (conflicts.c.second_seq == row.seq)
    of_it = about & (conflicts.c.kind == stakes.kind_of(int(Flag.NOT_GRANTED)))
    rest = flags & stakes.AT_STAKE
    values: dict[str, Any] = {"kind": stakes.kind_of(rest)} if rest else {
        "state": stakes.ConflictState.WITHDRAWN.value, "resolved_ms": now_ms, "note": "its home had let it go",
    }  # fmt: skip
    connection.execute(update(conflicts).where(of_it).values(**values))


def cancel(connection: Connection, device: Device, epoch_id: int, seq: int, fact: Cancelled, now_ms: int) -> None:
    """Withdraws a question. One that has not arrived yet will be refused when it does."""
    row = connection.execute(
        select(questions.c.state, questions.c.device_id).where(questions.c.question == fact.question)
    ).one_or_none()
    if row is None:
        connection.execute(
            insert(questions).values(
                question=fact.question,
                device_id=device.id,
                campaign=fact.campaign,
                serial=stored_serial(fact.serial),
                holder=0,
                state=QuestionState.CANCELLED.value,
                reason=Reason.NOT_NOW.value,
                at_ms=0,
                site="",
                asked_ms=now_ms,
            )
        )
        if not fact.campaign:
            book.withdrawn_unknown(connection, device.id, fact.question, now_ms)
    elif row.device_id != device.id:
        return  # another unit's question is not this one's to withdraw
    elif row.state == QuestionState.SETTLED:
        _conflict(connection, epoch_id, seq, fact, now_ms)
    else:
        connection.execute(
            update(questions)
            .where(questions.c.question == fact.question)
            .values(state=QuestionState.CANCELLED.value, reason=Reason.NOT_NOW.value)
        )
        book.withdrawn(connection, fact.question, now_ms)


def _conflict(connection: Connection, epoch_id: int, seq: int, fact: Cancelled, now_ms: int) -> None:
    """Redeemed and cancelled: the redemption stands (goods were given), and a person is told."""
    serial = stored_serial(fact.serial)
    term = issue.get(connection, fact.campaign)
    stake = stakes.NOTHING_KNOWN if term is None else stakes.of(term.campaign)
    use = (redemptions.c.campaign == fact.campaign) & (redemptions.c.serial == serial) & redemptions.c.state.in_(USES)
    row = connection.execute(select(redemptions).where(use)).first()
    if row is None:
        return
    flagged = redemptions.c.flags.op("|")(int(Flag.CANCELLED))
    connection.execute(update(redemptions).where(redemptions.c.id == row.id).values(flags=flagged))
    conflict = stakes.row(
        stakes.kind_of(int(Flag.CANCELLED)),
        (fact.campaign, serial),
        (row.epoch_id, row.seq),
        (epoch_id, seq),
        stake=stake,
        amount_yen=row.discount_yen or stake.value_yen,  # of the use: the second fact is its withdrawal
        site=row.site,
        holder=row.holder,
        now_ms=now_ms,
    )
    bulk.insert_rows(connection, conflicts, stakes.COLUMNS, [conflict])


class PersonCounts:
    """How many redemptions of a campaign a person has, counting those of the batch at hand."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._counts: dict[tuple[int, int], int] = {}

    def another(self, campaign: int, holder: int) -> int:
        """Counts one more; gives the number it makes."""
        key = (campaign, holder)
        if key not in self._counts:
            self._counts[key] = person_count(self._connection, campaign, holder)
        self._counts[key] += 1
        return self._counts[key]


def person_count(connection: Connection, campaign: int, holder: int) -> int:
    """Uses of a campaign by a person that are booked."""
    use = (redemptions.c.campaign == campaign) & (redemptions.c.holder == holder) & (redemptions.c.holder != 0)
    return connection.execute(select(func.count()).where(use, redemptions.c.state.in_(USES))).scalar() or 0
