"""The parts of limits that this unit may spend alone, and what was handed from lane to lane.

What is granted comes from the centre; everything else changes with a fact, in the fact's own transaction: `account`
is called for each fact that is kept. Parts belong to the open epoch: a new epoch begins without any, because the
disk may be an old copy whose parts were spent already.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from edge_agent.store.connection import Connection
from loyalty.lease import CAMPAIGN, NOTHING, POINTS, Amount, Limits, Part, Pot
from wire.facts import Fact, Given, Redeemed, Returned, Spent, Taken

PARTS_MAX: Final = 1_000  # of one unit: what one report holds
TRANSFERS_KEPT: Final = 10_000  # that are over: by number, for a clock that is wrong would take one twice
_PUT: Final = (
    "INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, id, holder) DO UPDATE SET"
    " granted_count = excluded.granted_count, granted_yen = excluded.granted_yen, moved_count = excluded.moved_count,"
    " moved_yen = excluded.moved_yen, spent_count = excluded.spent_count, spent_yen = excluded.spent_yen,"
    " ends_ms = excluded.ends_ms"
)
_SPEND: Final = (
    "UPDATE parts SET spent_count = spent_count + ?, spent_yen = spent_yen + ? WHERE kind = ? AND id = ? AND holder = ?"
)


class Account(msgspec.Struct, frozen=True):
    """What this unit has had of one pot in the open epoch."""

    granted: Amount = NOTHING
    moved: Amount = NOTHING
    spent: Amount = NOTHING
    ends_ms: int | None = None

    @property
    def left(self) -> Amount:
        return (self.granted + self.moved - self.spent).above_zero


class Transfer(msgspec.Struct, frozen=True):
    """A part that was given and that the other lane has not said it took."""

    transfer: bytes
    to: str
    pot: Pot
    amount: Amount


class Parts:
    """See the module. Opens no transaction; after a rolled-back one call `reload`."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection
        self._accounts: dict[Pot, Account] = {}
        self.reload()

    def reload(self) -> None:
        rows = self._sql.rows("SELECT * FROM parts")
        self._accounts = {
            Pot(kind, number, holder): Account(Amount(gc, gy), Amount(mc, my), Amount(sc, sy), ends_ms)
            for kind, number, holder, gc, gy, mc, my, sc, sy, ends_ms in rows
        }

    # --- what is left ---------------------------------------------------------------------------------

    def account(self, pot: Pot) -> Account:
        return self._accounts.get(pot, _EMPTY)

    def part(self, pot: Pot, limits: Limits) -> Part:
        account = self._accounts.get(pot, _EMPTY)
        return Part(left=account.left, limits=limits, ends_ms=account.ends_ms)

    def accounts(self) -> Iterator[tuple[Pot, Account]]:
        return iter(self._accounts.items())

    # --- changes --------------------------------------------------------------------------------------

    def grant(self, pot: Pot, granted: Amount, ends_ms: int | None) -> bool:
        """What the centre says it granted in all; False where there is no room for another pot."""
        account = self.account(pot)
        if pot not in self._accounts and len(self._accounts) >= PARTS_MAX:
            return False
        self._put(pot, msgspec.structs.replace(account, granted=account.granted.most(granted), ends_ms=ends_ms))
        return True

    def keep(self, fact: Fact) -> None:
        """What a fact that is being journalled changes here."""
        if isinstance(fact, Redeemed):
            if fact.leased:
                self._spend(Pot(CAMPAIGN, fact.campaign), Amount(1, fact.cost_yen))
        elif isinstance(fact, Spent):
            if not fact.question:
                for holder in (0, fact.holder):
                    self._spend(Pot(POINTS, fact.programme, holder), Amount(fact.points))
        elif isinstance(fact, Returned):
            self._move(fact.pot, NOTHING - fact.amount)
        elif isinstance(fact, Given):
            self._move(fact.pot, NOTHING - fact.amount)
            self._transfer(fact.transfer, True, fact.to, fact.pot, fact.amount, fact.at.wall_ms)
        elif isinstance(fact, Taken):
            self._move(fact.pot, fact.amount)
            self._transfer(fact.transfer, False, fact.giver, fact.pot, fact.amount, fact.at.wall_ms)

    def drop(self) -> None:
        """A new epoch began: nothing of what was granted before may be spent."""
        self._sql.execute("DELETE FROM parts")
        self._accounts.clear()

    def _spend(self, pot: Pot, cost: Amount) -> None:
        account = self._accounts[pot]  # nothing is spent of a pot that was never granted: `judge` saw to it
        self._accounts[pot] = msgspec.structs.replace(account, spent=account.spent + cost)
        self._sql.execute(_SPEND, (cost.count, cost.yen, *pot.key))

    def _move(self, pot: Pot, amount: Amount) -> None:
        account = self.account(pot)
        self._put(pot, msgspec.structs.replace(account, moved=account.moved + amount))

    def _put(self, pot: Pot, account: Account) -> None:
        self._accounts[pot] = account
        self._sql.execute(
            _PUT,
            (
                *pot.key, account.granted.count, account.granted.yen, account.moved.count, account.moved.yen,
                account.spent.count, account.spent.yen, account.ends_ms,
            ),
        )  # fmt: skip

    # --- transfers between lanes ------------------------------------------------------------------------

    def _transfer(self, transfer: bytes, given: bool, peer: str, pot: Pot, amount: Amount, at_ms: int) -> None:
        self._sql.execute(
            "INSERT INTO transfers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0,"
            " (SELECT coalesce(max(number), 0) + 1 FROM transfers))",
            (transfer, given, peer, *pot.key, amount.count, amount.yen, at_ms),
        )

    def knows_transfer(self, transfer: bytes) -> bool:
        """Whether this unit gave or took it before."""
        return self._sql.row("SELECT 1 FROM transfers WHERE transfer = ?", (transfer,)) is not None

    def under_way(self, limit: int) -> list[Transfer]:
        """What was given and may not have arrived, oldest first."""
        rows = self._sql.rows(
            "SELECT transfer, peer, kind, id, holder, count, yen FROM transfers WHERE given = 1 AND done = 0"
            " ORDER BY number LIMIT ?",
            (limit,),
        )
        return [Transfer(row[0], row[1], Pot(*row[2:5]), Amount(*row[5:7])) for row in rows]

    def arrived(self, transfer: bytes, device: str) -> None:
        """The lane that it was given to has it on disk."""
        self._sql.execute(
            "UPDATE transfers SET done = 1 WHERE transfer = ? AND given = 1 AND peer = ?", (transfer, device)
        )

    def tidy(self, rows_max: int) -> None:
        """Forget the oldest transfers that are over. One that is under way is kept, however old."""
        self._sql.execute(
            "DELETE FROM transfers WHERE transfer IN (SELECT transfer FROM transfers WHERE (done = 1 OR given = 0)"
            " AND number <= (SELECT max(number) FROM transfers) - ? ORDER BY number LIMIT ?)",
            (TRANSFERS_KEPT, rows_max),
        )


_EMPTY: Final = Account()
