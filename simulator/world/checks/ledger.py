"""The ledger's books are right (M4, M5, M11): double entry, balances, lots, and what each person has.

Recomputed from the postings and from the lanes' facts with plain SQL, at rest:

- a transfer's postings sum to 0 in each unit (yen, or the points of one programme);
- a balance is the sum of its account's postings;
- what is left of a person's lots is what the person has;
- what a person has, less what was spent beyond it and is kept apart, is what they earned less what they spent by the
  facts, each counted once and less what was taken back, whatever was doubled, salvaged or restored. (Points that are
  sold at the centre are `moved-as-asked`'s to watch.)
"""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Final

from simulator.world.checks import booked, stores
from simulator.world.checks.base import Watch
from simulator.world.checks.sales import Sales
from simulator.world.checks.stores import Disk, Unreadable
from simulator.world.observe import AtRest

MONEY: Final = "('bank', 'deposits', 'fees', 'forfeited', 'retailer', 'payout')"
PERSONAL: Final = "('member', 'suspense', 'advance')"
BORNE: Final = (
    "SELECT x.programme, (SELECT max(w.holder) FROM postings q JOIN accounts w ON w.id = q.account"
    " WHERE q.transfer = t.about), p.amount FROM transfers t JOIN postings p ON p.transfer = t.id"
    " JOIN accounts x ON x.id = p.account WHERE t.kind = 'take_back' AND x.kind = 'exposure'"
)
"""Points of a purchase that came back which its person had spent already: its shop bears them."""


class LedgerBalances(Watch):
    """See the module."""

    name: ClassVar = "ledger-balances"

    def at_rest(self, world: AtRest) -> None:
        try:
            with stores.opened(world.centre) as disk:
                self._transfers(disk)
                self._balances(disk)
                self._lots(disk)
                self._persons(disk)
        except Unreadable as error:
            self.broken(f"the centre's database can't be read: {error}")

    def _transfers(self, disk: Disk) -> None:
        for transfer, unit, total in disk.rows(
            f"SELECT p.transfer, CASE WHEN a.kind IN {MONEY} THEN 0 ELSE a.programme END AS unit, sum(p.amount)"  # noqa: S608
            " FROM postings p JOIN accounts a ON a.id = p.account GROUP BY p.transfer, unit HAVING sum(p.amount) <> 0"
        ):
            self.broken(f"transfer {transfer} creates {total} of unit {unit} out of nothing")

    def _balances(self, disk: Disk) -> None:
        for account, kind, balance, total in disk.rows(
            "SELECT a.id, a.kind, a.balance, coalesce(sum(p.amount), 0) AS total FROM accounts a"
            " LEFT JOIN postings p ON p.account = a.id GROUP BY a.id HAVING a.balance <> coalesce(sum(p.amount), 0)"
        ):
            self.broken(f"account {account} ({kind}) says {balance}, and its postings sum to {total}")

    def _lots(self, disk: Disk) -> None:
        for account, balance, rest in disk.rows(
            "SELECT a.id, a.balance, coalesce(sum(l.rest), 0) AS left_over FROM accounts a"
            " LEFT JOIN lots l ON l.account = a.id WHERE a.kind = 'member' GROUP BY a.id"
            " HAVING max(a.balance, 0) <> coalesce(sum(l.rest), 0)"
        ):
            self.broken(f"account {account} has {balance} points, and its lots hold {rest}")

    def _persons(self, disk: Disk) -> None:
        entered = {number for (number,) in disk.rows("SELECT id FROM programmes")}
        told: Counter[tuple[int, int]] = Counter()
        sales = Sales(disk)
        for fact in {row.points.name: row.points for row in booked.points(disk)}.values():
            if fact.programme in entered:
                points = fact.points - sales.undone(fact)
                told[fact.programme, fact.holder] += points if fact.earned else -points
        has: Counter[tuple[int, int]] = Counter()
        for programme, holder, balance in disk.rows(
            f"SELECT programme, holder, sum(balance) FROM accounts WHERE kind IN {PERSONAL} GROUP BY 1, 2"  # noqa: S608
        ):
            has[programme, holder] = balance
        for programme, holder, points in disk.rows(BORNE):
            has[programme, holder] += points
        sold = {number for (number,) in disk.rows("SELECT DISTINCT programme FROM transfers WHERE kind = 'buy'")}
        for key in sorted(told.keys() | has.keys()):
            if key[0] not in sold and told[key] != has[key]:
                programme, holder = key
                self.broken(
                    f"holder {holder:012x} has {has[key]} points in programme {programme}, and by the facts {told[key]}"
                )
