"""The auditor: everything recomputed from the postings and the moves of lots alone, and held against what is kept.

It shares no arithmetic with the code that books: each check is one statement about the tables. It changes nothing, and
says for each thing that is wrong where it is, what is kept there and what it should be.
"""
# ruff: noqa: S608 - the statements are put together of names that stand in this file and in the chart

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from central.db import bulk
from central.ledger.chart import CHART, Key, Sign

FINDINGS_MAX: Final = 1_000
"""Of one kind that are told; a ledger with more than that wrong is wrong."""


class Finding(NamedTuple):
    """Something that is not as it should be."""

    what: str
    where: str
    kept: int
    should_be: int

    def words(self) -> str:
        more = self.kept - self.should_be
        return f"{self.where}: {self.what} {self.kept:,}, should be {self.should_be:,} ({more:+,})"


class _Check(NamedTuple):
    """`sql` gives (kept, should be, where it is ...) of what is wrong. `where` says what the rest of a row is."""

    what: str
    where: str  # 'account': a key; 'transfer': name and unit; 'lot': transfer's name and number
    sql: str


def _kinds(sign: Sign) -> str:
    return ", ".join(f"'{kind.value}'" for kind, entry in CHART.items() if entry.sign is sign)


_MONEY: Final = ", ".join(f"'{kind.value}'" for kind, entry in CHART.items() if entry.money)
_UNIT: Final = f"CASE WHEN a.kind IN ({_MONEY}) THEN 0 ELSE a.programme END"
_ACCOUNT: Final = "a.kind, a.programme, a.holder, a.place"
# Pending transfers that nothing has settled yet.
_OPEN: Final = "t.state = 'pending' AND NOT EXISTS (SELECT 1 FROM transfers s WHERE s.settles = t.id)"
_POSTED: Final = (
    "SELECT p.account AS account, SUM(p.amount) AS total FROM postings p JOIN transfers t ON t.id = p.transfer "
    "WHERE t.state = 'posted' GROUP BY p.account"
)
_HELD: Final = (
    "SELECT p.account AS account, SUM(-p.amount) AS total FROM postings p JOIN transfers t ON t.id = p.transfer "
    f"WHERE p.amount < 0 AND {_OPEN} GROUP BY p.account"
)
_LEFT: Final = "SELECT l.account AS account, SUM(l.rest) AS total FROM lots l WHERE l.rest <> 0 GROUP BY l.account"
_MOVED: Final = (
    "SELECT m.lot AS lot, m.number AS number, SUM(m.points) AS points, SUM(m.yen) AS yen FROM lot_moves m "
    "GROUP BY m.lot, m.number"
)
_PAID: Final = (
    "SELECT x.programme AS programme, SUM(x.yen) AS total FROM ("
    "SELECT l.programme AS programme, l.rest_yen AS yen FROM lots l WHERE l.rest_yen <> 0 "
    "UNION ALL SELECT t.programme AS programme, -m.yen AS yen FROM lot_moves m JOIN transfers t ON t.id = m.transfer "
    f"WHERE {_OPEN}) x GROUP BY x.programme"
)

