"""Plant each bug of tests/mutants/ in a copy of the code and see who finds it: the world, else the quick tests.

    python -m scripts.mutate [NAME...]     these bugs, or all
        --world-only, --tests-only         one of the two
        --jobs 2                           copies at work at a time
        --resume                           what a run before found in the scratch folder stands
        --seeds 2 --steps 150              how far the world goes for one bug; for a kept one always KEPT_SEEDS

Only a named checker of the world (`violation: NAME: ...`, exit code 10 or 11) or a failed assertion of a test finds a
bug; an exception is no find, nor is what fails on the sound code, too, which is looked at in a copy of its own. The
tests are asked about a kept bug (`Bug.kept`), too: none may find it.

Once the world has looked for all bugs docs/mutants.md is written. Exit code 1: a bug slipped through, or a kept one is
found by a test. 2: a bug does not apply. 3: something fails on the sound code.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Final

import msgspec

from scripts.planted import ROOT, TESTS, WORLD, Bug, DoesNotApply, Room, bugs, rooms
from scripts.scratch_copy import Copy, Sound, Unsound

PAGE: Final = ROOT / "docs/mutants.md"
SEEDS: Final = 2
KEPT_SEEDS: Final = 24
STEPS: Final = 150
LIFE_WITHIN_S: Final = 120
NOTES_MAX: Final = 3
TESTS_WITHIN_S: Final = 300
FAILURES_MAX: Final = 5  # of tests that are looked at, for the first that is an assertion
SAFETY, PROGRESS, CRASH = 10, 11, 12  # exit codes of `tokuten world`
COMMAND: Final = "cli/world.py"
_VIOLATION: Final = re.compile(r"^violation: ([^:\n]+):", re.MULTILINE)
_SEED: Final = re.compile(r"^seed (\d+)\b", re.MULTILINE)
_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (\S+?(?:\[.*?\])?)(?: - (.*))?$", re.MULTILINE)
_EXCEPTION: Final = re.compile(
    r"^(?!AssertionError)(?:[a-z0-9_]+\.)*([A-Z]\w*(?:Error|Exception|Iteration|Corrupt|Unwritable)|Forged|NotSealed|BadTopic)\b"
)
"""How pytest's summary begins for a test that ended with an exception and not with an assertion."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What the world or the tests had to say about one bug."""

    bug: str
    digest: str
    part: str  # 'world' or 'tests'
    finder: str = ""  # checker or test; empty: nobody
    seeds: int = 0  # world: how many it took, or were tried
    note: str = ""
    took_s: float = 0


def is_exception(why: str) -> bool:
    """Whether a test failed by an exception, by the word of pytest's summary."""
    return _EXCEPTION.match(why) is not None


def checker_in(said: str) -> str:
    """The checker that the world names first; empty: none."""
    found = _VIOLATION.search(said)
    return found[1] if found else ""


def by_world(copy: Copy, sound: Sound, bug: Bug, seeds: int, steps: int) -> Result:
    """Seeds 1, 2, ... until a checker has something to say. A life that crashes says nothing; the next one goes on."""
    began, notes, seed = time.monotonic(), list[str](), 1
    while seed <= seeds:
        ended = copy.run(_lives(seed, seeds, steps), LIFE_WITHIN_S * (seeds + 1 - seed))
        if ended.code == 0:
            break
        seed = max([seed, *map(int, _SEED.findall(ended.said))])
        checker = checker_in(ended.said)
        if ended.code in (SAFETY, PROGRESS) and checker:
            if sound.passes(_lives(seed, seed, steps), LIFE_WITHIN_S):
                return _result(bug, WORLD, began, finder=checker, seeds=seed, note="; ".join(notes[:NOTES_MAX]))
            notes.append(f"seed {seed} fails without the bug, too")
        else:
            kind = {None: "too long", CRASH: f"crash, {checker}"}.get(ended.code, f"exit code {ended.code}")
            notes.append(f"{kind} at seed {seed}")
        seed += 1
    return _result(bug, WORLD, began, seeds=seeds, note="; ".join(notes[:NOTES_MAX]))


