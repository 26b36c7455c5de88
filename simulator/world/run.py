"""One life from its plan to its outcome: what happened, whether a promise was broken, and by whose word."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import IO, Final, NamedTuple

from simulator.world.checks import all_checkers
from simulator.world.clock import Time
from simulator.world.entropy import Entropy
from simulator.world.life import Life, Plan
from simulator.world.observe import Violation
from simulator.world.signatures import remembered_signatures
from simulator.world.trace import Trace
from simulator.world.vfs import DiskVfs
from simulator.world.world import Ground


class End(IntEnum):
    """How a life ended; the exit code of `tokuten world`."""

    FINE = 0
    SAFETY = 10  # a promise was broken
    PROGRESS = 11  # without faults, it did not come together in bounded time
    CRASH = 12  # the production code, or the world itself, raised what it should not


class Outcome(NamedTuple):
    """What came of a life."""

    plan: Plan
    end: End
    checker: str  # who found it; of a crash the exception's name
    what: str
    at_step: int  # the steps that were taken
    simulated_ms: int
    events: int
    turns: int  # of units' runners
    decisions: int  # greens: each of them durable
    fired: Counter[str]
    digest: str
    last: tuple[str, ...]  # the last lines of the trace

    @property
    def fine(self) -> bool:
        return self.end is End.FINE


class Progress(NamedTuple):
    """Said once in a while during a life."""

    simulated_ms: int
    events: int
    faults: int
    greens: int
    step: int


Say = Callable[[Progress], None]
LINES_SHOWN: Final = 40


@contextmanager
def installed(seed: int) -> Iterator[Ground]:
    """The stand-ins for randomness and disks are in force."""
    entropy, time = Entropy(str(seed)), Time()
    vfs = DiskVfs(entropy=entropy.draw, now_ms=lambda: time.wall_ms, sleep_us=lambda us: None)
    with entropy.installed(), vfs, remembered_signatures():
        yield Ground(entropy, time, vfs)


def live(plan: Plan, folder: Path, *, file: IO[str] | None = None, say: Say | None = None) -> Outcome:
    """Run one life in `folder`, which is empty. `file` takes the trace; `say` is called at each step."""
    folder.mkdir(parents=True, exist_ok=True)
    trace = Trace(file)
    life: Life | None = None
    end, checker, what = End.FINE, "", ""
    with installed(plan.seed) as ground:
        try:
            life = Life(plan, folder, ground, trace, all_checkers())
            while not life.over:
                life.step()
                if say is not None:
                    say(_progress(life, trace))
            life.peace()
            life.world.finish()
        except Violation as violation:
            end = End.PROGRESS if violation.checker == "progress" else End.SAFETY
            checker, what = violation.checker, violation.what
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the outcome
            end, checker = End.CRASH, type(error).__name__
            what = "".join(traceback.format_exception(error))
        if end is not End.FINE and life is not None:
            trace.note(life.world.time.now_ms, "world", f"violation: {checker}", what)
            life.world.abandon()
    world = life.world if life is not None else None
    return Outcome(
        plan,
        end,
        checker,
        what,
        at_step=life.taken if life is not None else 0,
        simulated_ms=world.time.now_ms if world is not None else 0,
        events=trace.events,
        turns=world.turns if world is not None else 0,
        decisions=world.greens if world is not None else 0,
        fired=world.all_fired if world is not None else Counter(),
        digest=trace.digest,
        last=tuple(trace.last)[-LINES_SHOWN:],
    )


def _progress(life: Life, trace: Trace) -> Progress:
    world = life.world
    return Progress(world.time.now_ms, trace.events, world.all_fired.total(), world.greens, life.taken)
