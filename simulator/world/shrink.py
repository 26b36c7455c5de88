"""A failing life made shorter by itself: fewer steps, sites, lanes and faults, as long as it fails in the same way.

Every step has randomness of its own, so what is left out leaves the rest much as it was. Bounded by `RUNS_MAX` tries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from simulator.world.faults import FAULTS, LAN_WEATHER, WEATHER
from simulator.world.life import Plan
from simulator.world.run import Outcome

RUNS_MAX: Final = 150
CHUNKS_FIRST: Final = 2

Try = Callable[[Plan], Outcome]
Told = Callable[[Outcome], None]


def shrink(failed: Outcome, attempt: Try, told: Told = lambda outcome: None, runs_max: int = RUNS_MAX) -> Outcome:
    """The shortest life that was found to fail as `failed` did. `told` hears of each shorter one."""
    best, runs = failed, 0

    def still_fails(plan: Plan) -> bool:
        nonlocal best, runs
        if runs >= runs_max or plan == best.plan:
            return False
        runs += 1
        outcome = attempt(plan)
        if (outcome.end, outcome.checker) != (failed.end, failed.checker):
            return False
        best = outcome
        told(outcome)
        return True

    still_fails(_replace(best.plan, steps=best.at_step))
    shorter = True
    while shorter and runs < runs_max:
        shorter = any([_fewer_places(best, still_fails), _fewer_faults(best, still_fails)])
        while _fewer_steps(lambda: best, still_fails):
            shorter = True
    return best


def _replace(plan: Plan, **changes: object) -> Plan:
    return msgspec.structs.replace(plan, **changes)


def _fewer_places(best: Outcome, still_fails: Callable[[Plan], bool]) -> bool:
    """One site, one lane at each, or one less."""
    plan = best.plan
    for sites, lanes in ((1, 1), (1, 2), (2, 1), (1, 0), (2, 2), (0, 1)):
        smaller = _replace(plan, sites=sites or plan.sites, lanes=lanes or plan.lanes)
        fits = (not plan.sites or smaller.sites <= plan.sites) and (not plan.lanes or smaller.lanes <= plan.lanes)
        if smaller != plan and fits and still_fails(smaller):
            return True
    return False


def _fewer_faults(best: Outcome, still_fails: Callable[[Plan], bool]) -> bool:
    """Without kinds of faults: first all at once that did not fire, then one after the other."""
    plan, done = best.plan, False
    idle = [kind for kind in (*FAULTS, *WEATHER, *LAN_WEATHER) if not best.fired[kind] and kind not in plan.without]
    kinds = [kind for kind in (*LAN_WEATHER, *WEATHER, *FAULTS) if best.fired[kind] and kind not in plan.without]
    if idle and still_fails(_replace(plan, without=(*plan.without, *idle))):
        plan, done = _replace(plan, without=(*plan.without, *idle)), True
    for kind in kinds:
        without = _replace(plan, without=(*plan.without, kind))
        if still_fails(without):
            plan, done = without, True
    return done


def _fewer_steps(best: Callable[[], Outcome], still_fails: Callable[[Plan], bool]) -> bool:
    """Leave out steps, in ever smaller pieces; true if some could be."""
    chunks, done = CHUNKS_FIRST, False
    while True:
        plan = best().plan
        kept = [step for step in range(plan.steps) if step not in plan.skip]
        if chunks > len(kept):
            return done
        for piece in _pieces(kept, chunks):
            plan = best().plan
            if still_fails(_replace(plan, skip=tuple(sorted({*plan.skip, *piece})))):
                done = True
        chunks *= 2


def _pieces(steps: list[int], chunks: int) -> Iterator[list[int]]:
    size = -(-len(steps) // chunks)
    for start in range(0, len(steps), size):
        yield steps[start : start + size]


def steps_text(skip: tuple[int, ...]) -> str:
    """`3-7,12`"""
    runs: list[list[int]] = []
    for step in skip:
        if runs and step == runs[-1][1] + 1:
            runs[-1][1] = step
        else:
            runs.append([step, step])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def steps_of(text: str) -> tuple[int, ...]:
    """The other way. Raises ValueError."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(found))


def command(plan: Plan) -> str:
    """What to type to see this life again."""
    words = [f"tokuten world --seed {plan.seed} --steps {plan.steps}"]
    words += [f"--sites {plan.sites}"] if plan.sites else []
    words += [f"--lanes {plan.lanes}"] if plan.lanes else []
    words += [f"--without {','.join(plan.without)}"] if plan.without else []
    words += [f"--skip {steps_text(plan.skip)}"] if plan.skip else []
    return " ".join(words)
