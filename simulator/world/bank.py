"""The bank in the world: the sandbox's own books, and a line to them on which questions and answers are lost.

The bank outlives everything: no restore of the centre's database takes back what it did. Nobody waits in a world of one
thread, so a bank that is too slow is one whose answer is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from central.bank.adapter import BankSilent, BankUnreached, Decline, Outcome, Said
from simulator.bank.ledger import Conflict, Entry, Ledger

KINDS: Final = ("bank-unreached", "bank-unheard", "bank-silent", "bank-twice", "no-funds")
SHARES: Final = (0.0, 0.03, 0.15, 0.4)


class Line(NamedTuple):
    """What share of calls goes wrong, and how."""

    unreached: float = 0.0  # nothing is sent, and the centre knows it
    unheard: float = 0.0  # the question is lost
    silent: float = 0.0  # it is done, and the answer is lost
    twice: float = 0.0  # the question arrives twice


def drawn(rng: Random, without: tuple[str, ...]) -> Line:
    """A line as a life has it."""
    shares = [0.0 if kind in without else rng.choice(SHARES) for kind in KINDS[:4]]
    return Line(*shares)


class WorldBank:
    """A bank (`central.bank.adapter.Bank`). `fired` is told each kind of trouble that really happened."""

    def __init__(self, rng: Random, fired: Callable[[str], None]) -> None:
        self._rng, self._fired = rng, fired
        self.books = Ledger(Path(":memory:"))
        self.line = Line()

    def debit(self, payment: bytes, account: str, amount_yen: int, limit_ms: int) -> Said:
        return self._ask(lambda: self.books.debit(payment.hex(), account, amount_yen))

    def status(self, payment: bytes, limit_ms: int) -> Said:
        return self._ask(lambda: self.books.status(payment.hex()))

    def reverse(self, payment: bytes, limit_ms: int) -> Said:
        return self._ask(lambda: self.books.reverse(payment.hex()))

    def _ask(self, work: Callable[[], Entry]) -> Said:
        if self._strikes("bank-unreached", self.line.unreached):
            raise BankUnreached("is not there")
        if self._strikes("bank-unheard", self.line.unheard):
            raise BankSilent("says nothing")
        try:
            entry = work()
            if self._strikes("bank-twice", self.line.twice):
                entry = work()
        except Conflict as error:
            raise BankSilent("was asked for something else under this id") from error
        if entry.decline == Decline.FUNDS:
            self._fired("no-funds")
        if self._strikes("bank-silent", self.line.silent):
            raise BankSilent("says nothing")
        return Said(Outcome(entry.outcome), Decline(entry.decline) if entry.decline else None)

    def _strikes(self, kind: str, share: float) -> bool:
        if self._rng.random() >= share:
            return False
        self._fired(kind)
        return True

    def movements(self) -> tuple[tuple[str, int], ...]:
        """The id and the yen of every movement on an account, in their order."""
        moved = self.books.books()["movements"]
        assert isinstance(moved, list)
        return tuple((payment, yen) for payment, _, yen in moved)
