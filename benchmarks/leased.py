"""A redemption out of this unit's part of a limit, beside one that has no limit: both decided and durable, in turn.

a lease-guarded redemption: at most 1.2 times an `open` one, with synchronous=FULL
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.figures import Limits, Size, given, in_turn, spread
from benchmarks.lane import NOW_MS, Lane, redeeming
from loyalty.campaign import COUNT_MAX, Campaign, Kind, Policy
from loyalty.lease import CAMPAIGN, Amount, Pot

RATIO_MAX: Final = 1.2
ROUNDS: Final = {Size.QUICK: 300, Size.USUAL: 3_000, Size.FULL: 10_000}
WARM_UP: Final = 50
OPEN: Final = Campaign(
    id=2, name="V居酒屋 10%", kind=Kind.PERCENT, policy=Policy.OPEN, provider="v", percent=10, serials=False
)
LEASE: Final = Campaign(
    id=3, name="先着 100円券", kind=Kind.AMOUNT, policy=Policy.LEASE, provider="s", amount_yen=100, serials=False,
    cap=COUNT_MAX, budget_yen=COUNT_MAX * 100,
)  # fmt: skip


def measure(folder: Path, rounds: int) -> Limits:
    """The figure, printed; without fsync it is stated too, for there the difference can be seen best."""
    limits = Limits()
    free, leased = Lane(folder / "open", OPEN), Lane(folder / "lease", LEASE)
    with leased.store.transaction():
        leased.store.parts.grant(Pot(CAMPAIGN, LEASE.id), Amount(COUNT_MAX, COUNT_MAX * 100), NOW_MS * 2)
    for synchronous in ("OFF", "FULL"):
        for lane in (free, leased):
            lane.store.connection.execute(f"PRAGMA synchronous = {synchronous}")
        sides = redeeming(leased), redeeming(free)
        in_turn(WARM_UP, *sides)
        leased_ms, free_ms = in_turn(rounds, *sides)
        ratio, both = median(leased_ms) / median(free_ms), f"lease {spread(leased_ms)}; open {spread(free_ms)}"
        if synchronous == "FULL":
            limits.at_most("a lease-guarded redemption to an open one, synchronous=FULL", ratio, RATIO_MAX, both)
        else:
            limits.stated("the same, fsync left out", f"{ratio:.3f}; {both}")
    free.close()
    leased.close()
    return limits


def main(arguments: list[str] | None = None) -> int:
    taken = given("A lease-guarded redemption beside an open one.", arguments)
    with tempfile.TemporaryDirectory(dir=taken.folder) as folder:
        return measure(Path(folder), ROUNDS[taken.size]).code()


if __name__ == "__main__":
    sys.exit(main())
