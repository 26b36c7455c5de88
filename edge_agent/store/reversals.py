"""Sales that this unit's till took back: which reversals it told, and which of its own redemptions count no more.

What a reversal changes here changes with its fact, in the fact's own transaction. Only the whole sale taken back gives
its coupons back, and only what this unit's own journal still knows; a part, and what another lane sold, is settled by
the centre. What was taken of this unit's part of a limit stays taken: the centre puts it back into the pot.

A redemption that was given back is kept by name, so that neither what the centre told of it before it heard of the
reversal, nor what another lane retells, refuses the coupon here. The name is forgotten with the fact's place in the
journal. Opens no transaction.
"""

from __future__ import annotations

from edge_agent.store.connection import Connection
from wire.facts import Reversed, decode_fact


class Reversals:
    """See the module."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def told(self, id: bytes) -> Reversed | None:
        """The reversal that this unit told under that id before."""
        row = self._sql.row("SELECT body FROM reversals WHERE id = ?", (id,))
        if row is None:
            return None
        fact = decode_fact(row[0])
        assert isinstance(fact, Reversed), "reversals are kept alone"
        return fact

    def keep(self, position: int, fact: Reversed, body: bytes) -> None:
        """A reversal has been appended to the journal at that position."""
        self._sql.execute("INSERT OR IGNORE INTO reversals VALUES (?, ?, ?)", (position, fact.id, body))
        if fact.yen:
            return  # of a part no coupon comes back
        self._sql.execute(
            "INSERT OR IGNORE INTO given_back SELECT fact, position FROM own WHERE sale = ? AND sale <> x''",
            (fact.sale,),
        )
        self._sql.execute("DELETE FROM own WHERE sale = ? AND sale <> x''", (fact.sale,))

    def carried(self, old: int, new: int, fact: bytes) -> None:
        """A fact was carried into another epoch: it has a new place and a new name; its old name is given back, too."""
        self._sql.execute("UPDATE reversals SET position = ? WHERE position = ?", (new, old))
        self._sql.execute(
            "INSERT OR IGNORE INTO given_back SELECT ?, ? FROM given_back WHERE position = ? LIMIT 1", (fact, new, old)
        )

    def tidy(self, rows_max: int) -> None:
        """Forget what the journal has forgotten."""
        for table, key in (("reversals", "position"), ("given_back", "fact")):
            self._sql.execute(
                f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE position <"  # noqa: S608
                " (SELECT coalesce(min(position), 0) FROM journal) ORDER BY position LIMIT ?)",
                (rows_max,),
            )
