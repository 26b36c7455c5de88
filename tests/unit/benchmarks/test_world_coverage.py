"""What the world reaches of loyalty, wire and the core: the arithmetic of the figures; and two lives reach much."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from benchmarks import world_coverage
from benchmarks.figures import Limits
from benchmarks.world_coverage import PACKAGES, Reached, files, measured, packages, share, summed, table

TWO_LIVES: Final = 0.75
"""So much of the lines and branches of each package two short lives reach; all of them reach more (docs/world.md)."""


def file(lines: int, of_lines: int, branches: int, of_branches: int) -> dict[str, Any]:
    return {
        "summary": {
            "covered_lines": lines,
            "num_statements": of_lines,
            "covered_branches": branches,
            "num_branches": of_branches,
        },
        "missing_lines": [7, 8],
        "missing_branches": [[6, 7], [7, 9], [3, -1]],
    }


REPORT: Final[dict[str, object]] = {
    "files": {
        "loyalty/a.py": file(8, 10, 1, 2),
        "loyalty/barcode/b.py": file(2, 10, 0, 8),
        "wire/c.py": file(5, 5, 0, 0),
    }
}


def test_a_package_is_the_sum_of_its_files_and_not_the_mean_of_their_shares() -> None:
    loyalty, wire, core = packages(files(REPORT))
    assert (loyalty.line_share, loyalty.branch_share) == (0.5, 0.1)
    assert loyalty.whole == pytest.approx(11 / 30)
    assert (wire.line_share, wire.branch_share, wire.whole) == (1.0, 1.0, 1.0)
    assert core == Reached("edge_agent/core", 0, 0, 0, 0)


def test_what_has_no_branches_has_reached_them_all() -> None:
    assert share(0, 0) == 1.0
    assert share(0, 3) == 0.0


def test_a_branch_out_of_a_line_that_was_never_reached_is_not_named_beside_it() -> None:
    assert files(REPORT)[0].missed == ("7", "8", "6->7", "3->-1")


def test_the_table_has_counts_and_shares() -> None:
    told = table([summed("loyalty", files(REPORT)[:2])])
    assert "10/20  50.0%" in told
    assert "1/10  10.0%" in told
    assert "36.7%" in told


def test_too_little_breaks_the_limit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(world_coverage, "measured", lambda seeds, folder: files(REPORT))
    assert world_coverage.main([]) == 1
    assert "branches of loyalty: 0.100 (limit: at least 0.85)  BROKEN" in capsys.readouterr().out


def test_two_short_lives_reach_most_of_each_package(tmp_path: Path) -> None:
    found = measured(world_coverage.QUICK_SEEDS, tmp_path)
    limits = Limits()
    for package in packages(found):
        assert package.of_lines > 500, "the whole package is looked at, not what was imported"
        limits.at_least(package.name, package.whole, TWO_LIVES, "two lives")
    assert not limits.broken
    assert {file.name.rpartition("/")[0] for file in found} >= set(PACKAGES)
    assert "loyalty/words.py" in {file.name for file in found}
