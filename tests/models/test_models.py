"""The models of the uplink and of the leases, searched by spin: they hold, and each deliberate bug is found.

What they say and leave out: docs/models.md. The wider searches run in `make soak`; where spin or a C compiler is
missing, none does.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

import pytest

MODELS: Final = Path(__file__).parent
SEARCH_WITHIN_S: Final = 900
MEMORY_MB: Final = 4_000
DEPTH_MAX: Final = 1_000_000
COMPILER: Final = shutil.which("cc") or shutil.which("gcc")
pytestmark = pytest.mark.skipif(
    shutil.which("spin") is None or COMPILER is None,
    reason="needs spin and a C compiler (apt-get install spin gcc libc6-dev)",
)


class Search(NamedTuple):
    """What a search came to."""

    errors: int
    states: int
    whole: bool  # everything that can be reached was
    trail: bool


def search(folder: Path, model: str, bounds: str, optimize: str = "-O2") -> Search:
    """Searches all states of a model within `bounds`, such as 'SHOWN=2 BUG_PUBACK'."""
    defines = [f"-D{bound}" for bound in bounds.split()]
    options = [optimize, "-w", "-DSAFETY", "-DCOLLAPSE", "-DVECTORSZ=2048", f"-DMEMLIM={MEMORY_MB}"]
    assert COMPILER is not None
    for command in (["spin", "-a", *defines, str(MODELS / f"{model}.pml")], [COMPILER, *options, "-o", "pan", "pan.c"]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=SEARCH_WITHIN_S)
    found = subprocess.run(
        [str(folder / "pan"), f"-m{DEPTH_MAX}", "-n"],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=SEARCH_WITHIN_S,
    )
    errors = re.search(r"errors: (\d+)", found.stdout)
    states = re.search(r"(\d+) states, stored", found.stdout)
    assert errors is not None, found.stdout + found.stderr
    assert states is not None, found.stdout
    whole = "Search not completed" not in found.stdout and "max search depth too small" not in found.stdout
    return Search(int(errors[1]), int(states[1]), whole, (folder / f"{model}.pml.trail").exists())


def holds(folder: Path, model: str, bounds: str, optimize: str = "-O2") -> None:
    found = search(folder, model, bounds, optimize)
    assert found.errors == 0
    assert found.whole
    assert not found.trail


def fails(folder: Path, model: str, bounds: str, optimize: str = "-O2") -> None:
    found = search(folder, model, bounds, optimize)
    assert found.errors > 0, f"{found.states} states were searched, and nothing was found"
    assert found.trail


SMALL: Final = "SHOWN=1 WIRE=1 BACKUPS=0 RESTARTS=0"


def test_the_smallest_uplink_loses_nothing_and_a_cursor_moved_on_puback_does(tmp_path: Path) -> None:
    (tmp_path / "right").mkdir()
    (tmp_path / "wrong").mkdir()
    holds(tmp_path / "right", "uplink", SMALL, "-O0")
    fails(tmp_path / "wrong", "uplink", f"{SMALL} BUG_PUBACK", "-O0")


@pytest.mark.slow
@pytest.mark.timeout(2 * SEARCH_WITHIN_S)
@pytest.mark.parametrize(
    ("model", "bounds"),
    [
        ("uplink", "SHOWN=2 WIRE=1"),
        ("uplink", "SHOWN=2 IMAGES=0"),
        ("uplink", "SHOWN=2 WIRE=1 IMAGES=2 BACKUPS=0 RESTARTS=0"),
        ("uplink", "SHOWN=1 IMAGES=0 FRESH=1"),
        ("uplink", "SHOWN=1 IMAGES=0 BACKUPS=2"),
        ("leases", "CAP=2"),
        ("leases", "TRANSFERS=0 RETURNS=0 ASKS=2 BACKUPS=1"),
        ("leases", "TRANSFERS=0 ASKS=2 IMAGES=1"),
        ("leases", "RETURNS=0 ASKS=2 IMAGES=1"),
        ("leases", "TRANSFERS=0 ASKS=2 WRITE_OFFS=1"),
        ("leases", "SECOND=1 ONLINE=1 TRANSFERS=0 RETURNS=0 ASKS=1 BACKUPS=1"),
    ],
)
def test_a_model_holds_in_every_state(tmp_path: Path, model: str, bounds: str) -> None:
    holds(tmp_path, model, bounds)


@pytest.mark.slow
@pytest.mark.timeout(2 * SEARCH_WITHIN_S)
@pytest.mark.parametrize(
    ("model", "bounds"),
    [
        ("uplink", "SHOWN=2 WIRE=1 BUG_PUBACK"),
        ("uplink", "SHOWN=2 WIRE=1 BACKUPS=0 BUG_NO_HASH"),
        ("uplink", "SHOWN=2 WIRE=1 BUG_NO_EPOCH"),
        ("uplink", "SHOWN=2 IMAGES=0 BUG_GONE_TRUSTED"),
        ("uplink", "SHOWN=2 IMAGES=0 BUG_NO_SKIP"),
        ("uplink", "SHOWN=2 WIRE=1 IMAGES=2 BACKUPS=0 RESTARTS=0 BUG_NO_BYTES"),
        ("uplink", "SHOWN=2 WIRE=1 IMAGES=0 BUG_NEVER_BACK"),
        ("uplink", "SHOWN=2 WIRE=1 BACKUPS=0 BUG_FORK_IGNORED"),
        ("uplink", "SHOWN=2 WIRE=1 BACKUPS=0 RESTARTS=0 BUG_NO_ECHO"),
        ("uplink", "SHOWN=1 IMAGES=0 FRESH=1 BUG_ANY_ANSWER"),
        ("uplink", "SHOWN=1 IMAGES=0 BACKUPS=2 BUG_ANY_ANSWER"),
        ("leases", "TRANSFERS=0 BUG_RETURNED_TWICE"),
        ("leases", "TRANSFERS=0 BUG_ADDED"),
        ("leases", "BUG_TAKEN_TWICE"),
        ("leases", "BUG_TRANSIT_ANYWAY"),
        ("leases", "BUG_TAKEN_NEEDS_GIVEN"),
        ("leases", "TRANSFERS=0 RETURNS=0 ASKS=2 BACKUPS=1 BUG_EARLY_GRANT"),
        ("leases", "TRANSFERS=0 IMAGES=1 BUG_PARTS_KEPT"),
        ("leases", "TRANSFERS=0 RETURNS=0 ASKS=2 BACKUPS=1 BUG_NOT_REPORTED"),
        ("leases", "SECOND=1 ONLINE=1 TRANSFERS=0 RETURNS=0 ASKS=1 BACKUPS=1 BUG_ANY_HELLO"),
        ("leases", "TRANSFERS=0 RETURNS=0 IMAGES=1 BUG_IMAGE_HELD"),
    ],
)
def test_a_deliberate_bug_is_found(tmp_path: Path, model: str, bounds: str) -> None:
    fails(tmp_path, model, bounds)
