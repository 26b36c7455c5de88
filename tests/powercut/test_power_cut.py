"""A real power cut of an emulated machine: Linux, ext4 and the real agent on a disk that keeps only what was flushed.

The machine runs once; its disks' write logs are then cut at many instants (docs/powercut.md).
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import pytest

from tests.powercut.afterwards import Fault, findings
from tests.powercut.cuts import Replay
from tests.powercut.kinds import CONTROLS, KINDS, OURS, Kind
from tests.powercut.machine import Disk, Machine, missing, program
from tests.powercut.marks import DISK_BYTES, FILE_SYSTEM_BYTES, shown
from tests.powercut.writelog import WriteLog

SCANS: Final = {OURS.name: 1_000, **{kind.name: 100 for kind in CONTROLS}}
CUTS: Final = {OURS.name: 1_000, **{kind.name: 60 for kind in CONTROLS}}
MACHINE_OFF_S: Final = 900.0
say = logging.getLogger(__name__)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3_600), pytest.mark.skipif(bool(missing()), reason=missing())]


class Result(NamedTuple):
    """What the cuts of one disk came to."""

    cuts: int
    wrong: int  # cuts after which anything was wrong
    faults: Counter[Fault]

    def __str__(self) -> str:
        found = ", ".join(f"{fault}: {count}" for fault, count in self.faults.most_common())
        return f"{self.wrong} of {self.cuts} cuts went wrong ({found or 'nothing found'})"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a machine that has run, and whose disks are logged."""
    folder = tmp_path_factory.mktemp("machine")
    disks = []
    for name in KINDS:
        image = folder / f"{name}.disk"
        with image.open("wb") as file:
            file.truncate(DISK_BYTES)
        blocks = f"{FILE_SYSTEM_BYTES >> 10}k"
        subprocess.run([program("mke2fs"), "-q", "-t", "ext4", str(image), blocks], check=True, timeout=60)
        (folder / f"{name}.before").write_bytes(image.read_bytes())
        disks.append(Disk(image, folder / f"{name}.log"))
    words = " ".join(f"{name}={SCANS[name]}" for name in KINDS)
    environment = "PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/"
    machine = Machine(folder, disks, f"{environment} {sys.executable} -m tests.powercut.guest {words}\n")
    try:
        machine.wait(MACHINE_OFF_S)
    finally:
        machine.close()
    for kind in KINDS.values():
        said = [line for line in machine.said if line.startswith(f"{kind.name} ")]
        assert said == [f"{kind.name} {serial}" for serial in range(1, SCANS[kind.name] + 1)], machine.console()
    return folder


def cut_again_and_again(ran: Path, kind: Kind, scratch: Path, seed: int) -> Result:
    """Half of the cuts at any instant, half just after a yes was shown."""
    dice = Random(seed)
    log = WriteLog(ran / f"{kind.name}.log")
    try:
        marks = shown(log)
        assert [mark.serial for mark in marks] == list(range(1, SCANS[kind.name] + 1))
        instants = [dice.randrange(len(log.entries) + 1) for _ in range(CUTS[kind.name] // 2)]
        instants += [dice.choice(marks).at + 1 for _ in range(CUTS[kind.name] // 2)]
        replay = Replay((ran / f"{kind.name}.before").read_bytes(), log)
        wrong, faults = 0, Counter[Fault]()
        for instant in sorted(instants):
            seen = [mark.serial for mark in marks if mark.at < instant]
            found = set(findings(replay.cut(instant, dice), scratch, seen))
            wrong += bool(found)
            faults.update(found)
        result = Result(len(instants), wrong, faults)
        say.info("%s: %s of %s writes and flushes", kind.name, result, len(log.entries))
        return result
    finally:
        log.close()


def test_K5_no_yes_is_lost_or_doubled_by_a_power_cut(ran: Path, tmp_path: Path) -> None:
    result = cut_again_and_again(ran, OURS, tmp_path, seed=1)
    assert not result.wrong, result


@pytest.mark.parametrize("kind", CONTROLS, ids=lambda kind: kind.name)
def test_a_store_that_is_kept_otherwise_is_found_out(ran: Path, tmp_path: Path, kind: Kind) -> None:
    result = cut_again_and_again(ran, kind, tmp_path, seed=2)
    assert result.faults[Fault.LOST] or result.faults[Fault.DISK], result
