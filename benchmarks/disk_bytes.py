"""Bytes written to disk for each redemption, beside the raw transaction: what wears out an SD card.

What the kernel counts as sent to the storage layer (`write_bytes` of /proc/self/io), checkpoints included where the
agent makes them (every `WAL_PAGES_MAX` pages). Stated, not limited: with and without the transaction that writes
down that the shopper saw the yes.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.figures import Limits, Size, given
from benchmarks.lane import Lane
from benchmarks.redemption import Raw
from edge_agent.store.connection import WAL_PAGES_MAX

COUNT: Final = {Size.QUICK: 300, Size.USUAL: 3_000, Size.FULL: 10_000}
PAGE_BYTES: Final = 4120  # of a page and its header in the write-ahead log


def written() -> int:
    """Bytes that this process has caused to be written to disk so far; 0 growth on a disk in memory."""
    for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    raise LookupError("/proc/self/io tells no write_bytes")


def each(count: int, one: Callable[[], None], checkpoint: Callable[[], object]) -> float:
    """Bytes for one of `count`, the last checkpoint included."""
    before = written()
    for _ in range(count):
        one()
    checkpoint()
    return (written() - before) / count


def ours(folder: Path, count: int, *, marked: bool) -> float:
    """Bytes for one redemption of the real store."""
    lane = Lane(folder)
    connection = lane.store.connection
    connection.checkpoint()

    def one() -> None:
        position = lane.redeem(lane.scan())
        if marked:
            lane.store.mark_shown((position,))
        if connection.wal_pages() > WAL_PAGES_MAX:
            connection.checkpoint()

    bytes_each = each(count, one, connection.checkpoint)
    lane.close()
    return bytes_each


def bare(folder: Path, source: Path, count: int) -> float:
    """Bytes for one raw transaction with the rows of the lane in `source`."""
    lane = Lane(source)
    journal = lane.store.connection.rows("SELECT * FROM journal ORDER BY position")
    redemptions = lane.store.connection.rows("SELECT * FROM own ORDER BY position")
    lane.close()
    raw = Raw(folder)
    wal = folder / "store.db-wal"

    def checkpoint() -> None:
        raw.sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    rows = iter(zip(journal, redemptions, strict=True))

    def one() -> None:
        raw.insert(*next(rows))
        if wal.stat().st_size > WAL_PAGES_MAX * PAGE_BYTES:
            checkpoint()

    checkpoint()
    bytes_each = each(count, one, checkpoint)
    raw.sql.close()
    return bytes_each


def measure(folder: Path, count: int) -> Limits:
    """The figures, printed."""
    limits = Limits()
    alone = ours(folder / "ours", count, marked=False)
    marked = ours(folder / "marked", count, marked=True)
    raw = bare(folder / "raw", folder / "ours", count)
    for name, value in (("without", alone), ("with", marked)):
        limits.stated(
            f"bytes written for a redemption, {name} the mark that it was shown",
            f"ours {value:,.0f}, raw {raw:,.0f}, ratio {value / raw if raw else 0:.2f} (mean of {count:,})",
        )
    if not raw:
        print("  this folder does not lie on a disk: choose another one with --folder")
    return limits


def main(arguments: list[str] | None = None) -> int:
    taken = given("Bytes written to disk for each redemption.", arguments)
    with tempfile.TemporaryDirectory(dir=taken.folder) as folder:
        return measure(Path(folder), COUNT[taken.size]).code()


if __name__ == "__main__":
    sys.exit(main())
