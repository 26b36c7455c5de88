"""Sales of the till that are over: what it is told when it asks again (`core.checkout`).

Written in the transaction of the facts that end a sale, so that one is there exactly when the other is. Nothing here
opens a transaction. The newest SALES_HELD_MAX are remembered; an older one is unknown again, and no till asks for it.
"""

from __future__ import annotations

from typing import Final

from edge_agent.core.receipt import SaleState
from edge_agent.core.visit import Ended
from edge_agent.store.connection import Connection

SALES_HELD_MAX: Final = 20_000  # some days of a busy lane


class Sales:
    """See the module."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def ended(self, sale: bytes) -> Ended | None:
        """How that sale ended; None: it has not, here."""
        row = self._sql.row("SELECT state, payment, body FROM sales WHERE sale = ?", (sale,))
        return None if row is None else Ended(sale=sale, state=SaleState(row[0]), payment=row[1], body=row[2])

    def keep(self, ended: Ended) -> None:
        self._sql.execute(
            "INSERT INTO sales (sale, state, payment, body) VALUES (?, ?, ?, ?)",
            (ended.sale, ended.state.value, ended.payment, ended.body),
        )

    def tidy(self, rows_max: int) -> None:
        """Let go of the oldest beyond those that are held."""
        self._sql.execute(
            "DELETE FROM sales WHERE number IN (SELECT number FROM sales"
            " WHERE number <= (SELECT max(number) FROM sales) - ? ORDER BY number LIMIT ?)",
            (SALES_HELD_MAX, rows_max),
        )
