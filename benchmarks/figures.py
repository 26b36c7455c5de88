"""What every benchmark here shares: sizes, taking turns, medians, and a figure beside its limit.

A figure is a ratio (or a difference) of two sides that were measured in the same run, turn by turn, so that a busy
machine is busy for both. Both sides are printed. Absolute times depend on the machine and are never a limit.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Size(StrEnum):
    """How much is measured. Only FULL has the sizes that the promises speak of, where they take minutes."""

    QUICK = "quick"
    USUAL = "usual"
    FULL = "full"


class Given(NamedTuple):
    """The arguments of a benchmark."""

    size: Size
    folder: Path | None  # where the databases go; None: the system's folder for temporary files


def given(description: str, arguments: Sequence[str] | None = None) -> Given:
    """The arguments from the command line."""
    parser = argparse.ArgumentParser(description=description)
    how_much = parser.add_mutually_exclusive_group()
    how_much.add_argument("--quick", action="store_const", dest="size", const=Size.QUICK, help="small and fast")
    how_much.add_argument("--full", action="store_const", dest="size", const=Size.FULL, help="the sizes of the promise")
    parser.add_argument("--folder", type=Path, help="make the databases here: choose the disk")
    parser.set_defaults(size=Size.USUAL)
    taken = parser.parse_args(arguments)
    return Given(taken.size, taken.folder)


def timed_ms(work: Callable[[], object]) -> float:
    """The wall time that `work` takes, milliseconds."""
    began = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - began) / 1e6


def in_turn(rounds: int, *sides: Callable[[], float]) -> list[list[float]]:
    """Each side once in each round, the first one changing from round to round; what they gave, by side."""
    out: list[list[float]] = [[] for _ in sides]
    for turn in range(rounds):
        for place in range(len(sides)):
            which = (turn + place) % len(sides)
            out[which].append(sides[which]())
    return out


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def spread(values_ms: Sequence[float]) -> str:
    """'p50 0.312 p99 1.204 ms'."""
    return f"p50 {median(values_ms):.3f} p99 {percentile(values_ms, 0.99):.3f} ms"


class Limits:
    """Prints figures, and remembers which limit was broken."""

    def __init__(self) -> None:
        self.broken: list[str] = []

    def at_most(self, name: str, value: float, limit: float, sides: str) -> None:
        """`value` must not be above `limit`."""
        self._say(name, value, value <= limit, f"limit: at most {limit:g}", sides)

    def below(self, name: str, value: float, limit: float, sides: str) -> None:
        self._say(name, value, value < limit, f"limit: below {limit:g}", sides)

    def at_least(self, name: str, value: float, limit: float, sides: str) -> None:
        self._say(name, value, value >= limit, f"limit: at least {limit:g}", sides)

    def stated(self, name: str, sides: str) -> None:
        """A figure without a limit."""
        print(f"  {name}: {sides}", flush=True)

    def _say(self, name: str, value: float, kept: bool, limit: str, sides: str) -> None:
        print(f"  {name}: {value:.3f} ({limit}){'' if kept else '  BROKEN'}\n      {sides}", flush=True)
        if not kept:
            self.broken.append(f"{name} is {value:.3f}; {limit}")

    def code(self) -> int:
        """The exit code: 1 when a limit was broken."""
        return 1 if self.broken else 0
