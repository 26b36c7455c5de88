"""Lots: points of a person that came together and end together, and the order in which they are spent.

Soonest to end first, then the oldest; points without an end come last. Points that have ended are not spent, but for a
report of a unit that comes late: the goods are gone, and what is not written off yet covers them first.
The yen that were paid for a lot's points go with them: a part of the lot takes its share rounded down, the last part
takes what is left, so the parts always add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Lot:
    """One lot in memory. `transfer` is 0 until it is written."""

    __slots__ = ("at_ms", "expires_ms", "number", "origin", "points", "rest", "rest_yen", "transfer", "yen")

    def __init__(
        self,
        transfer: int,
        number: int,
        points: int,
        yen: int,
        at_ms: int,
        expires_ms: int,
        *,
        rest: int | None = None,
        rest_yen: int | None = None,
        origin: Lot | None = None,
    ) -> None:
        self.transfer, self.number = transfer, number
        self.points, self.yen = points, yen
        self.rest = points if rest is None else rest
        self.rest_yen = yen if rest_yen is None else rest_yen
        self.at_ms, self.expires_ms = at_ms, expires_ms
        self.origin = origin

    def share_yen(self, points: int) -> int:
        """The yen that go with `points` of what is left."""
        return self.rest_yen if points == self.rest else self.rest_yen * points // self.rest


class Move(NamedTuple):
    """Points taken of a lot or put back into it: never negative here; the direction is the caller's."""

    lot: Lot
    points: int
    yen: int


def order(lot: Lot) -> tuple[int, int, int, int]:
    """Soonest to end first, then oldest; a lot that is not written yet is the newest of its time."""
    return (lot.expires_ms, lot.at_ms, lot.transfer or 2**63, lot.number)


def in_order(lots: Iterable[Lot], at_ms: int) -> Iterator[Lot]:
    """Those that have points left and had not ended at `at_ms`, as they are spent."""
    return iter(sorted((lot for lot in lots if lot.rest > 0 and lot.expires_ms > at_ms), key=order))


def ended(lots: Iterable[Lot], at_ms: int) -> Iterator[Lot]:
    """Those that have points left and had ended at `at_ms`: those that ended last come first."""
    return iter(sorted((lot for lot in lots if lot.rest > 0 and lot.expires_ms <= at_ms), key=order, reverse=True))


def taken(lots: Iterable[Lot], points: int) -> list[Move]:
    """What to take of `lots`, in the order given, for so many points; less if they hold less."""
    moves: list[Move] = []
    for lot in lots:
        if points <= 0:
            break
        part = min(points, lot.rest)
        if part > 0:
            moves.append(Move(lot, part, lot.share_yen(part)))
            points -= part
    return moves
