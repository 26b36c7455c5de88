"""What is odd about a reversal: conflicts for the operator. Everything is booked as it was told all the same.

unknown_sale         nothing that the centre knows belongs to the sale, UNKNOWN_AFTER_MS after the reversal was booked
reversed_twice       the whole sale had been taken back before, under another id
over_refund          more was given back than was paid
partial_bank_refund  a part of what the bank debited is to go back: the bank can only take back all of it
reversal_id_reused   the id stands for another reversal
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, update

from central.conflicts import ConflictState
from central.db import bulk
from central.db.schema import conflicts
from loyalty.campaign import ConflictRule


class Kind(StrEnum):
    UNKNOWN_SALE = "unknown_sale"
    REVERSED_TWICE = "reversed_twice"
    OVER_REFUND = "over_refund"
    PARTIAL_BANK_REFUND = "partial_bank_refund"
    REVERSAL_ID_REUSED = "reversal_id_reused"


KINDS = tuple(kind.value for kind in Kind)
_COLUMNS = (
    "kind", "campaign", "serial", "first_epoch", "first_seq", "second_epoch", "second_seq", "found_ms", "rule",
    "charges", "charged", "amount_yen", "state", "site",
)  # fmt: skip


class Odd(NamedTuple):
    """One conflict about a reversal, which is the fact that it names."""

    kind: Kind
    epoch_id: int
    seq: int
    amount_yen: int
    site: str


def write(connection: Connection, found: list[Odd], now_ms: int) -> None:
    rows = [
        (
            one.kind.value, 0, 0, 0, 0, one.epoch_id, one.seq, now_ms, ConflictRule.OPERATOR.value, "", "",
            one.amount_yen, ConflictState.WAITS.value, one.site,
        )
        for one in found
    ]  # fmt: skip
    bulk.insert_rows(connection, conflicts, _COLUMNS, rows)


def known(connection: Connection, epoch_id: int, seq: int) -> dict[str, Any]:
    """The conflicts that a reversal made so far, by kind."""
    about = (conflicts.c.second_epoch == epoch_id) & (conflicts.c.second_seq == seq)
    return {row.kind: row for row in connection.execute(select(conflicts).where(about, conflicts.c.kind.in_(KINDS)))}


def withdraw(connection: Connection, conflict_id: int, note: str, now_ms: int) -> None:
    """There was none after all, as long as nobody has settled it."""
    connection.execute(
        update(conflicts)
        .where(conflicts.c.id == conflict_id, conflicts.c.state == ConflictState.WAITS.value)
        .values(state=ConflictState.WITHDRAWN.value, resolved_ms=now_ms, note=note)
    )
