"""From a camera frame to the verdict that a shopper sees, beside the decoder alone on the same frame.

Ours, for each frame: the gate, the tiers and the acceptance of a fresh `Watcher`, the message through the camera
process's pipe format, and the agent: look-up, signature, verdict, commit with synchronous=FULL, the screen drawn and
shown, the green light. The clock stops at the light.

The decoder alone is zxing-cpp as the engines of `hal.decode` call it. A code can be of any format, so alone it must
look for all coupon formats: that is what the limit is held against.

    frame to verdict: at most 1.3 times the decoder alone on the same frame

Stated beside it: the same with the one format that our first tier asks for (what we would save if we knew the answer
before), and where our time goes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from nacl.signing import SigningKey

from benchmarks.agents import agent
from benchmarks.figures import Limits, Size, given, spread, timed_ms
from benchmarks.lane import DEVICE, SITE, Lane
from edge_agent.settings import BrokerLogin, UnitSettings
from hal.camera import Frame
from hal.decode import Watcher
from hal.decode.engines import WHOLE, zxing
from hal.decode.formats import COUPONS
from hal.decode.pipe import Saw, Unpacker, Upward, pack
from hal.decode.tiers import QR_ONLY, QUICK_QR
from hal.indicators import Light
from hal.virtual.lens import Lens, Pose
from hal.virtual.world import Lit, World, WorldEvent
from tests.scenario.house import picture
from tests.servers import free_port

RATIO_MAX: Final = 1.3
ROUNDS: Final = {Size.QUICK: 30, Size.USUAL: 150, Size.FULL: 500}
EMPTY_MS: Final = 1_000  # when the empty counter was seen, before the phone came
HELD_MS: Final = 1_100


class Till:
    """The agent, and when its green light came on."""

    def __init__(self) -> None:
        self.world = World()
        self.world.observe(self._see)
        self.green_ns = 0

    def _see(self, event: WorldEvent) -> None:
        if isinstance(event, Lit) and event.light is Light.GREEN:
            self.green_ns = time.perf_counter_ns()


def measure(folder: Path, rounds: int) -> Limits:
    """The figure, printed."""
    limits = Limits()
    lane = Lane(folder)
    till = Till()
    lens = Lens(2)
    empty = lens.frame(None, Pose(), 1)
    nobody = BrokerLogin(port=free_port())  # a unit that is offline
    settings = UnitSettings(device=DEVICE, site=SITE, data_dir=str(folder), broker=nobody)
    keys = (SigningKey(b"d" * 32), SigningKey(b"c" * 32).verify_key)
    ours_ms: list[float] = []
    seen_ms: list[float] = []
    tier_ms: list[float] = []
    whole_ms: list[float] = []
    with agent(settings, lane.store, till.world, keys, lambda line: None) as unit:
        unit.start()
        for number in range(rounds):
            grey = lens.frame(picture(lane.scan().text.decode()), Pose(), 2 + number)
            watcher = Watcher()
            watcher.see(Frame(1, EMPTY_MS, empty))
            unpacker = Unpacker(Upward)
            till.green_ns = 0
            began_ns = time.perf_counter_ns()
            scans = watcher.see(Frame(2, HELD_MS, grey))
            seen_ns = time.perf_counter_ns()
            for message in unpacker.feed(b"".join(pack(Saw(scan)) for scan in scans)):
                unit.decide(message.scan)
            assert till.green_ns, "the frame brought no green light"
            seen_ms.append((seen_ns - began_ns) / 1e6)
            ours_ms.append((till.green_ns - began_ns) / 1e6)
            tier_ms.append(timed_ms(partial(zxing, grey, QR_ONLY, QUICK_QR)))
            whole_ms.append(timed_ms(partial(zxing, grey, COUPONS, WHOLE)))
            if lane.store.connection.wal_pages() > 1_000:
                lane.store.connection.checkpoint()
    limits.at_most(
        "frame to verdict, to zxing-cpp alone with all coupon formats",
        median(ours_ms) / median(whole_ms),
        RATIO_MAX,
        f"ours {spread(ours_ms)}; alone {spread(whole_ms)}",
    )
    after_ms = [ours - seen for ours, seen in zip(ours_ms, seen_ms, strict=True)]
    limits.stated(
        "the same to zxing-cpp alone with the one format of our first tier",
        f"{median(ours_ms) / median(tier_ms):.3f}; alone {spread(tier_ms)}; of ours: frame to scan {spread(seen_ms)}, "
        f"scan to green light with its commit {spread(after_ms)}",
    )
    return limits


def main(arguments: list[str] | None = None) -> int:
    taken = given("A camera frame to the verdict, beside the decoder alone.", arguments)
    with tempfile.TemporaryDirectory(dir=taken.folder) as folder:
        return measure(Path(folder), ROUNDS[taken.size]).code()


if __name__ == "__main__":
    sys.exit(main())
