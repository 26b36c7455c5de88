"""A ledger on a real database, and the few words that tests say to it."""

from __future__ import annotations

import itertools
from pathlib import Path

from sqlalchemy import text

from central.db import migrate
from central.db.database import Database
from central.ledger import audit, balances, expiry, gifts, pending, programmes, refunds, tills
from central.ledger.audit import Finding
from central.ledger.gifts import Gift
from central.ledger.refunds import Refund
from central.ledger.tills import Purchase
from central.ledger.transfer import Booked, Outcome, Refused
from loyalty.points import Programme, Rate

NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000
ALICE, BOB = 0xA11CE, 0xB0B
GINZA, SHINJUKU = "ginza", "shinjuku"
GIFTS = {"buy": Rate(100), "sell": Rate(80), "cash_out": Rate(70), "shared": True, "transferable": True}


class Ledger:
    """One database with one programme (number 1), at a time that stands still until it is told to go on."""

    def __init__(self, folder: Path, **terms: object) -> None:
        self.database = Database(f"sqlite:///{folder / 'ledger.db'}")
        migrate.upgrade(self.database)
        self.now_ms = NOW_MS
        self._names = itertools.count(1)
        self.programme(**terms)

    def programme(self, **terms: object) -> None:
        plain: dict[str, object] = {"id": 1, "name": "points"}
        with self.database.write() as connection:
            programmes.put(connection, Programme(**{**plain, **terms}), self.now_ms)  # type: ignore[arg-type]

    def name(self) -> bytes:
        return next(self._names).to_bytes(16, "big")

    def _purchase(self, points: int, holder: int, site: str, name: bytes | None, at_ms: int | None) -> Purchase:
        return Purchase(name or self.name(), 1, holder, site, points, self.now_ms if at_ms is None else at_ms)

    def earn(
        self,
        points: int,
        *,
        holder: int = ALICE,
        site: str = GINZA,
        name: bytes | None = None,
        at_ms: int | None = None,
    ) -> bytes:
        """Gives the transfer's name."""
        purchase = self._purchase(points, holder, site, name, at_ms)
        with self.database.write() as connection:
            done(tills.earn(connection, purchase, self.now_ms))
        return purchase.name

    def spend(
        self,
        points: int,
        *,
        holder: int = ALICE,
        site: str = GINZA,
        name: bytes | None = None,
        waits: bool = False,
    ) -> tuple[bytes, Outcome]:
        purchase = self._purchase(points, holder, site, name, None)
        with self.database.write() as connection:
            return purchase.name, tills.spend(connection, purchase, self.now_ms, pending=waits)

    def gift(
        self, what: str, points: int, *, waits: bool = False, name: bytes | None = None, **more: object
    ) -> Outcome:
        terms: dict[str, object] = {"holder": ALICE, **more}
        gift = Gift(name or self.name(), 1, points=points, **terms)  # type: ignore[arg-type]
        with self.database.write() as connection:
            outcome: Outcome = getattr(gifts, what)(connection, gift, self.now_ms, pending=waits)
            return outcome

    def post(self, of: bytes, name: bytes | None = None) -> Outcome:
        with self.database.write() as connection:
            return pending.post(connection, name or self.name(), of, self.now_ms)

    def void(self, of: bytes, name: bytes | None = None) -> Outcome:
        with self.database.write() as connection:
            return pending.void(connection, name or self.name(), of, self.now_ms)

    def restore(self, of: bytes, points: int = 0, name: bytes | None = None) -> Outcome:
        with self.database.write() as connection:
            return refunds.restore(connection, Refund(name or self.name(), of, points), self.now_ms)

    def take_back(self, of: bytes, points: int = 0, name: bytes | None = None) -> Outcome:
        with self.database.write() as connection:
            return refunds.take_back(connection, Refund(name or self.name(), of, points), self.now_ms)

    def expire(self, most: int = 500) -> int:
        with self.database.write() as connection:
            return expiry.step(connection, self.now_ms, most)

    def usable(self, holder: int = ALICE, place: str = GINZA) -> int:
        return self._balance(holder, place)[1]

    def points(self, holder: int = ALICE, place: str = GINZA) -> int:
        return self._balance(holder, place)[0]

    def _balance(self, holder: int, place: str) -> tuple[int, int]:
        with self.database.read() as connection:
            for one in balances.of_person(connection, holder, self.now_ms):
                if one.place in ("", place):
                    return one.points, one.usable
        return 0, 0

    def sums(self) -> dict[str, int]:
        """All balances that are not zero, by kind of account."""
        rows = self.query("SELECT kind, SUM(balance) FROM accounts GROUP BY kind HAVING SUM(balance) <> 0")
        return {str(kind): int(str(total)) for kind, total in rows}

    def audit(self) -> list[Finding]:
        with self.database.read() as connection:
            return audit.audit(connection)

    def query(self, sql: str) -> list[tuple[object, ...]]:
        with self.database.read() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def run(self, sql: str) -> None:
        """Damages the books."""
        with self.database.write() as connection:
            if connection.dialect.name == "sqlite":
                connection.execute(text("PRAGMA defer_foreign_keys = ON"))
            connection.execute(text(sql))

    def close(self) -> None:
        self.database.close()


def done(outcome: Outcome) -> int:
    """The transfer's number, where it was made."""
    assert isinstance(outcome, Booked), outcome
    return outcome.transfer


def why(outcome: Outcome) -> str:
    """The reason, where it was refused."""
    assert isinstance(outcome, Refused), outcome
    return outcome.reason.value
