"""The write log is read as it was written, and a power cut keeps what it must and no more than it may."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from tests.powercut.cuts import Replay
from tests.powercut.writelog import DISCARD, FLUSH, FUA, MAGIC, SECTOR_BYTES, VERSION, BadLog, WriteLog

BLANK = bytes(8 * SECTOR_BYTES)
CUTS = 3_000


class Request(NamedTuple):
    """A write of sectors filled with one byte, or a flush."""

    sector: int = 0
    fill: bytes = b""
    flags: int = 0


def log_of(path: Path, requests: Sequence[Request], *, count: int | None = None) -> WriteLog:
    """A log as QEMU writes it; `count`: what its head says, if not the truth."""
    head = struct.pack("<QQQI", MAGIC, VERSION, len(requests) if count is None else count, SECTOR_BYTES)
    blocks = [head]
    for sector, fill, flags in requests:
        blocks.append(struct.pack("<QQQQ", sector, len(fill), flags, 0))
        if not flags & DISCARD:
            blocks += [bytes([byte]) * SECTOR_BYTES for byte in fill]
    path.write_bytes(b"".join(block.ljust(SECTOR_BYTES, b"\0") for block in blocks))
    return WriteLog(path)


def disks(log: WriteLog, upto: int) -> set[bytes]:
    """What many cuts leave: one byte for each sector."""
    dice = Random(1)
    made = {Replay(BLANK, log).cut(upto, dice) for _ in range(CUTS)}
    assert all(len(disk) == len(BLANK) for disk in made)
    return {disk[::SECTOR_BYTES] for disk in made}


def test_entries_and_their_data_are_read_as_they_were_written(tmp_path: Path) -> None:
    log = log_of(
        tmp_path / "log", [Request(3, b"ab"), Request(0, b"cc", DISCARD), Request(flags=FLUSH), Request(1, b"d")]
    )
    assert [(entry.at, entry.sector, entry.sectors, entry.is_write, entry.is_flush) for entry in log.entries] == [
        (0, 3, 2, True, False), (1, 0, 2, False, False), (2, 0, 0, False, True), (3, 1, 1, True, False),
    ]  # fmt: skip
    assert log.data(log.entries[0]) == b"a" * SECTOR_BYTES + b"b" * SECTOR_BYTES
    assert log.data(log.entries[3]) == b"d" * SECTOR_BYTES
    log.close()


@pytest.mark.parametrize("count", [3, 1_000])
def test_a_log_that_counts_more_than_it_holds_is_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(BadLog, match="entry 2"):
        log_of(tmp_path / "log", [Request(0, b"a"), Request(flags=FLUSH)], count=count)


def test_an_empty_or_foreign_file_is_no_log(tmp_path: Path) -> None:
    for content in (b"", b"x" * 4096):
        (tmp_path / "log").write_bytes(content)
        with pytest.raises(BadLog):
            WriteLog(tmp_path / "log")


def test_what_was_flushed_stays_and_what_was_not_may_go(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", [Request(0, b"a"), Request(flags=FLUSH), Request(1, b"b"), Request(2, b"c")])
    assert disks(log, 4) == {b"a" + b + c + bytes(5) for b in (b"\0", b"b") for c in (b"\0", b"c")}
    assert disks(log, 2) == {b"a" + bytes(7)}
    assert disks(log, 1) == {bytes(8), b"a" + bytes(7)}
    log.close()


def test_a_write_may_be_torn_between_its_sectors_and_not_within(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", [Request(0, b"abc")])
    assert disks(log, 1) == {
        a + b + c + bytes(5) for a in (b"\0", b"a") for b in (b"\0", b"b") for c in (b"\0", b"c")
    }  # fmt: skip
    log.close()


def test_of_two_writes_to_one_sector_the_older_never_wins_over_the_newer(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", [Request(0, b"a"), Request(flags=FLUSH), Request(0, b"b"), Request(0, b"c", FUA)])
    assert disks(log, 4) == {b"c" + bytes(7)}
    assert disks(log, 3) == {b"a" + bytes(7), b"b" + bytes(7)}
    log.close()
