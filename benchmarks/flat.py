"""However much a unit knows and however much waits to be sent, a redemption and a start cost the same.

The same redemption on stores with 1,000, 100,000 and 5,000,000 known serials, one and 10,000 campaigns, and 0 and
1,000,000 facts waiting, in turn; its campaign has a limit per person, so that every index is asked. And opening: store
and the machines that speak to the centre, until a scan could be decided.

    a redemption, ratio of medians to 1,000 serials and nothing waiting: below 1.3
    a start with 1,000,000 facts waiting, to one with none: below 1.5

Stated beside it: the same with the fsync left out, which shows the pages that large indices read from further away.
Smaller sizes, as `--quick` uses them, are printed as what they are.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import msgspec
from nacl.signing import SigningKey

from benchmarks.figures import Limits, Size, given, in_turn, spread, timed_ms
from benchmarks.lane import CAMPAIGN, DEVICE, EPOCH, SITE, Lane, fill_campaigns, fill_seen, fill_waiting, redeeming
from edge_agent.centre import Centre
from edge_agent.steps import StepLog
from edge_agent.store.store import Store
from wire import topics
from wire.topics import Address

REDEMPTION_RATIO_MAX: Final = 1.3
START_RATIO_MAX: Final = 1.5
LIMITED: Final = msgspec.structs.replace(CAMPAIGN, per_person=5)
WARM_UP: Final = 50  # redemptions on each store before its times count


class Sizes(NamedTuple):
    serials: tuple[int, ...]  # the first one is what the others are held against
    campaigns: int  # besides the one that is redeemed, on every store but the first
    waiting: int
    rounds: int
    starts: int


SIZES: Final = {
    Size.QUICK: Sizes((1_000, 20_000), 1_000, 20_000, 200, 20),
    Size.USUAL: Sizes((1_000, 100_000, 1_000_000), 10_000, 200_000, 1_000, 60),
    Size.FULL: Sizes((1_000, 100_000, 5_000_000), 10_000, 1_000_000, 3_000, 100),
}


class Filled(NamedTuple):
    """A store of a certain size, and the times of redemptions on it."""

    name: str
    lane: Lane


class _Nobody:
    """A broker that is not there."""

    def publish(self, leaf: topics.Leaf, payload: bytes) -> bool:
        return False


def filled(folder: Path, serials: int, campaigns: int, waiting: int) -> Filled:
    """A lane whose store knows `serials` redemptions of one of `campaigns + 1` campaigns and holds `waiting` facts."""
    name = f"{serials:,} serials, {campaigns:,} other campaigns, {waiting:,} waiting"
    Lane(folder, LIMITED).close()
    fill_seen(folder, serials)
    if campaigns:
        fill_campaigns(folder, campaigns)
    if waiting:
        fill_waiting(folder, waiting)
    print(f"    made: {name}, {(folder / 'store.db').stat().st_size / 1e6:,.0f} MB", flush=True)
    return Filled(name, Lane(folder, LIMITED))


def starting(folder: Path) -> Callable[[], float]:
    """Open what is there until a scan could be decided; milliseconds."""
    keys = (SigningKey(b"d" * 32), SigningKey(b"c" * 32).verify_key)

    def side() -> float:
        opened: list[Store] = []

        def start() -> None:
            store = Store(folder, DEVICE)
            opened.append(store)
            store.start(EPOCH)
            Centre(Address("demo", SITE, DEVICE), store, _Nobody(), keys, StepLog(lambda line: None, lambda: 0))
            store.open_questions()

        taken_ms = timed_ms(start)
        opened[0].close()
        return taken_ms

    return side


def measure(folder: Path, sizes: Sizes) -> Limits:
    """All figures, printed."""
    limits = Limits()
    wanted = [(serials, sizes.campaigns if number else 0, 0) for number, serials in enumerate(sizes.serials)]
    wanted += [(serials, sizes.campaigns, sizes.waiting) for serials in (sizes.serials[0], sizes.serials[-1])]
    stores = [filled(folder / str(number), *one) for number, one in enumerate(wanted)]
    for synchronous, words in (("OFF", "fsync left out"), ("FULL", "synchronous=FULL")):
        for store in stores:
            store.lane.store.connection.execute(f"PRAGMA synchronous = {synchronous}")
        sides = [redeeming(store.lane) for store in stores]
        in_turn(WARM_UP, *sides)
        times_ms = in_turn(sizes.rounds, *sides)
        for store, here_ms in zip(stores[1:], times_ms[1:], strict=True):
            name, ratio = f"a redemption with {store.name}, {words}", median(here_ms) / median(times_ms[0])
            sides_of_it = f"{spread(here_ms)}; with {stores[0].name} {spread(times_ms[0])}"
            if synchronous == "FULL":
                limits.below(name, ratio, REDEMPTION_RATIO_MAX, sides_of_it)
            else:
                limits.stated(name, f"{ratio:.3f}; {sides_of_it}")
    for store in stores:
        store.lane.store.connection.checkpoint()
        store.lane.close()
    few_ms, many_ms = in_turn(sizes.starts, starting(stores[0].lane.folder), starting(stores[-1].lane.folder))
    limits.below(
        f"a start with {stores[-1].name}",
        median(many_ms) / median(few_ms),
        START_RATIO_MAX,
        f"{spread(many_ms)}; with {stores[0].name} {spread(few_ms)}",
    )
    return limits


def main(arguments: list[str] | None = None) -> int:
    taken = given("A redemption and a start with much known and much waiting.", arguments)
    with tempfile.TemporaryDirectory(dir=taken.folder) as folder:
        return measure(Path(folder), SIZES[taken.size]).code()


if __name__ == "__main__":
    sys.exit(main())
