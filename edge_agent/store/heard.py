"""What the other lanes of the site told this one, and what this one tells them. Opens no transaction.

A row is what another lane says it redeemed: looked up beside our own facts and what the centre told, kept until
the centre has told the same fact, for at most `KEPT_MS` by a trusted clock, and at most `ROWS_MAX` of them (then
the oldest go). Snapshots leave the rows alone: the centre's state may be older than what stands here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edge_agent.store.cache import Cache
from edge_agent.store.connection import Connection
from edge_agent.store.journal import Journal
from wire import sealing
from wire.facts import EpochOpened, Fact, Redeemed, decode_fact
from wire.site_messages import MARKS_MAX, RUN_FACTS_MAX, RUN_SPENT_MAX, Mark, Run, Span, Spent

ROWS_MAX: Final = 200_000
KEPT_MS: Final = 30 * 86_400_000
TIDY_ROWS_MAX: Final = 500


class Heard:
    """See the module."""

    def __init__(self, connection: Connection, cache: Cache, journal: Journal, device: str) -> None:
        self._sql, self._cache, self._journal, self._device = connection, cache, journal, device
        self._swept = 0  # the row up to which the last tidying has looked
        self._spans: list[Span] = []
        self._spans_of = 0  # the version of the journal that they were read from; 0: of none
        self.reload()

    # --- look-ups -------------------------------------------------------------------------------------

    def reload(self) -> None:
        """A transaction was rolled back."""
        self._any: bool | None = None

    @property
    def anything(self) -> bool:
        """Whether other lanes told of any redemption that the centre has not told yet; asked once until it changes."""
        if self._any is None:
            self._any = self._sql.row("SELECT 1 FROM heard LIMIT 1") is not None
        return self._any

    def at_ms(self, serial: bytes) -> int | None:
        """When another lane redeemed the coupon with this keyed hash; None: nobody said so."""
        if not self.anything:
            return None
        row = self._sql.row("SELECT at_ms FROM heard WHERE serial = ? AND serial <> x'' LIMIT 1", (serial,))
        return None if row is None else int(row[0])

    def facts_of_holder(self, campaign: int, holder: bytes, at_most: int) -> list[bytes]:
        if not self.anything:
            return []
        rows = self._sql.rows(
            "SELECT DISTINCT fact FROM heard WHERE holder = ? AND campaign = ? AND holder <> x'' LIMIT ?",
            (holder, campaign, at_most),
        )
        return [row[0] for row in rows]

    # --- what others tell -----------------------------------------------------------------------------

    def marks(self) -> dict[str, list[Mark]]:
        """How far each lane was seen, its oldest epoch first."""
        out: dict[str, list[Mark]] = {}
        for device, epoch, number, hash_after in self._sql.rows(
            "SELECT device, epoch, number, hash FROM marks ORDER BY id"
        ):
            out.setdefault(device, []).append(Mark(device, epoch, number, hash_after))
        return out

    def keep(self, device: str, run: Run, *, mark: bool, wall_ms: int) -> None:
        """Write down what a lane told. `mark`: and that it was seen so far."""
        self._any = None
        names = sealing.FactNames(device, run.epoch)
        for spent in run.spent:
            if spent.serial or spent.holder:  # nothing looks for what has neither
                self._keep(device, names.of(spent.number), spent, wall_ms)
        if mark:
            self._sql.execute(
                "INSERT INTO marks (device, epoch, number, hash) VALUES (?, ?, ?, ?) ON CONFLICT (device, epoch)"
                " DO UPDATE SET number = excluded.number, hash = excluded.hash",
                (device, run.epoch, run.upto, run.hash),
            )
            self._sql.execute(
                "DELETE FROM marks WHERE device = ? AND id NOT IN"
                " (SELECT id FROM marks WHERE device = ? ORDER BY id DESC LIMIT ?)",
                (device, device, MARKS_MAX),
            )

    def _keep(self, device: str, fact: bytes, spent: Spent, wall_ms: int) -> None:
        if self._sql.row("SELECT 1 FROM taken_back WHERE fact = ?", (fact,)) is not None:
            return
        if self._cache.told(spent.serial or fact, fact):
            return
        # A fact that its lane carried into a new epoch has a new name: it must not count twice for its person.
        where = "serial = ? AND serial <> x''" if spent.serial else "holder = ? AND holder <> x'' AND serial = x''"
        self._sql.execute(
            f"DELETE FROM heard WHERE {where} AND device = ? AND campaign = ? AND at_ms = ? AND fact <> ?",  # noqa: S608
            (spent.serial or spent.holder, device, spent.campaign, spent.at_ms, fact),
        )
        self._sql.execute(
            "INSERT OR IGNORE INTO heard (fact, device, campaign, serial, holder, at_ms, kept_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (fact, device, spent.campaign, spent.serial, spent.holder, spent.at_ms, wall_ms),
        )

    def tidy(self, wall_ms: int | None) -> None:
        """Let go, a little at a time, of what the centre has told or what is too old or too much.

        `wall_ms`: None while the clock can't be trusted; nothing goes for its age then.
        """
        self._any = None
        rows = self._sql.rows(
            "SELECT id, fact, serial FROM heard WHERE id > ? ORDER BY id LIMIT ?", (self._swept, TIDY_ROWS_MAX)
        )
        for number, fact, serial in rows:
            if self._cache.told(serial or fact, fact):
                self._sql.execute("DELETE FROM heard WHERE id = ?", (number,))
        self._swept = rows[-1][0] if len(rows) == TIDY_ROWS_MAX else 0
        if wall_ms is not None:
            self._sql.execute(
                "DELETE FROM heard WHERE id IN (SELECT id FROM heard ORDER BY id LIMIT ?) AND kept_ms < ?",
                (TIDY_ROWS_MAX, wall_ms - KEPT_MS),
            )
        self._sql.execute("DELETE FROM heard WHERE id <= (SELECT max(id) FROM heard) - ?", (ROWS_MAX,))

    # --- what we tell ---------------------------------------------------------------------------------

    def spans(self) -> list[Span]:
        """Our retained epochs, oldest first; the last one is open. Read again when the journal has changed:
        every word of every other lane is held against it."""
        if self._spans_of != self._journal.version:
            self._spans = [
                Span(state.epoch, self._journal.oldest(state.epoch), state.last, self._hash(state.epoch, state.last))
                for state in self._journal.epochs()
            ]
            self._spans_of = self._journal.version
        return self._spans

    def hash_at(self, epoch: bytes, number: int) -> bytes | None:
        return self._journal.hash_at(epoch, number)

    def _hash(self, epoch: bytes, number: int) -> bytes:
        return self._journal.hash_at(epoch, number) or b""

    def run_of(self, position: int, facts: Sequence[Fact]) -> Run:
        """What was just appended at `position`, for all."""
        journal = self._journal
        first = journal.number(position)
        spent = [
            told for number, fact in enumerate(facts, start=first) if (told := self._told(number, fact)) is not None
        ]
        last = first + len(facts) - 1
        before, after = self._hash(journal.epoch, first - 1), self._hash(journal.epoch, last)
        return Run(journal.epoch, first - 1, before, last, after, spent)

    def run_after(self, epoch: bytes, after: int) -> Run | None:
        """What follows after this number, as much as one run holds; None where that is nothing."""
        span = next((span for span in self.spans() if span.epoch == epoch), None)
        if span is None or after >= span.last:
            return None
        after = max(after, span.oldest - 1)
        upto, spent = after, list[Spent]()
        names = sealing.FactNames(self._device, epoch)
        for number, body in self._journal.bodies(epoch, after + 1, RUN_FACTS_MAX):
            told = self._told(number, decode_fact(body))
            if told is not None and self._is_taken_back(names.of(number)):
                told = None
            if told is not None:
                spent.append(told)
            upto = number
            if len(spent) >= RUN_SPENT_MAX:
                break
        return Run(epoch, after, self._hash(epoch, after), upto, self._hash(epoch, upto), spent, span.oldest)

    def _is_taken_back(self, fact: bytes) -> bool:
        """Whether the centre took it back, or this unit gave it back with its sale."""
        query = "SELECT 1 FROM taken_back WHERE fact = ?1 UNION ALL SELECT 1 FROM given_back WHERE fact = ?1"
        return self._sql.row(query, (fact,)) is not None

    def _told(self, number: int, fact: Fact) -> Spent | None:
        """What of a fact the other lanes must know."""
        if not isinstance(fact, Redeemed):
            return None
        secret = self._cache.secret
        serial = sealing.serial_hash(secret, fact.campaign, fact.serial) if fact.serial else b""
        holder = sealing.holder_hash(secret, fact.holder) if fact.holder else b""
        return Spent(number, fact.campaign, serial, holder, fact.at.wall_ms)

    # --- is this disk an old image? -------------------------------------------------------------------

    def knows(self, epoch: bytes) -> bool:
        """Whether this epoch was ever ours, as far as this disk knows."""
        return self._sql.row("SELECT 1 FROM my_epochs WHERE epoch = ?", (epoch,)) is not None

    def remember_epochs(self) -> None:
        """Write down which epochs are ours, and which went before them, while they are retained."""
        found = []
        for state in self._journal.epochs():
            found.append(state.epoch)
            for _, body in self._journal.bodies(state.epoch, 1, 1):
                opened = decode_fact(body)
                if isinstance(opened, EpochOpened) and opened.previous:
                    found.append(opened.previous)
        self._sql.executemany("INSERT OR IGNORE INTO my_epochs VALUES (?)", [(epoch,) for epoch in found])

    def note_disk_is_old(self, witness: str, epoch: bytes, number: int) -> None:
        """A lane has seen more of us than this disk knows; holds until a new epoch is opened."""
        self._cache.set_meta("disk_is_old", self._journal.epoch)
        self._cache.set_meta("disk_is_old_by", f"{witness} has seen {number} of {epoch.hex()}")
        self._sql.execute("INSERT OR IGNORE INTO my_epochs VALUES (?)", (epoch,))

    @property
    def disk_is_old(self) -> bool:
        return bool(self._cache.meta("disk_is_old", b"") == self._journal.epoch)
