"""A real power cut of an emulated machine: Linux, ext4 and the real agent on a disk that keeps only what was flushed.

The machine runs once; the write logs of its disks are then cut at many instants (docs/powercut.md).
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import pytest

from tests.powercut.afterwards import Fault, on_disk
from tests.powercut.cuts import Replay
from tests.powercut.kinds import CONTROLS, KINDS, NORMAL, OURS, Kind
from tests.powercut.machine import Disk, Machine, missing, program
from tests.powercut.marks import DISK_BYTES, FILE_SYSTEM_BYTES, shown
from tests.powercut.writelog import WriteLog

SCANS: Final = {OURS.name: 600, **{kind.name: 100 for kind in CONTROLS}}
CUTS: Final = {OURS.name: 500, **{kind.name: 60 for kind in CONTROLS}}
MOUNTED_CUTS: Final = 18  # that the kernel mounts itself; a machine has room for some 25 disks
CONTROLS_MOUNTED: Final = 4
MACHINE_OFF_S: Final = 900.0
ENVIRONMENT: Final = "PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/"
say = logging.getLogger(__name__)
LACKING: Final = missing()
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3_600), pytest.mark.skipif(bool(LACKING), reason=LACKING)]


class Result(NamedTuple):
    """What the cuts of one disk came to."""

    cuts: int
    wrong: int  # cuts after which anything was wrong
    faults: Counter[Fault]

    def __str__(self) -> str:
        found = ", ".join(f"{fault}: {count}" for fault, count in self.faults.most_common())
        return f"{self.wrong} of {self.cuts} cuts went wrong ({found or 'nothing found'})"


class Cut(NamedTuple):
    """A disk without power, and the serials whose yes had been seen."""

    disk: bytes
    shown: list[int]


def run_machine(folder: Path, disks: Sequence[Disk], words: str) -> list[str]:
    """Run the guest's program until the machine is off; gives what it said."""
    machine = Machine(folder, disks, f"{ENVIRONMENT} {sys.executable} -m tests.powercut.guest {words}\n")
    try:
        machine.wait(MACHINE_OFF_S)
    finally:
        machine.close()
    assert machine.said, machine.console()
    return machine.said


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a machine that has redeemed on each kind of store, with the logs of its disks."""
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
    said = run_machine(folder, disks, "redeem " + " ".join(f"{name}={SCANS[name]}" for name in KINDS))
    assert said == [f"{name} {serial}" for name in KINDS for serial in range(1, SCANS[name] + 1)]
    return folder


def cuts(ran: Path, kind: Kind, count: int, seed: int) -> Iterator[Cut]:
    """Half of them at any instant of the log, half just after a yes was shown."""
    dice = Random(seed)
    log = WriteLog(ran / f"{kind.name}.log")
    try:
        marks = shown(log)
        assert [mark.serial for mark in marks] == list(range(1, SCANS[kind.name] + 1))
        instants = [dice.randrange(len(log.entries) + 1) for _ in range(count // 2)]
        instants += [dice.choice(marks).at + 1 for _ in range(count - count // 2)]
        replay = Replay((ran / f"{kind.name}.before").read_bytes(), log)
        for instant in sorted(instants):
            yield Cut(replay.cut(instant, dice), [mark.serial for mark in marks if mark.at < instant])
    finally:
        log.close()


def cut_again_and_again(ran: Path, kind: Kind, scratch: Path, seed: int) -> Result:
    wrong, faults = 0, Counter[Fault]()
    for cut in cuts(ran, kind, CUTS[kind.name], seed):
        found = set(on_disk(cut.disk, scratch, cut.shown))
        wrong += bool(found)
        faults.update(found)
    result = Result(CUTS[kind.name], wrong, faults)
    say.info("%s: %s", kind.name, result)
    return result


def test_K5_no_yes_is_lost_or_doubled_by_a_power_cut(ran: Path, tmp_path: Path) -> None:
    result = cut_again_and_again(ran, OURS, tmp_path, seed=1)
    assert not result.wrong, result


def test_K5_nor_where_the_kernel_itself_mounts_what_is_left(ran: Path, tmp_path: Path) -> None:
    disks, words = [], ["look"]
    left = chain(cuts(ran, OURS, MOUNTED_CUTS, seed=3), cuts(ran, NORMAL, CONTROLS_MOUNTED, seed=3))
    for number, cut in enumerate(left):
        disk = Disk(tmp_path / f"{number}.disk", tmp_path / f"{number}.log")
        disk.image.write_bytes(cut.disk)
        disks.append(disk)
        words.append(str(len(cut.shown)))
    said = run_machine(tmp_path, disks, " ".join(words))
    say.info("mounted by the kernel: %s", "; ".join(said))
    clean = [line.endswith(": nothing") for line in said]
    assert clean[:MOUNTED_CUTS] == [True] * MOUNTED_CUTS, said
    assert len(clean) == len(disks)
    assert not all(clean[MOUNTED_CUTS:]), "who sees nothing wrong with NORMAL sees nothing"


@pytest.mark.parametrize("kind", CONTROLS, ids=lambda kind: kind.name)
def test_a_store_that_is_kept_otherwise_is_found_out(ran: Path, tmp_path: Path, kind: Kind) -> None:
    result = cut_again_and_again(ran, kind, tmp_path, seed=2)
    assert result.faults[Fault.LOST] or result.faults[Fault.DISK], result
