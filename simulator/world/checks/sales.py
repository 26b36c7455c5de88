"""Which sales were taken back, and what of their facts is undone by that: worked out from the facts alone.

A sale is a name that facts share. A reversal is a fact of its own, told once by each lane that was asked; the same id
is the same reversal, the first that was booked. One without yen takes back the whole; those with yen add up.

    a coupon         is given back with the whole
    spent points     come back with the whole
    earned points    of the whole all; else points x yen given back // price, at most all
"""

from __future__ import annotations

from typing import NamedTuple

from simulator.world.checks.facts import Points, Reversal, Use, read
from simulator.world.checks.stores import Disk


class Back(NamedTuple):
    """How much of a sale was taken back."""

    whole: bool
    yen: int


class Sales:
    """What the centre was told of reversals, by sale."""

    def __init__(self, disk: Disk) -> None:
        """Raises Unreadable."""
        told: dict[bytes, Reversal] = {}
        for (body,) in disk.rows(
            "SELECT f.body FROM facts f LEFT JOIN reversals r ON r.epoch_id = f.epoch_id AND r.seq = f.seq"
            " WHERE f.type = 'rv' ORDER BY r.id IS NULL, r.id, f.epoch_id, f.seq"
        ):
            fact = read(body)
            if isinstance(fact, Reversal):
                told.setdefault(fact.id, fact)
        self.ids = set(told)
        self._back: dict[bytes, Back] = {}
        for fact in told.values():
            before = self._back.get(fact.sale, Back(False, 0))
            self._back[fact.sale] = Back(before.whole or fact.yen == 0, before.yen + fact.yen)

    def gives_back(self, use: Use) -> bool:
        """Whether a use counts no more."""
        return self.is_back(use.sale)

    def is_back(self, sale: bytes) -> bool:
        """Whether the whole of it was taken back."""
        return bool(sale) and self._of(sale).whole

    def undone(self, points: Points) -> int:
        """How many of a fact's points were taken back, or came back."""
        if not points.sale:
            return 0
        back = self._of(points.sale)
        if back.whole:
            return points.points
        if not points.earned or not points.spend_yen:
            return 0
        return min(points.points, points.points * back.yen // points.spend_yen)

    def _of(self, sale: bytes) -> Back:
        return self._back.get(sale, Back(False, 0))


class Asked:
    """The sales that somebody asked to be taken back whole, as far as was seen. Fed with each `TakenBack`."""

    def __init__(self) -> None:
        self._whole: set[bytes] = set()

    def add(self, sale: bytes, yen: int) -> bool:
        """Whether this is the first time that the whole of it was asked back."""
        fresh = yen == 0 and sale not in self._whole
        if yen == 0:
            self._whole.add(sale)
        return fresh

    def __contains__(self, sale: bytes) -> bool:
        return bool(sale) and sale in self._whole