CHECKS: Final = (
    _Check(
        "its legs sum to",
        "transfer",
        f"SELECT SUM(p.amount), 0, t.name, {_UNIT} FROM postings p JOIN transfers t ON t.id = p.transfer "
        f"JOIN accounts a ON a.id = p.account GROUP BY t.name, {_UNIT} HAVING SUM(p.amount) <> 0",
    ),
    _Check(
        "balance",
        "account",
        f"SELECT a.balance, COALESCE(w.total, 0), {_ACCOUNT} FROM accounts a LEFT JOIN ({_POSTED}) w "
        "ON w.account = a.id WHERE a.balance <> COALESCE(w.total, 0)",
    ),
    _Check(
        "held",
        "account",
        f"SELECT a.held, COALESCE(w.total, 0), {_ACCOUNT} FROM accounts a LEFT JOIN ({_HELD}) w "
        "ON w.account = a.id WHERE a.held <> COALESCE(w.total, 0)",
    ),
    _Check(
        "points left in its lots",
        "account",
        f"SELECT COALESCE(w.total, 0), CASE WHEN a.balance > a.held THEN a.balance - a.held ELSE 0 END, {_ACCOUNT} "
        f"FROM accounts a LEFT JOIN ({_LEFT}) w ON w.account = a.id WHERE a.kind = 'member' AND COALESCE(w.total, 0) "
        "<> CASE WHEN a.balance > a.held THEN a.balance - a.held ELSE 0 END",
    ),
    _Check(
        "points left",
        "lot",
        f"SELECT l.rest, l.points + COALESCE(w.points, 0), t.name, l.number FROM lots l JOIN transfers t "
        f"ON t.id = l.transfer LEFT JOIN ({_MOVED}) w ON w.lot = l.transfer AND w.number = l.number "
        "WHERE l.rest <> l.points + COALESCE(w.points, 0)",
    ),
    _Check(
        "yen left",
        "lot",
        f"SELECT l.rest_yen, l.yen + COALESCE(w.yen, 0), t.name, l.number FROM lots l JOIN transfers t "
        f"ON t.id = l.transfer LEFT JOIN ({_MOVED}) w ON w.lot = l.transfer AND w.number = l.number "
        "WHERE l.rest_yen <> l.yen + COALESCE(w.yen, 0)",
    ),
    _Check(
        "points left beyond its limits of 0 and",
        "lot",
        "SELECT l.rest, l.points, t.name, l.number FROM lots l JOIN transfers t ON t.id = l.transfer "
        "WHERE l.rest < 0 OR l.rest > l.points OR l.rest_yen < 0 OR l.rest_yen > l.yen",
    ),
    _Check(
        "money paid for points that are not used, kept here as",
        "account",
        f"SELECT a.balance, COALESCE(w.total, 0), {_ACCOUNT} FROM accounts a LEFT JOIN ({_PAID}) w "
        "ON w.programme = a.programme WHERE a.kind = 'deposits' AND a.balance <> COALESCE(w.total, 0)",
    ),
    _Check(
        "its sign can't be:",
        "account",
        f"SELECT a.balance, 0, {_ACCOUNT} FROM accounts a WHERE (a.balance < 0 AND a.kind IN ({_kinds(Sign.CLAIM)})) "
        f"OR (a.balance > 0 AND a.kind IN ({_kinds(Sign.HAVING)}))",
    ),
    _Check(
        "legs",
        "transfer",
        "SELECT 0, 2, t.name, t.programme FROM transfers t WHERE t.kind <> 'void' "
        "AND NOT EXISTS (SELECT 1 FROM postings p WHERE p.transfer = t.id)",
    ),
    _Check(
        "settles one that was not pending, of number",
        "transfer",
        "SELECT t.settles, 0, t.name, t.programme FROM transfers t JOIN transfers b ON b.id = t.settles "
        "WHERE b.state <> 'pending' OR t.state <> 'posted'",
    ),
    _Check(
        "legs on accounts or lots that are not there",
        "transfer",
        "SELECT COUNT(*), 0, t.name, t.programme FROM transfers t JOIN postings p ON p.transfer = t.id "
        "WHERE NOT EXISTS (SELECT 1 FROM accounts a WHERE a.id = p.account) GROUP BY t.name, t.programme "
        "UNION ALL SELECT COUNT(*), 0, t.name, t.programme FROM transfers t JOIN lot_moves m ON m.transfer = t.id "
        "WHERE NOT EXISTS (SELECT 1 FROM lots l WHERE l.transfer = m.lot AND l.number = m.number) "
        "GROUP BY t.name, t.programme",
    ),
)  # fmt: skip


def audit(connection: Connection) -> list[Finding]:
    """Everything that is wrong; nothing: the books are right."""
    found: list[Finding] = []
    for check in CHECKS:
        rows: list[Any] = list(bulk.run(connection, check.sql).fetchmany(FINDINGS_MAX))
        found += [Finding(check.what, _where(check.where, list(row)[2:]), int(row[0]), int(row[1])) for row in rows]
    return found


def counts(connection: Connection) -> dict[str, int]:
    """How much was audited."""
    tables = ("transfers", "postings", "accounts", "lots")
    return {name: int(bulk.run(connection, f"SELECT COUNT(*) FROM {name}").scalar_one()) for name in tables}


def _where(kind: str, row: list[Any]) -> str:
    if kind == "account":
        return f"account {Key(*row).words()}"
    name, number = row
    if kind == "lot":
        return f"lot {bytes(name).hex()}/{number}"
    unit = "yen" if not number else f"points of programme {number}"
    return f"transfer {bytes(name).hex()}, {unit}"
