"""One redemption on the simulated disk of the world, beside the same on the file system: the price of its power cuts.

Both stores lie in one folder; in memory (`--folder /dev/shm`) a sync costs nothing and what is left is the model's own
price. Stated, not limited; so is what a power cut with the life that leads to it costs.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

from benchmarks.figures import Limits, Size, given, in_turn, spread, timed_ms
from benchmarks.lane import Lane, redeeming
from edge_agent.store.store import Store
from simulator.world.disk import Disk
from simulator.world.vfs import DiskVfs

ROUNDS: Final = {Size.QUICK: 300, Size.USUAL: 3_000, Size.FULL: 20_000}
WARM_UP: Final = 50
CUTS_PER_ROUND: Final = 0.02


def measure(folder: Path, rounds: int) -> Limits:
    """The figures, printed."""
    limits = Limits()
    (folder / "simulated").mkdir()
    with DiskVfs() as vfs:
        disk = vfs.mount(Disk(folder / "simulated", Random(1)))
        ours, real = Lane(disk.folder), Lane(folder / "real")
        sides = redeeming(ours), redeeming(real)
        in_turn(WARM_UP, *sides)
        simulated_ms, real_ms = in_turn(rounds, *sides)
        limits.stated(
            "a redemption on the simulated disk to one on the file system",
            f"{median(simulated_ms) / median(real_ms):.2f}; simulated {spread(simulated_ms)}; real {spread(real_ms)}",
        )
        ours.close()
        real.close()
        restarts_ms = [timed_ms(lambda: restart(disk)) for _ in range(max(1, round(rounds * CUTS_PER_ROUND)))]
        limits.stated("a power loss and the next start of the store", spread(restarts_ms))
    return limits


def restart(disk: Disk) -> None:
    store = Store(disk.folder)
    store.probe()
    disk.lose_power()
    Store(disk.folder).close()


def main(arguments: list[str] | None = None) -> int:
    taken = given("A redemption on the simulated disk beside one on the file system.", arguments)
    with tempfile.TemporaryDirectory(dir=taken.folder) as folder:
        return measure(Path(folder), ROUNDS[taken.size]).code()


if __name__ == "__main__":
    sys.exit(main())
