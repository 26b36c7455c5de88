"""The sandbox bank's own books: balances, and one row for each id that it was ever asked about.

Each call is one transaction that is on disk when it returns (WAL, `synchronous=FULL`). An id is debited once, refused
once or reversed; it never changes back. A reversal of an id that was never debited leaves a row, so that a debit that
was under way finds it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_TABLES = """
CREATE TABLE IF NOT EXISTS accounts (
    number TEXT PRIMARY KEY, balance_yen INTEGER NOT NULL CHECK (balance_yen >= 0)
) STRICT;
CREATE TABLE IF NOT EXISTS debits (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    amount_yen INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('debited', 'refused', 'reversed')),
    decline TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS movements (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, account TEXT NOT NULL, yen INTEGER NOT NULL
) STRICT;
"""


class Entry(NamedTuple):
    """What became of an id. `outcome` 'unknown': it was never heard of."""

    outcome: str
    decline: str | None = None


class Conflict(Exception):
    """The same id with another account or amount."""


class Ledger:
    """Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.executescript(_TABLES)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def open(self, account: str, balance_yen: int) -> None:
        """An account with so much in it, or another balance for one that is there."""
        with self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?)", (account, balance_yen))

    def debit(self, payment: str, account: str, amount_yen: int) -> Entry:
        """Raises Conflict."""
        with self._transaction() as database:
            before = database.execute(
                "SELECT account, amount_yen, outcome, decline FROM debits WHERE id = ?", (payment,)
            )
            row = before.fetchone()
            if row is not None:
                if row[0] and (row[0], row[1]) != (account, amount_yen):
                    raise Conflict
                return Entry(row[2], row[3])
            found = database.execute("SELECT balance_yen FROM accounts WHERE number = ?", (account,)).fetchone()
            decline = "account" if found is None else "funds" if found[0] < amount_yen else None
            entry = Entry("debited" if decline is None else "refused", decline)
            database.execute("INSERT INTO debits VALUES (?, ?, ?, ?, ?)", (payment, account, amount_yen, *entry))
            if decline is None:
                self._post(database, payment, account, -amount_yen)
            return entry

    def status(self, payment: str) -> Entry:
        with self._transaction() as database:
            row = database.execute("SELECT outcome, decline FROM debits WHERE id = ?", (payment,)).fetchone()
            return Entry("unknown") if row is None else Entry(*row)

    def reverse(self, payment: str) -> Entry:
        with self._transaction() as database:
            row = database.execute(
                "SELECT account, amount_yen, outcome FROM debits WHERE id = ?", (payment,)
            ).fetchone()
            if row is None:
                database.execute("INSERT INTO debits VALUES (?, '', 0, 'reversed', NULL)", (payment,))
            elif row[2] == "debited":
                database.execute("UPDATE debits SET outcome = 'reversed' WHERE id = ?", (payment,))
                self._post(database, payment, row[0], row[1])
            elif row[2] == "refused":
                return Entry("refused", "other")
            return Entry("reversed")

    def books(self) -> dict[str, object]:
        """Balances, and all movements in their order."""
        with self._transaction() as database:
            balances = dict(database.execute("SELECT number, balance_yen FROM accounts").fetchall())
            moved = database.execute("SELECT id, account, yen FROM movements ORDER BY number").fetchall()
            return {"balances": balances, "movements": [list(row) for row in moved]}

    @staticmethod
    def _post(database: sqlite3.Connection, payment: str, account: str, yen: int) -> None:
        database.execute("UPDATE accounts SET balance_yen = balance_yen + ? WHERE number = ?", (yen, account))
        database.execute("INSERT INTO movements (id, account, yen) VALUES (?, ?, ?)", (payment, account, yen))
