"""A payment's row, and its steps from state to state (`states`).

A step is made from the state that the caller names, or not at all: two processes, or two threads, never make the same
one. What a payment holds of a coupon is its question's; it is let go with the step that ends without a debit.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, insert, select, text, update

from central.bank.states import Happening, State, after
from central.db.schema import OPEN_PAYMENT, QuestionState, bank_settlements, devices, questions
from loyalty.reason import Reason
from wire.facts import Paid
from wire.messages import Settled, Settlement, decode, encode

LISTED_MAX: Final = 1_000
UNKNOWN: Final = b""
"""The digest of a payment that was withdrawn before it was known."""
RETRY_FIRST_MS: Final = 1_000
RETRY_CAP_MS: Final = 600_000
_RETRY_DOUBLINGS_MAX: Final = 10


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """One payment by account."""

    question: bytes
    device_id: int
    device: str
    site: str
    account: bytes
    digest: bytes
    state: State
    reason: Reason
    debit_yen: int
    asked_ms: int
    until_ms: int
    changed_ms: int
    tries: int
    next_ms: int
    settled: Settlement  # what its lane is told once it is settled
    withdrawn: bool

    @property
    def answer(self) -> Settlement | None:
        """What its lane is told now; None: there is nothing to tell yet."""
        said = _SAID.get(self.state)
        if said is None:
            return None
        return msgspec.structs.replace(self.settled, state=said, reason=self.reason.value)


_SAID: Final = {
    State.SETTLED: Settled.SETTLED,
    State.REFUSED: Settled.REFUSED,
    State.IN_DOUBT: Settled.IN_DOUBT,
    State.REVERSING: Settled.IN_DOUBT,  # it will be void, and is not yet
    State.VOID: Settled.VOID,
}
_REASON: Final = {
    State.SETTLED: Reason.OK,
    State.IN_DOUBT: Reason.IN_DOUBT,
    State.REVERSING: Reason.NOT_NOW,
    State.VOID: Reason.NOT_NOW,
}
_SELECT: Final = (
    select(bank_settlements, devices.c.name.label("device"), questions.c.state.label("question_state"))
    .join_from(bank_settlements, devices, bank_settlements.c.device_id == devices.c.id)
    .outerjoin(questions, questions.c.question == bank_settlements.c.question)
)


def get(connection: Connection, question: bytes) -> Payment | None:
    row = connection.execute(_SELECT.where(bank_settlements.c.question == question)).one_or_none()
    return None if row is None else _payment(row)


def newest(connection: Connection, limit: int, *, only_open: bool = False) -> list[Payment]:
    """The payments asked for last, newest first; at most LISTED_MAX."""
    wanted = _SELECT.where(text(OPEN_PAYMENT)) if only_open else _SELECT
    rows = connection.execute(wanted.order_by(bank_settlements.c.asked_ms.desc()).limit(min(limit, LISTED_MAX)))
    return [_payment(row) for row in rows]


def due(connection: Connection, states: tuple[State, ...], now_ms: int, limit: int) -> list[Payment]:
    """Open payments in one of `states` whose time has come, the longest waiting first."""
    wanted = text(OPEN_PAYMENT) & bank_settlements.c.state.in_(states)
    wanted &= bank_settlements.c.next_ms <= now_ms
    return [
        _payment(row)
        for row in connection.execute(_SELECT.where(wanted).order_by(bank_settlements.c.next_ms).limit(limit))
    ]


def move(
    connection: Connection,
    question: bytes,
    state: State,
    happening: Happening,
    now_ms: int,
    *,
    reason: Reason | None = None,
    next_ms: int | None = None,
) -> bool:
    """Makes the step, if the payment is in `state` still; whether it was made. `next_ms`: when to look at it again."""
    to = after(state, happening)
    why = reason or _REASON.get(to)
    values: dict[str, Any] = {"state": to.value, "changed_ms": now_ms, "tries": 0, "next_ms": next_ms or now_ms}
    if why is not None:
        values["reason"] = why.value
    withdrawn_before = _is_withdrawn(connection, question)
    here = (bank_settlements.c.question == question) & (bank_settlements.c.state == state.value)
    if not connection.execute(update(bank_settlements).where(here).values(**values)).rowcount:
        return False
    if to in (State.REFUSED, State.VOID) and why is not None:
        _let_go(connection, question, why)
    if to is State.SETTLED and withdrawn_before:
        move(connection, question, State.SETTLED, Happening.WITHDRAWN, now_ms)
    return True


def withdrawn(connection: Connection, question: bytes, now_ms: int) -> None:
    """Its lane has withdrawn it. One that the bank is being asked about now goes back once the answer is there."""
    locked = select(bank_settlements.c.state).where(bank_settlements.c.question == question).with_for_update()
    state = connection.execute(locked).scalar()
    if state in (State.ASKED, State.IN_DOUBT, State.SETTLED):
        move(connection, question, State(state), Happening.WITHDRAWN, now_ms)


def withdrawn_unknown(connection: Connection, device_id: int, question: bytes, now_ms: int) -> None:
    """A lane has withdrawn a payment that is not in the book: it did not come yet, or the book is an older copy.

    The bank is told to reverse it: if it was debited it goes back, and if not it never will be.
    """
    told = Settlement(question, Settled.VOID, Reason.NOT_NOW.value)
    _put(connection, device_id, told, State.REVERSING, Reason.NOT_NOW, now_ms)


def lost(connection: Connection, device_id: int, fact: Paid, now_ms: int) -> None:
    """A lane says that a payment is settled which is not in the book, for that is an older copy: the bank is asked."""
    told = Settlement(
        fact.question, Settled.SETTLED, Reason.OK.value, price_yen=fact.price_yen, debit_yen=fact.debit_yen
    )
    connection.execute(
        insert(questions).values(
            question=fact.question,
            device_id=device_id,
            campaign=0,
            serial=0,
            holder=0,
            state=QuestionState.SETTLED.value,
            reason=Reason.OK.value,
            at_ms=0,
            site="",
            asked_ms=now_ms,
        )
    )
    _put(connection, device_id, told, State.IN_DOUBT, Reason.IN_DOUBT, now_ms, site=fact.site, sale=fact.sale)


def _put(
    connection: Connection,
    device_id: int,
    told: Settlement,
    state: State,
    reason: Reason,
    now_ms: int,
    *,
    site: str = "",
    sale: bytes = b"",
) -> None:
    """A payment of which only its name and what its lane says is known."""
    connection.execute(
        insert(bank_settlements).values(
            question=told.question,
            device_id=device_id,
            site=site,
            account_id=b"",
            digest=UNKNOWN,
            state=state.value,
            reason=reason.value,
            coupon_id=None,
            campaign=0,
            serial=0,
            sale=sale or None,
            answer=encode(told),
            debit_yen=told.debit_yen,
            asked_ms=now_ms,
            until_ms=now_ms,
            changed_ms=now_ms,
            tries=0,
            next_ms=now_ms,
        )
    )


def give_up(connection: Connection, question: bytes, now_ms: int) -> None:
    """As if its lane had withdrawn it: it has asked for another payment since."""
    held = (questions.c.question == question) & (questions.c.state == QuestionState.GRANTED.value)
    values = {"state": QuestionState.CANCELLED.value, "reason": Reason.NOT_NOW.value}
    connection.execute(update(questions).where(held).values(**values))
    withdrawn(connection, question, now_ms)


def later(connection: Connection, payment: Payment, now_ms: int) -> None:
    """The bank was asked in vain: again after a pause that doubles up to RETRY_CAP_MS."""
    pause_ms = min(RETRY_CAP_MS, RETRY_FIRST_MS * 2 ** min(payment.tries, _RETRY_DOUBLINGS_MAX))
    connection.execute(
        update(bank_settlements)
        .where(bank_settlements.c.question == payment.question, bank_settlements.c.state == payment.state.value)
        .values(tries=payment.tries + 1, next_ms=now_ms + pause_ms)
    )


def _let_go(connection: Connection, question: bytes, reason: Reason) -> None:
    held = (questions.c.question == question) & (questions.c.state == QuestionState.GRANTED.value)
    connection.execute(update(questions).where(held).values(state=QuestionState.CANCELLED.value, reason=reason.value))


def _is_withdrawn(connection: Connection, question: bytes) -> bool:
    """Locks the question: it is locked before the payment, by steps and by withdrawals, so that neither misses the
    other, nor do they wait for each other."""
    locked = select(questions.c.state).where(questions.c.question == question).with_for_update()
    return connection.execute(locked).scalar() == QuestionState.CANCELLED


def _payment(row: Any) -> Payment:
    settled: Settlement = decode(bytes(row.answer), Settlement)
    return Payment(
        question=bytes(row.question),
        device_id=row.device_id,
        device=row.device,
        site=row.site,
        account=bytes(row.account_id),
        digest=bytes(row.digest),
        state=State(row.state),
        reason=Reason(row.reason),
        debit_yen=row.debit_yen,
        asked_ms=row.asked_ms,
        until_ms=row.until_ms,
        changed_ms=row.changed_ms,
        tries=row.tries,
        next_ms=row.next_ms,
        settled=settled,
        withdrawn=row.question_state == QuestionState.CANCELLED,
    )
