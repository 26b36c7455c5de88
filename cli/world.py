"""`tokuten world`: lives of the simulated world, from seeds."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from simulator.world.life import Plan
    from simulator.world.run import Outcome, Progress

SAY_EVERY_S: Final = 1.0
LAST_LINES: Final = 25


def world(
    seed: Annotated[int, typer.Option("--seed", help="The first life's seed.", min=0)] = 1,
    lives: Annotated[int, typer.Option("--lives", help="How many lives, one seed after the other.", min=1)] = 1,
    steps: Annotated[
        int, typer.Option("--steps", help="Steps of people, operators and faults in a life.", min=1)
    ] = 150,
    sites: Annotated[int, typer.Option("--sites", help="Sites; 0: as the seed says.", min=0, max=6)] = 0,
    lanes: Annotated[int, typer.Option("--lanes", help="Lanes of each site; 0: as the seed says.", min=0, max=8)] = 0,
    without: Annotated[str, typer.Option("--without", help="Kinds of faults that do not strike, with commas.")] = "",
    skip: Annotated[str, typer.Option("--skip", help="Steps in which nothing is done: `3-7,12`.")] = "",
    trace: Annotated[Path | None, typer.Option("--trace", help="Write all that happens there, line by line.")] = None,
    shrink: Annotated[bool, typer.Option("--shrink/--no-shrink", help="Make a failing life shorter.")] = True,
) -> None:
    """Run the real agents and the real centre in a simulated world, where everything goes wrong.

    Ends with 0 when every promise held; 10 when one was broken; 11 when things did not come together once the faults
    had stopped; 12 when something crashed.
    """
    import logging

    from simulator.world.faults import FAULTS, LAN_WEATHER, WEATHER
    from simulator.world.life import Plan
    from simulator.world.shrink import steps_of

    logging.disable(logging.CRITICAL)  # a world in trouble has much to warn of
    kinds = tuple(filter(None, without.split(",")))
    if unknown := [kind for kind in kinds if kind not in (*FAULTS, *WEATHER, *LAN_WEATHER)]:
        known = ", ".join((*WEATHER, *LAN_WEATHER, *FAULTS))
        raise typer.BadParameter(f"there is no kind of fault called {unknown[0]}; there are: {known}")
    try:
        skipped = steps_of(skip)
    except ValueError:
        raise typer.BadParameter(f"--skip {skip}: numbers and ranges of steps, like 3-7,12") from None
    for number in range(seed, seed + lives):
        plan = Plan(seed=number, steps=steps, sites=sites, lanes=lanes, without=kinds, skip=skipped)
        outcome = _live(plan, trace)
        if not outcome.fine:
            _failed(outcome, shrink=shrink)
            raise typer.Exit(outcome.end)


def _live(plan: Plan, trace: Path | None) -> Outcome:
    from simulator.world.run import live

    began_s = said_s = time.monotonic()

    def say(progress: Progress) -> None:
        nonlocal said_s
        if time.monotonic() - said_s >= SAY_EVERY_S:
            said_s = time.monotonic()
            _line(plan.seed, progress)

    with tempfile.TemporaryDirectory(prefix="tokuten-world-") as folder:
        if trace is None:
            outcome = live(plan, Path(folder) / "world", say=say)
        else:
            with trace.open("w", encoding="utf-8") as file:
                outcome = live(plan, Path(folder) / "world", file=file, say=say)
    took_s = time.monotonic() - began_s
    typer.echo(
        f"seed {plan.seed}: {'every promise held' if outcome.fine else outcome.end.name.lower()}; "
        f"{outcome.simulated_ms / 1000:,.0f} s simulated in {took_s:.1f} s, {outcome.events:,} events, "
        f"{outcome.decisions:,} yes, {outcome.fired.total():,} faults, {int(not outcome.fine)} violations, "
        f"trace {outcome.digest}",
    )
    return outcome


def _line(seed: int, progress: Progress) -> None:
    """A life ends at its first violation: until then there is none."""
    typer.echo(
        f"seed {seed} step {progress.step:>5}: {progress.simulated_ms / 1000:>9,.1f} s simulated, "
        f"{progress.events:>8,} events, {progress.greens:>5,} yes, {progress.faults:>6,} faults, "
        "0 violations",
    )


def _failed(outcome: Outcome, *, shrink: bool) -> None:
    from simulator.world import shrink as shrinking
    from simulator.world.run import live

    _violation(outcome)
    if shrink:
        typer.echo("making it shorter ...")

        def attempt(plan: Plan) -> Outcome:
            with tempfile.TemporaryDirectory(prefix="tokuten-world-") as folder:
                return live(plan, Path(folder) / "world")

        def told(shorter: Outcome) -> None:
            plan = shorter.plan
            typer.echo(f"  {plan.steps - len(plan.skip)} steps, {shorter.fired.total()} faults")

        outcome = shrinking.shrink(outcome, attempt, told)
        _violation(outcome)
    typer.echo("the last that happened:")
    for line in outcome.last[-LAST_LINES:]:
        typer.echo(line)
    typer.echo(f"again: {shrinking.command(outcome.plan)}")


def _violation(outcome: Outcome) -> None:
    typer.echo(f"violation: {outcome.checker}: {outcome.what}")
