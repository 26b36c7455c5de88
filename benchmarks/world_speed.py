"""How fast the simulated world lives: 3 sites with 4 lanes each, with faults and every checker watching, on one core.

Stated, not limited: what a life costs depends on what happens in it. CPU time counts, so that a busy machine changes
nothing. A turn is one pass of a unit's runner; an event is a line of the trace (acts, faults, messages, what is shown);
a decision is a yes that a shopper saw, durable before it was shown.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.figures import Limits, Size, given
from simulator.world.life import Plan
from simulator.world.run import Outcome, live

SITES: Final = 3
LANES: Final = 4
FIRST: Final = 9_000
LIVES: Final = {Size.QUICK: (1, 20), Size.USUAL: (6, 150), Size.FULL: (40, 150)}
"""Lives, and steps of each."""


def lived(seed: int, steps: int, folder: Path) -> tuple[Outcome, float]:
    """One life, and its CPU time in s."""
    began_s = time.process_time()
    outcome = live(Plan(seed=seed, steps=steps, sites=SITES, lanes=LANES), folder)
    return outcome, time.process_time() - began_s


def main(arguments: list[str] | None = None) -> int:
    taken = given("How fast the simulated world lives: 3 sites with 4 lanes, on one core.", arguments)
    lives, steps = LIVES[taken.size]
    logging.disable(logging.CRITICAL)
    cpu_s, simulated_ms, turns, events, decisions = 0.0, 0, 0, 0, 0
    try:
        for seed in range(FIRST, FIRST + lives):
            with tempfile.TemporaryDirectory(dir=taken.folder) as folder:
                outcome, took_s = lived(seed, steps, Path(folder) / "world")
            if not outcome.fine:
                print(f"seed {seed}: {outcome.checker}: {outcome.what}")
                return 1
            cpu_s += took_s
            simulated_ms += outcome.simulated_ms
            turns, events = turns + outcome.turns, events + outcome.events
            decisions += outcome.decisions
    finally:
        logging.disable(logging.NOTSET)
    limits = Limits()
    limits.stated("lives of 3 sites with 4 lanes", f"{lives:,}, {steps} steps each, {cpu_s:.1f} s of CPU")
    limits.stated("turns of units", f"{turns / cpu_s:,.0f} /s and core")
    limits.stated("events", f"{events / cpu_s:,.0f} /s and core")
    limits.stated("durable decisions", f"{decisions / cpu_s:,.1f} /s and core")
    limits.stated("simulated days", f"{simulated_ms / 86_400_000 / (cpu_s / 60):.3f} /min and core")
    return limits.code()


if __name__ == "__main__":
    sys.exit(main())
