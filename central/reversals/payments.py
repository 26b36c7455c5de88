"""The payment by bank account of a sale that was taken back.

The whole sale: the bank takes its debit back, as for a payment that its lane has withdrawn (`central.bank.states`);
also one that is in doubt, or under way. A part: the bank's interface knows no part of a debit, so the operator is told
how much is to go back, and sees to it by hand. Once a person has settled such a part, the rest is theirs as well: the
bank would give back more than is left.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from central.bank import book
from central.bank.states import State
from central.conflicts import ConflictState
from central.db.schema import bank_settlements
from central.reversals import odd

NOTE: Final = "the whole debit goes back"
_HELD: Final = (State.ASKED.value, State.DEBITING.value, State.IN_DOUBT.value, State.SETTLED.value)


class Payment(NamedTuple):
    question: bytes
    state: str
    debit_yen: int
    price_yen: int


def of(connection: Connection, sale: bytes) -> list[Payment]:
    """The payments for a sale; more than one only if the till tried again under another id."""
    rows = connection.execute(
        select(bank_settlements.c.question, bank_settlements.c.state, bank_settlements.c.debit_yen)
        .where(bank_settlements.c.sale == sale)
        .order_by(bank_settlements.c.asked_ms, bank_settlements.c.question)
    ).all()
    found: list[Payment] = []
    for row in rows:
        payment = book.get(connection, bytes(row.question))
        price_yen = 0 if payment is None else payment.settled.price_yen
        found.append(Payment(bytes(row.question), row.state, row.debit_yen, price_yen))
    return found


def owes_part(payments: list[Payment]) -> int:
    """What the bank has debited for the sale, and has not taken back."""
    return sum(payment.debit_yen for payment in payments if payment.state == State.SETTLED)


def take_back(connection: Connection, payments: list[Payment], parts: list[Any], now_ms: int) -> int:
    """The whole sale was taken back; `parts`: the conflicts about parts of it. Gives what a person must see to."""
    by_hand = [part for part in parts if part.state not in (ConflictState.WAITS, ConflictState.WITHDRAWN)]
    if by_hand:
        return max(0, owes_part(payments) - sum(int(part.amount_yen) for part in by_hand))
    for part in parts:
        odd.withdraw(connection, part.id, NOTE, now_ms)
    for payment in payments:
        if payment.state in _HELD:
            book.give_up(connection, payment.question, now_ms)
    return 0
