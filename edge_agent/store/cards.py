"""What a unit knows of the member card in its slot: what it says, whether it may speak, what was written on it here.

Nothing here opens a transaction. Cards are remembered by the keyed hash of their UID, the newest CARDS_SEEN_MAX and
WRITES_HELD_MAX of them: an older one that comes again is new to this unit, and its counter is learnt anew.
"""

from __future__ import annotations

from typing import Final

from edge_agent.core.visit import CardSeen, OpenWrite
from edge_agent.store.cache import Cache
from edge_agent.store.connection import Connection
from hal.events import CardPresented
from loyalty.card_rules import Valid, refusal
from loyalty.card_slots import Kind, Look, chip_named, look
from wire import sealing
from wire.facts import CardSettled, CardWriting, Fact, Outcome

CARDS_SEEN_MAX: Final = 50_000
WRITES_HELD_MAX: Final = 1_000


class Cards:
    """See the module."""

    def __init__(self, connection: Connection, cache: Cache) -> None:
        self._sql, self._cache = connection, cache

    def seen(self, slot: CardPresented) -> CardSeen:
        """What is known of the card that was put in."""
        cache = self._cache
        card = sealing.card_hash(cache.secret, slot.uid)
        seen = look(slot.record, chip_named(slot.chip), slot.uid, cache.card_keys)
        if seen.kind is Kind.BROKEN and not cache.card_keys:  # nothing was told yet by which ours could be known
            seen = Look(Kind.FOREIGN)
        row = self._sql.row("SELECT counter FROM card_counters WHERE card = ?", (card,))
        valid = Valid(counter=int(row[0]) if row else 0)
        if seen.found is not None:
            holder = seen.found.record.holder
            generation, blocked = cache.valid_card(holder)
            stopped = cache.anything_revoked and cache.revoked(b"", sealing.holder_hash(cache.secret, holder))
            valid = Valid(generation, blocked, stopped, valid.counter)
        return CardSeen(
            card=card,
            kind=seen.kind,
            found=seen.found,
            refusal=refusal(seen, valid),
            counter=valid.counter,
            doubted=self._writes("WHERE card = ? AND doubted = 1", (card,)),
        )

    def note(self, card: bytes, counter: int) -> None:
        """This card says that."""
        self._sql.execute("DELETE FROM card_counters WHERE card = ?", (card,))
        self._sql.execute("INSERT INTO card_counters (card, counter) VALUES (?, ?)", (card, counter))

    def keep(self, fact: Fact) -> None:
        """A fact goes into the journal."""
        if isinstance(fact, CardWriting):
            self._sql.execute(
                "INSERT OR REPLACE INTO card_writes (id, card, counter, doubted) VALUES (?, ?, ?, 0)",
                (fact.id, fact.card, fact.counter),
            )
        elif isinstance(fact, CardSettled) and fact.outcome == Outcome.DOUBT:
            self._sql.execute("UPDATE card_writes SET doubted = 1 WHERE id = ?", (fact.id,))
        elif isinstance(fact, CardSettled):
            self._sql.execute("DELETE FROM card_writes WHERE id = ?", (fact.id,))

    def unfinished(self) -> tuple[OpenWrite, ...]:
        """Writes that nobody has said the end of: the power went meanwhile."""
        return self._writes("WHERE doubted = 0", ())

    def _writes(self, where: str, values: tuple[bytes, ...]) -> tuple[OpenWrite, ...]:
        rows = self._sql.rows(f"SELECT id, card, counter FROM card_writes {where} ORDER BY number", values)  # noqa: S608
        return tuple(OpenWrite(id=id, card=card, counter=counter) for id, card, counter in rows)

    def tidy(self, rows_max: int) -> None:
        """Let go of the oldest beyond what is held."""
        for table, held in (("card_counters", CARDS_SEEN_MAX), ("card_writes", WRITES_HELD_MAX)):
            row = self._sql.row(f"SELECT count(*) FROM {table}")  # noqa: S608
            surplus = min(rows_max, (row[0] if row else 0) - held)
            if surplus > 0:
                self._sql.execute(
                    f"DELETE FROM {table} WHERE number IN (SELECT number FROM {table} ORDER BY number LIMIT ?)",  # noqa: S608
                    (surplus,),
                )