def _lives(first: int, last: int, steps: int) -> list[str]:
    lives = str(last + 1 - first)
    return ["-m", "cli", "world", "--seed", str(first), "--lives", lives, "--steps", str(steps), "--no-shrink"]


def by_tests(copy: Copy, sound: Sound, bug: Bug) -> Result:
    """The quick tests that are about this code."""
    began = time.monotonic()
    options = ["-q", "--tb=no", "-p", "no:cacheprovider", f"--maxfail={FAILURES_MAX}"]
    ended = copy.run(["-m", "pytest", *options, *bug.tests], TESTS_WITHIN_S)
    if ended.code == 0:
        return _result(bug, TESTS, began)
    odd = "" if ended.code == 1 else f"pytest: {ended.code}; "
    for test, why in _FAILED.findall(ended.said):
        if is_exception(why):
            odd += f"{test}: {why[:160]}; "
            continue
        if not sound.passes(["-m", "pytest", *options, test], TESTS_WITHIN_S):
            odd += f"{test} fails without the bug, too; "
            continue
        return _result(bug, TESTS, began, finder=test, note=odd)
    return _result(bug, TESTS, began, note=odd or ended.said[-300:])


def _result(bug: Bug, part: str, began: float, *, finder: str = "", seeds: int = 0, note: str = "") -> Result:
    took_s = round(time.monotonic() - began, 1)
    return Result(
        bug=bug.name, digest=bug.digest(part), part=part, finder=finder, seeds=seeds, note=note, took_s=took_s
    )


class Results:
    """Lines of JSON in the scratch folder, written as they come."""

    def __init__(self, path: Path, *, resume: bool) -> None:
        self._path, self._lock = path, threading.Lock()
        self._known: dict[tuple[str, str, str], Result] = {}
        if resume and path.exists():
            for line in path.read_bytes().splitlines():
                self._keep(msgspec.json.decode(line, type=Result))
        else:
            path.unlink(missing_ok=True)

    def _keep(self, result: Result) -> None:
        self._known[result.bug, result.digest, result.part] = result

    def get(self, bug: Bug, part: str) -> Result | None:
        return self._known.get((bug.name, bug.digest(part), part))

    def put(self, result: Result) -> None:
        with self._lock:
            self._keep(result)
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(result) + b"\n")

    def finder(self, bug: Bug, part: str) -> str:
        result = self.get(bug, part)
        return "" if result is None else result.finder


class Options(argparse.Namespace):
    """The command line, see the module."""

    names: list[str]
    world_only: bool
    tests_only: bool
    resume: bool
    jobs: int
    seeds: int
    steps: int
    scratch: Path


def look(bug: Bug, copy: Copy, sound: Sound, results: Results, options: Options) -> None:
    """Both parts for one bug, as far as they are asked for and not known yet."""
    if not options.tests_only and not _looked(results.get(bug, WORLD), _seeds(bug, options)):
        with copy.planted(bug):
            results.put(by_world(copy, sound, bug, _seeds(bug, options), options.steps))
    needed = bug.kept or options.tests_only or not results.finder(bug, WORLD)
    if not options.world_only and needed and results.get(bug, TESTS) is None:
        with copy.planted(bug):
            results.put(by_tests(copy, sound, bug))
    print(f"{bug.name}: {_line(bug, results)}", flush=True)


def _seeds(bug: Bug, options: Options) -> int:
    return max(options.seeds, KEPT_SEEDS) if bug.kept else options.seeds


def _looked(known: Result | None, seeds: int) -> bool:
    """Whether the world has looked as far as is asked for."""
    return known is not None and (known.finder != "" or known.seeds >= seeds)


def _line(bug: Bug, results: Results) -> str:
    said = []
    for part in (WORLD, TESTS):
        result = results.get(bug, part)
        if result is not None:
            after = f" after {result.seeds} seeds" if result.seeds else ""
            note = f" [{result.note}]" if result.note else ""
            if part == WORLD and result.finder and bug.checkers and result.finder not in bug.checkers:
                note += f" (so far it was {', '.join(bug.checkers)})"
            said.append(f"{part}: {result.finder or 'nobody'}{after}, {result.took_s:.0f} s{note}")
    return "; ".join(said)


