"""One redemption, decided and durable, beside a raw SQLite transaction that inserts the same rows.

Ours: the text is read, the rows about it are looked up (cache and own), the signature is checked, the verdict
judged, the fact chained into the journal and the redemption written, one commit. Raw: BEGIN, the same two INSERTs
with ready-made values, COMMIT, by the driver alone: same tables and indices, same pragmas, same disk. In turn.

    ours on top, fsync left out: at most 3 Ed25519 verifications of the same run
    whole, with synchronous=FULL: at most 1.7 times the raw transaction

Writing down that the yes was seen is a second transaction after the shopper has it; its time is stated.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.figures import Limits, Size, given, in_turn, spread, timed_ms
from benchmarks.lane import Lane
from edge_agent.store.connection import PAGE_CACHE_KIB
from loyalty.barcode import Own, own, read

ON_TOP_VERIFICATIONS_MAX: Final = 3.0
WHOLE_RATIO_MAX: Final = 1.7
ROUNDS: Final = {Size.QUICK: 300, Size.USUAL: 3_000, Size.FULL: 10_000}
CHECKPOINT_EVERY: Final = 400  # redemptions; between the turns, on both sides
PRAGMAS: Final = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "wal_autocheckpoint = 0",
    f"cache_size = -{PAGE_CACHE_KIB}",
)


class Raw:
    """A second store, written by the driver alone."""

    def __init__(self, folder: Path) -> None:
        lane = Lane(folder)  # for its tables
        path = lane.store.connection.path
        lane.close()
        self.sql = sqlite3.connect(path, isolation_level=None, cached_statements=256)
        for pragma in PRAGMAS:
            self.sql.execute(f"PRAGMA {pragma}")

    def insert(self, journal: tuple[Any, ...], redemption: tuple[Any, ...]) -> None:
        """One transaction with one row of each table."""
        self.sql.execute("BEGIN IMMEDIATE")
        self.sql.execute("INSERT INTO journal (position, at_ms, hash, body) VALUES (?, ?, ?, ?)", journal)
        self.sql.execute(
            "INSERT INTO own (position, campaign, serial, holder, at_ms, shown, fact, sale) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            redemption,
        )
        self.sql.execute("COMMIT")


class Both:
    """Ours and raw, one redemption at a time, with the same rows; raw is one redemption behind."""

    def __init__(self, folder: Path, synchronous: str) -> None:
        self.lane, self.raw = Lane(folder / "ours"), Raw(folder / "raw")
        self.lane.store.connection.execute(f"PRAGMA synchronous = {synchronous}")
        self.raw.sql.execute(f"PRAGMA synchronous = {synchronous}")
        self._count = 0
        self.lane.redeem(self.lane.scan())

    def turn(self) -> tuple[float, float]:
        """(ours, raw) for one redemption, milliseconds; which of them comes first changes from turn to turn."""
        scan, connection = self.lane.scan(), self.lane.store.connection
        journal = connection.row("SELECT * FROM journal ORDER BY position DESC LIMIT 1")
        redemption = connection.row("SELECT * FROM own ORDER BY position DESC LIMIT 1")
        assert journal is not None
        assert redemption is not None
        ours_ms = raw_ms = 0.0
        for ours in (True, False) if self._count % 2 else (False, True):
            if ours:
                ours_ms = timed_ms(lambda: self.lane.redeem(scan))
            else:
                raw_ms = timed_ms(lambda: self.raw.insert(journal, redemption))
        self._count += 1
        if self._count % CHECKPOINT_EVERY == 0:
            connection.checkpoint()
            self.raw.sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return ours_ms, raw_ms

    def mark(self, position: int) -> float:
        """Write down that the yes at `position` was seen; milliseconds."""
        return timed_ms(lambda: self.lane.store.mark_shown((position,)))

    def close(self) -> None:
        self.lane.close()
        self.raw.sql.close()


def verification(lane: Lane) -> Callable[[], float]:
    """One Ed25519 verification of a coupon (PyNaCl), milliseconds."""
    reading = read(lane.scan().text, "qr")
    assert isinstance(reading, Own)
    public = lane.signing.verify_key.encode()
    return lambda: timed_ms(lambda: own.genuine(reading, public))


def measure(folder: Path, rounds: int) -> Limits:
    """Both figures, printed."""
    limits = Limits()
    both = Both(folder / "off", "OFF")
    pairs: list[tuple[float, float]] = []

    def redeem() -> float:
        pairs.append(both.turn())
        return 0.0

    verify_ms = in_turn(rounds, verification(both.lane), redeem)[0]
    both.close()
    ours_ms, raw_ms = zip(*pairs, strict=True)
    on_top_ms = median(ours_ms) - median(raw_ms)
    limits.at_most(
        "ours on top, fsync left out, in Ed25519 verifications",
        on_top_ms / median(verify_ms),
        ON_TOP_VERIFICATIONS_MAX,
        f"ours {spread(ours_ms)}; raw {spread(raw_ms)}; on top {on_top_ms:.3f} ms; verification {spread(verify_ms)}",
    )
    both = Both(folder / "full", "FULL")
    ours_ms, raw_ms = zip(*(both.turn() for _ in range(rounds)), strict=True)
    marks_ms = [both.mark(position) for position in range(1, rounds + 1)]
    both.close()
    limits.at_most(
        "whole, ours to raw, synchronous=FULL",
        median(ours_ms) / median(raw_ms),
        WHOLE_RATIO_MAX,
        f"ours {spread(ours_ms)}; raw {spread(raw_ms)}",
    )
    limits.stated("'shown' written down afterwards, a transaction of its own", spread(marks_ms))
    return limits


def main(arguments: list[str] | None = None) -> int:
    taken = given("One redemption beside a raw SQLite transaction.", arguments)
    with tempfile.TemporaryDirectory(dir=taken.folder) as folder:
        return measure(Path(folder), ROUNDS[taken.size]).code()


if __name__ == "__main__":
    sys.exit(main())
