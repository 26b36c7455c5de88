"""How much of `loyalty`, `wire` and the core the fixed lives of the world reach by themselves: lines and branches.

A process of its own lives them one after the other, with `coverage` (its C tracer) running before any of the three is
imported, so that what runs at import counts too, and a file that nothing imports counts as not reached. No other test
has a part in the figures. What is left out belongs to another program than a unit or the desk (`LEFT_OUT`). A life that
comes to no good end ends the whole: figures of a broken world say nothing.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.figures import Limits, Size, given

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = ("loyalty", "wire", "edge_agent/core")
LEFT_OUT: Final = ("loyalty/barcode/explain.py",)
"""It puts a code into words for `tokuten scan`; neither a unit nor the desk imports it."""

FLOOR: Final = 0.85
"""Of the lines, and of the branches, of each package."""

QUICK_SEEDS: Final = (3, 346)  # short lives of the fixed ones
WORST_SHOWN: Final = 12
MISSED_SHOWN: Final = 12
LIVE: Final = "--live"  # in the process that lives


class Reached(NamedTuple):
    """What was reached of a file or package."""

    name: str
    lines: int
    of_lines: int
    branches: int
    of_branches: int
    missed: tuple[str, ...] = ()  # '12', or '12->15' for a branch

    @property
    def line_share(self) -> float:
        return share(self.lines, self.of_lines)

    @property
    def branch_share(self) -> float:
        return share(self.branches, self.of_branches)

    @property
    def whole(self) -> float:
        """Of lines and branches together."""
        return share(self.lines + self.branches, self.of_lines + self.of_branches)


def share(part: int, whole: int) -> float:
    """What has nothing to reach is reached."""
    return part / whole if whole else 1.0


def files(report: dict[str, object]) -> list[Reached]:
    """The files in a JSON report of `coverage`."""
    found = report["files"]
    assert isinstance(found, dict), "a report of coverage has files"
    out = []
    for name, file in found.items():
        summary = file["summary"]
        lines = [str(line) for line in file["missing_lines"]]
        gone = set(file["missing_lines"])
        branches = [f"{a}->{b}" for a, b in file["missing_branches"] if a not in gone]
        out.append(
            Reached(
                name,
                summary["covered_lines"],
                summary["num_statements"],
                summary["covered_branches"],
                summary["num_branches"],
                (*lines, *branches),
            )
        )
    return out


def summed(name: str, parts: Iterable[Reached]) -> Reached:
    """A package, from its files."""
    listed = list(parts)
    return Reached(
        name,
        sum(part.lines for part in listed),
        sum(part.of_lines for part in listed),
        sum(part.branches for part in listed),
        sum(part.of_branches for part in listed),
    )


def packages(found: Sequence[Reached]) -> list[Reached]:
    return [summed(name, (file for file in found if file.name.startswith(f"{name}/"))) for name in PACKAGES]


def table(rows: Iterable[Reached]) -> str:
    """Aligned text, one row each."""
    head = f"  {'':<32}{'lines':>16}{'branches':>16}{'both':>9}"
    body = [
        f"  {row.name:<32}{_of(row.lines, row.of_lines):>16}{_of(row.branches, row.of_branches):>16}{row.whole:>9.1%}"
        for row in rows
    ]
    return "\n".join([head, *body])


def _of(part: int, whole: int) -> str:
    return f"{part}/{whole} {share(part, whole):>6.1%}"


# --- in the other process -----------------------------------------------------------------------------------


def run(seeds: Sequence[int], to: Path, folder: Path) -> None:
    """Live these seeds (none: all that are fixed) and write coverage's report. Raises SystemExit for a broken life."""
    import coverage

    watched = coverage.Coverage(
        data_file=None,
        branch=True,
        config_file=False,
        source=[f"{ROOT}/{package}" for package in PACKAGES],
        omit=[f"{ROOT}/{file}" for file in LEFT_OUT],
    )
    watched.set_option("run:core", "ctrace")
    ours = tuple(package.replace("/", ".") for package in PACKAGES)
    early = [name for name in sys.modules if name.startswith(ours)]
    assert not early, f"imported before anybody watched: {early}"
    watched.start()
    from simulator.world.life import Plan
    from simulator.world.run import live
    from tests.world.test_world_lives import SEEDS

    logging.disable(logging.CRITICAL)
    for seed in seeds or SEEDS:
        outcome = live(Plan(seed=seed), folder / str(seed))
        if not outcome.fine:
            raise SystemExit(f"seed {seed}: {outcome.checker}: {outcome.what}")
    watched.stop()
    watched.json_report(outfile=str(to))


def measured(seeds: Sequence[int], folder: Path) -> list[Reached]:
    """What these lives (none: all that are fixed) reach, by file. Raises CalledProcessError for a broken life."""
    to = folder / "report.json"
    command = [sys.executable, "-m", "benchmarks.world_coverage", LIVE, str(to), str(folder), *map(str, seeds)]
    subprocess.run(command, cwd=ROOT, check=True)
    return files(json.loads(to.read_text(encoding="utf-8")))


def main(arguments: list[str] | None = None) -> int:
    taken = given("What the world alone reaches of loyalty, wire and the core.", arguments)
    quick = taken.size is Size.QUICK
    with tempfile.TemporaryDirectory(dir=taken.folder) as folder:
        found = measured(QUICK_SEEDS if quick else (), Path(folder))
    rows = packages(found)
    print(table(rows))
    worst = sorted((file for file in found if file.whole < 1), key=lambda file: file.whole)[:WORST_SHOWN]
    print(table(worst))
    for file in worst:
        print(f"    {file.name}: {', '.join(file.missed[:MISSED_SHOWN])}")
    limits = Limits()
    for row in rows:
        for what, reached in (("lines", row.line_share), ("branches", row.branch_share)):
            if quick:  # two lives prove little
                limits.stated(f"{what} of {row.name}", f"{reached:.3f}")
            else:
                limits.at_least(f"{what} of {row.name}", reached, FLOOR, "reached, of all")
    return limits.code()


if __name__ == "__main__":
    if sys.argv[1:2] == [LIVE]:
        run([int(seed) for seed in sys.argv[4:]], Path(sys.argv[2]), Path(sys.argv[3]))
        sys.exit(0)
    sys.exit(main())