def trouble(bug: Bug, results: Results, options: Options) -> str:
    """Why a bug is not where it should be; empty: it is."""
    world, tests = results.finder(bug, WORLD), results.finder(bug, TESTS)
    if bug.kept:
        if tests:
            return f"is kept for the world, and {tests} finds it"
        return "" if world or options.tests_only else "is kept for the world, which does not find it"
    return "" if world or tests else "is found by nobody"


def page(every: Iterable[Room], results: Results, options: Options) -> str:
    """docs/mutants.md."""
    text = HEAD.format(seeds=options.seeds, kept=max(options.seeds, KEPT_SEEDS), steps=f"{options.steps:,}")
    for room in every:
        text += f"\n## {room.title}\n\n| bug | what goes wrong | found by | seeds |\n|---|---|---|--:|\n"
        for bug in room.bug:
            world = results.get(bug, WORLD)
            finder, seeds = results.finder(bug, TESTS), ""
            if world is not None and world.finder:
                finder, seeds = world.finder, str(world.seeds)
            kept = " (kept)" if bug.kept else ""
            text += f"| `{bug.name}`{kept} | {bug.sentence} | {_named(finder)} | {seeds} |\n"
    return text


def _named(finder: str) -> str:
    """A checker, or a test by its file and name."""
    if not finder:
        return "not looked at yet"
    file, _, test = finder.partition("::")
    return f"`{Path(file).name}::{test.partition('[')[0]}`" if test else f"**{finder}**"


HEAD: Final = """<!-- written by scripts/mutate.py from tests/mutants/*.toml and from what a run found -->
# Planted bugs

Each is one change of one file, of the kind that a tired person makes. `python -m scripts.mutate` puts one after the
other into a copy of the code and looks who finds it: first the simulated world, seeds 1 to {seeds} (for kept ones to
{kept}) of {steps} steps each; where no checker has anything to say (**bold**: the checker), the quick tests that are
about this code. An exception is no find. For those that are *kept* no test is written and none finds them: the world
must. `make test` checks that every bug still fits the code.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.mutate", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*")
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--world-only", action="store_true")
    one.add_argument("--tests-only", action="store_true")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--jobs", type=int, choices=(1, 2), default=1)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "tokuten-mutants")
    return parser


def main(argv: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(argv, Options())
    every = bugs()
    wanted = [bug for bug in every if not options.names or bug.name in options.names]
    if unknown := set(options.names) - {bug.name for bug in every}:
        parser.error(f"no bug is called {', '.join(sorted(unknown))}")
    if not options.tests_only and not (ROOT / COMMAND).exists():
        parser.error(f"there is no {COMMAND} to look with: --tests-only")
    options.scratch.mkdir(parents=True, exist_ok=True)
    results = Results(options.scratch / "results.jsonl", resume=options.resume)
    sound = Sound(options.scratch / "sound")
    try:
        for bug in wanted:
            bug.put_into((ROOT / bug.file).read_text(encoding="utf-8"))
        copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(options.jobs):
            copies.put(Copy(options.scratch / f"copy-{number}"))

        def one(bug: Bug) -> None:
            copy = copies.get()
            try:
                look(bug, copy, sound, results, options)
            finally:
                copies.put(copy)

        pool = ThreadPoolExecutor(options.jobs)
        try:
            list(pool.map(one, wanted))
        finally:
            pool.shutdown(cancel_futures=True)
    except DoesNotApply as error:
        print(error)
        return 2
    except Unsound as error:
        print(error)
        return 3
    found = {bug.name: trouble(bug, results, options) for bug in wanted}
    for name, why in found.items():
        if why:
            print(f"{name} {why}")
    print(f"{len(wanted)} bugs, {sum(map(bool, found.values()))} not where they should be")
    if all(results.get(bug, WORLD) is not None for bug in every):
        PAGE.write_text(page(rooms(), results, options), encoding="utf-8")
    for command, said in sound.failed.items():
        print(f"python {command} fails without a bug: {checker_in(said) or said[-500:]}")
    return 1 if any(found.values()) else 3 if sound.failed else 0


if __name__ == "__main__":
    sys.exit(main())
