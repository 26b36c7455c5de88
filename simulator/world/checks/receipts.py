"""A sale of a till is over once, and its receipt is what the facts say (H2: each act of a till may be said again).

- While a life goes on: whatever a till asks about a sale that is over, it is told the same: paid by this payment, so
  much, with so many coupons and points; or given up, and then it is never paid.
- At rest, by the facts that the centre has of the sale: it was paid in one moment; the coupons that counted, the points
  that paid and those that were earned are those of the receipt. One that was given up has no facts.

A lane whose disk was restored, spoilt or thrown away may have forgotten that a sale is over.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import ClassVar

from simulator.world.checks import booked, stores
from simulator.world.checks.base import Watch
from simulator.world.checks.booked import Odd
from simulator.world.checks.stores import Unreadable
from simulator.world.observe import AtRest, DiskRestored, DiskSpoilt, Receipt, Seen, WrittenOff

Key = tuple[str, bytes]  # device, sale


class SoldOnce(Watch):
    """See the module."""

    name: ClassVar = "sold-once"

    def __init__(self) -> None:
        self._told: dict[bytes, Receipt] = {}
        self._loose: set[str] = set()

    def saw(self, seen: Seen) -> None:
        if isinstance(seen, DiskRestored | DiskSpoilt | WrittenOff):
            self._loose.add(seen.device)
        elif isinstance(seen, Receipt) and seen.device not in self._loose:
            before = self._told.setdefault(seen.sale, seen)
            if before._replace(at_ms=0) != seen._replace(at_ms=0):
                self.broken(f"{seen.device} said of sale {seen.sale.hex()}: {_said(before)}, and then: {_said(seen)}")

    def at_rest(self, world: AtRest) -> None:
        moments: dict[Key, set[tuple[bytes, int]]] = defaultdict(set)
        uses, spent, earned = Counter[Key](), Counter[Key](), Counter[Key]()
        try:
            with stores.opened(world.centre) as disk:
                for row in booked.uses(disk):
                    if row.counts:
                        key = (row.device, row.use.sale)
                        uses[key] += 1
                        moments[key].add(row.use.moment)
                for one in booked.points(disk):
                    key = (one.device, one.points.sale)
                    (earned if one.points.earned else spent)[key] += one.points.points
                    moments[key].add(one.points.moment)
        except Odd as error:
            self.broken(str(error))
        except Unreadable as error:
            self.broken(f"the centre's database can't be read: {error}")
        gone = {unit.device for unit in world.units if not (unit.enrolled and unit.up)}
        for sale, told in self._told.items():
            if told.device in self._loose or told.device in gone:
                continue
            key = (told.device, sale)
            found = (uses[key], spent[key], earned[key])
            wanted = (told.coupons, told.points, told.earned) if told.paid else (0, 0, 0)
            if found != wanted:
                self.broken(
                    f"the receipt of {told.device} for sale {sale.hex()} ({_said(told)}) has {wanted[0]} coupons,"
                    f" {wanted[1]} points that paid and {wanted[2]} earned, and its facts {found}"
                )
            if len(moments[key]) > 1:
                self.broken(f"sale {sale.hex()} of {told.device} was paid in {len(moments[key])} moments")


def _said(told: Receipt) -> str:
    if not told.paid:
        return "given up"
    how = "" if told.debit_yen is None else f", {told.debit_yen} yen of it from an account"
    return (
        f"paid {told.total_yen} yen by {told.payment.hex()}{how}, {told.coupons} coupons, {told.points} points paid,"
        f" {told.earned} earned"
    )
