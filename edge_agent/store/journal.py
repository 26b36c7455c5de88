"""The journal: an append-only table of facts, numbered without gaps, hash-chained, and the outbox at once.

Nothing here opens a transaction: the caller does. `Journal` keeps the end of the open epoch in memory; a
rolled-back transaction must be followed by `reload`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from edge_agent.store.connection import Connection, StoreCorrupt
from edge_agent.store.reversals import Reversals
from wire import chain, sealing
from wire.facts import EpochOpened, Fact, Redeemed, Reversed, Stamp, encode_fact
from wire.uplink import EpochState

BATCH_FACTS_MAX: Final = 1_000
BATCH_BYTES_MAX: Final = 60 * 1024  # of facts, so that the whole packet stays below 64 KiB
FACT_OVERHEAD_BYTES: Final = 5  # of MessagePack for each fact in a batch, at most
_COPY_ROWS: Final = 1_000
_MAX_INT64: Final = 1 << 63


class Rows(msgspec.Struct, frozen=True):
    """A run of facts, ready for a batch."""

    epoch: bytes
    first: int
    before: bytes
    after: bytes
    facts: list[bytes]

    @property
    def last(self) -> int:
        return self.first + len(self.facts) - 1


class Journal:
    """See the module."""

    def __init__(self, connection: Connection, device: str) -> None:
        self._sql, self._device = connection, device
        self._reversals = Reversals(connection)
        self.epoch = b""
        self._base = self._position = 0
        self._hash = b""
        self.version = 0  # grows with each change of what is retained
        self.reload()

    def reload(self) -> None:
        """Read the end of the open epoch again."""
        self.version += 1
        row = self._sql.row("SELECT epoch, base FROM epochs WHERE last IS NULL ORDER BY id DESC LIMIT 1")
        if row is None:
            return
        self.epoch, self._base = row
        row = self._sql.row("SELECT position, hash FROM journal ORDER BY position DESC LIMIT 1")
        if row is not None and row[0] > self._base:
            self._position, self._hash = row
        else:
            self._position, self._hash = self._base, chain.genesis(self._device, self.epoch)

    @property
    def last(self) -> int:
        """The number of the open epoch's last fact."""
        return self._position - self._base

    @property
    def position(self) -> int:
        """The position of the last fact."""
        return self._position

    def start(self, epoch: bytes) -> None:
        """Open the first epoch of a new store."""
        self._sql.execute("INSERT INTO epochs (epoch, base, acked, incarnation) VALUES (?, 0, 0, x'')", (epoch,))
        self.reload()

    def append(self, facts: Sequence[Fact], *, shown: bool = False) -> int:
        """Append; returns the position of the first one. `shown`: the shopper has seen the yes of these already."""
        first = self._position + 1
        for fact in facts:
            body = encode_fact(fact)
            self._append(body, fact.at.wall_ms)
            if isinstance(fact, Redeemed):
                self._sql.execute(
                    "INSERT INTO own (position, campaign, serial, holder, at_ms, shown, fact, sale)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        self._position, fact.campaign, signed64(fact.serial), fact.holder, fact.at.wall_ms,
                        shown, self.fact_id(self._position), fact.sale,
                    ),
                )  # fmt: skip
            elif isinstance(fact, Reversed):
                self._reversals.keep(self._position, fact, body)
        return first

    def _append(self, body: bytes, at_ms: int) -> None:
        self._position += 1
        self.version += 1
        self._hash = chain.link(self._hash, body)
        self._sql.execute(
            "INSERT INTO journal (position, at_ms, hash, body) VALUES (?, ?, ?, ?)",
            (self._position, at_ms, self._hash, body),
        )

    def fact_id(self, position: int) -> bytes:
        """The name of a fact of the open epoch in the feed."""
        return sealing.fact_id(self._device, self.epoch, position - self._base)

    def number(self, position: int) -> int:
        """The number, in the open epoch, of the fact at a position."""
        return position - self._base

    # --- what waits, and what is booked ---------------------------------------------------------------

    def epochs(self) -> list[EpochState]:
        """All retained epochs, oldest first."""
        return [
            EpochState(epoch=epoch, last=self.last if last is None else last, acked=acked, incarnation=incarnation)
            for epoch, last, acked, incarnation in self._sql.rows(
                "SELECT epoch, last, acked, incarnation FROM epochs ORDER BY id"
            )
        ]

    def batch(self, epoch: bytes, first: int) -> Rows | None:
        """Facts of `epoch` from `first` on, as many as fit into one packet; None when there are none."""
        base, last = self._span(epoch)
        before = self.hash_at(epoch, first - 1)
        if before is None:
            raise StoreCorrupt(f"the journal lacks the fact before number {first}")
        facts: list[bytes] = []
        size, after = 0, before
        rows = self._sql.execute(
            "SELECT position, hash, body FROM journal WHERE position >= ? AND position <= ? ORDER BY position LIMIT ?",
            (base + first, base + last, BATCH_FACTS_MAX),
        )
        for position, hash_after, body in rows:
            if position != base + first + len(facts):
                raise StoreCorrupt(f"the journal has a gap before position {position}")
            size += len(body) + FACT_OVERHEAD_BYTES
            if facts and size > BATCH_BYTES_MAX:
                break
            facts.append(body)
            after = hash_after
        return Rows(epoch, first, before, after, facts) if facts else None

    def bodies(self, epoch: bytes, first: int, at_most: int) -> list[tuple[int, bytes]]:
        """(number, fact) of `epoch` from `first` on, as far as retained."""
        base, last = self._span(epoch)
        return [
            (position - base, body)
            for position, body in self._sql.rows(
                "SELECT position, body FROM journal WHERE position >= ? AND position <= ? ORDER BY position LIMIT ?",
                (base + first, base + last, at_most),
            )
        ]

    def hash_at(self, epoch: bytes, number: int) -> bytes | None:
        """The chain's hash after `number`; None when that fact is not retained."""
        base, last = self._span(epoch)
        if number == 0:
            return chain.genesis(self._device, epoch)
        if not 0 < number <= last:
            return None
        if epoch == self.epoch and number == last:
            return self._hash
        row = self._sql.row("SELECT hash FROM journal WHERE position = ?", (base + number,))
        return row[0] if row else None

    def oldest(self, epoch: bytes) -> int:
        """The lowest number that is retained; last + 1 when none is."""
        base, last = self._span(epoch)
        row = self._sql.row(
            "SELECT min(position) FROM journal WHERE position > ? AND position <= ?", (base, base + last)
        )
        return int(row[0]) - base if row and row[0] is not None else last + 1

    def _span(self, epoch: bytes) -> tuple[int, int]:
        if epoch == self.epoch:
            return self._base, self.last
        row = self._sql.row("SELECT base, last FROM epochs WHERE epoch = ?", (epoch,))
        if row is None:
            raise KeyError(f"no epoch {epoch.hex()} in this journal")
        return row[0], row[1]

    def advance(self, epoch: bytes, upto: int, incarnation: bytes) -> None:
        """Write the cursor."""
        self._sql.execute("UPDATE epochs SET acked = ?, incarnation = ? WHERE epoch = ?", (upto, incarnation, epoch))

    def open_epoch(self, previous: bytes, after: int, new: bytes, reason: str, at: Stamp, detail: str = "") -> None:
        """Close `previous` at `after`; what it held beyond that follows under `new`, which begins by saying so."""
        self.version += 1
        base, last = self._span(previous)
        carried = last - after
        if previous != self.epoch:  # a closed epoch is cut; the open one ends here
            self._sql.execute("UPDATE epochs SET last = ? WHERE epoch = ?", (self.last, self.epoch))
        self._sql.execute("UPDATE epochs SET last = ?, acked = min(acked, ?) WHERE epoch = ?", (after, after, previous))
        start = self._position
        self._sql.execute("INSERT INTO epochs (epoch, base, acked, incarnation) VALUES (?, ?, 0, x'')", (new, start))
        self.epoch, self._base, self._hash = new, start, chain.genesis(self._device, new)
        opened = EpochOpened(at, reason, previous, after, carried, detail)
        self._append(encode_fact(opened), at.wall_ms)
        low, high = base + after, base + last
        while low < high:
            rows = self._sql.rows(
                "SELECT position, at_ms, body FROM journal WHERE position > ? AND position <= ?"
                " ORDER BY position LIMIT ?",
                (low, high, _COPY_ROWS),
            )
            if not rows:
                break
            for old, at_ms, body in rows:
                self._append(body, at_ms)
                self._sql.execute(
                    "UPDATE own SET position = ?, fact = ? WHERE position = ?",
                    (self._position, self.fact_id(self._position), old),
                )
                self._reversals.carried(old, self._position, self.fact_id(self._position))
            low = rows[-1][0]
        self._sql.execute("DELETE FROM journal WHERE position > ? AND position <= ?", (base + after, high))

    def prune(self, upto: int, keep_facts: int, rows_max: int) -> int:
        """Delete acknowledged facts up to the position `upto`, but never the newest `keep_facts`.

        Returns how many went; at most `rows_max` at a time, so that no scan waits for it.
        """
        gone, self.version = 0, self.version + 1
        for epoch, base, last, acked in self._sql.rows("SELECT epoch, base, last, acked FROM epochs ORDER BY id"):
            # The newest booked fact stays: its hash is where the next batch begins.
            ceiling = min(base + acked - 1, self._position - keep_facts, upto)
            cursor = self._sql.execute(
                "DELETE FROM journal WHERE position IN (SELECT position FROM journal"
                " WHERE position > ? AND position <= ? ORDER BY position LIMIT ?)",
                (base, ceiling, rows_max - gone),
            )
            gone += cursor.rowcount
            if gone >= rows_max or last is None or acked < last:
                break  # younger epochs wait their turn
            if self.oldest(epoch) >= last:  # all but the newest fact went: nothing of it is needed any more
                self._sql.execute("DELETE FROM journal WHERE position > ? AND position <= ?", (base, base + last))
                self._sql.execute("DELETE FROM epochs WHERE epoch = ?", (epoch,))
        return gone


def signed64(value: int) -> int:
    """An unsigned 64-bit number as SQLite's signed one."""
    return value - (1 << 64) if value >= _MAX_INT64 else value


def unsigned64(value: int) -> int:
    return value + (1 << 64) if value < 0 else value
