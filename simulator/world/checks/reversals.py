"""What was taken back is undone, once and wholly, and nothing else is (issue 5, 'Refund and void restore').

At rest, recomputed from the facts of all journals, in whichever order the centre heard of them:

- a redemption is 'restored' if, and only if, its whole sale was taken back, and then no serial is held by it;
- points of a sale are undone as far as its reversals say (their sums are `ledger-balances`'s);
- each reversal that a lane showed is booked, but for what the fault model lets be lost with a disk;
- nothing that is known is left waiting.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import ClassVar, Final

from simulator.world.checks import booked, stores
from simulator.world.checks.base import Watch
from simulator.world.checks.booked import Odd
from simulator.world.checks.facts import Points, Reversal, read
from simulator.world.checks.losses import Losses
from simulator.world.checks.sales import Sales
from simulator.world.checks.stores import Disk, Unreadable
from simulator.world.observe import AtRest, ReversalSeen, Seen, UnitAtRest

DIGEST_BYTES: Final = 16


class ReversalsAreSettled(Watch):
    """See the module."""

    name: ClassVar = "reversals"

    def __init__(self) -> None:
        self._losses = Losses()
        self._seen: dict[bytes, ReversalSeen] = {}

    def saw(self, seen: Seen) -> None:
        self._losses.saw(seen)
        if isinstance(seen, ReversalSeen):
            self._seen[seen.id] = seen

    def at_rest(self, world: AtRest) -> None:
        try:
            with stores.opened(world.centre) as disk:
                sales = Sales(disk)
                self._coupons(sales, disk)
                self._points(sales, disk)
                self._told(sales, world)
                self._left(disk)
        except Odd as error:
            self.broken(str(error))
        except Unreadable as error:
            self.broken(f"the centre's database can't be read: {error}")

    def _coupons(self, sales: Sales, disk: Disk) -> None:
        for row in booked.uses(disk):
            if row.state == booked.VOID:
                continue
            back, restored = sales.gives_back(row.use), row.state == booked.RESTORED
            if back != restored:
                self.broken(
                    f"redemption {row.id} of serial {row.use.serial:x} of campaign {row.use.campaign} is '{row.state}',"
                    f" and its sale was {'' if back else 'not '}taken back"
                )

    def _points(self, sales: Sales, disk: Disk) -> None:
        entered = {number for (number,) in disk.rows("SELECT id FROM programmes")}
        undone = {bytes(digest): count for digest, count in disk.rows("SELECT digest, undone FROM sale_facts")}
        for body in {row.body for row in booked.points(disk)}:
            fact = read(body)
            if not isinstance(fact, Points) or not fact.sale or fact.programme not in entered:
                continue
            found, wanted = undone.get(blake2b(body, digest_size=DIGEST_BYTES).digest()), sales.undone(fact)
            if found != wanted:
                what = "earned" if fact.earned else "spent"
                self.broken(
                    f"{fact.points} points that holder {fact.holder:x} {what}: {found} are undone, and by what was"
                    f" taken back of the sale it is {wanted}"
                )

    def _told(self, sales: Sales, world: AtRest) -> None:
        units = {unit.device: unit for unit in world.units}
        for id, seen in self._seen.items():
            unit = units.get(seen.device)
            if id in sales.ids or self._losses.gone(seen.device, seen.at_ms) or unit is None:
                continue
            if not (unit.enrolled and unit.up) and id in _on_disk(unit):
                continue
            self.broken(f"{seen.device} took a sale back at {seen.at_ms}, and the centre has not booked it")

    def _left(self, disk: Disk) -> None:
        for name, sale in disk.rows(
            "SELECT name, sale FROM reversals r WHERE state = 'waits'"
            " AND EXISTS (SELECT 1 FROM sale_facts s WHERE s.sale = r.sale)"
        ):
            self.broken(f"reversal {name.hex()} waits, and facts of its sale {sale.hex()} are booked")


def _on_disk(unit: UnitAtRest) -> set[bytes]:
    found: set[bytes] = set()
    try:
        with stores.opened(unit.store) as disk:
            for (body,) in disk.rows("SELECT body FROM journal"):
                fact = read(body)
                if isinstance(fact, Reversal):
                    found.add(fact.id)
    except Unreadable:
        pass  # `shown-is-on-disk` says so
    return found
