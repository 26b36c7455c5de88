"""A transfer that is being made, the account that it concerns, and what becomes of it: done, known, or refused."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final, NamedTuple

from central.ledger.chart import Key
from central.ledger.lots import Lot, Move

NAME_BYTES: Final = 16
CONTENT_BYTES: Final = 16
AMOUNT_MAX: Final = 2**53


class State(StrEnum):
    """What the postings of a transfer do. A transfer keeps its state; another one settles it."""

    POSTED = "posted"
    PENDING = "pending"  # what it takes is held until another transfer settles it; nothing has moved


class Refusal(StrEnum):
    """Why a transfer is not made."""

    OTHER_CONTENT = "other_content"  # its name stands for another one
    UNKNOWN = "unknown"  # what it is about is not booked
    BALANCE = "balance"  # there are not enough points that count
    NOT_TRANSFERABLE = "not_transferable"  # the programme's points stay with whom they were given to (P16)
    NO_PROGRAMME = "no_programme"
    NO_RATE = "no_rate"  # the programme has no price for this
    AMOUNT = "amount"  # not a number of points (or yen) that can be moved
    SETTLED = "settled"  # posted or voided before
    TOO_MUCH = "too_much"  # more than is left to take back
    SAME_PERSON = "same_person"


class Refused(NamedTuple):
    """Nothing was booked."""

    reason: Refusal
    detail: str = ""


class Booked(NamedTuple):
    """It is booked: now, or it was before (`repeated`)."""

    transfer: int
    repeated: bool = False


Outcome = Booked | Refused


class Unbalanced(AssertionError):
    """A transfer that does not sum to zero: a fault of ours. Nothing is written."""


class Account:
    """One account in memory."""

    __slots__ = ("balance", "balance_change", "held", "held_change", "id", "key", "lots")

    def __init__(self, key: Key, number: int = 0, balance: int = 0, held: int = 0) -> None:
        self.key, self.id = key, number
        self.balance, self.held = balance, held
        self.balance_change = self.held_change = 0
        self.lots: list[Lot] | None = None  # None: not read

    @property
    def available(self) -> int:
        return self.balance - self.held

    @property
    def debt(self) -> int:
        """What the next points that come pay back first."""
        return max(0, -self.available)


class Draft:
    """A transfer that is being made."""

    __slots__ = (
        "about",
        "at_ms",
        "content",
        "id",
        "kind",
        "legs",
        "lots",
        "moves",
        "name",
        "programme",
        "settles",
        "state",
    )

    def __init__(self, name: bytes, kind: str, programme: int, at_ms: int, content: bytes, state: State) -> None:
        self.name, self.kind, self.programme, self.at_ms = name, kind, programme, at_ms
        self.content, self.state = content, state
        self.about: int | None = None
        self.settles: int | None = None
        self.id = 0
        self.legs: dict[Key, int] = {}
        self.lots: list[tuple[Account, Lot]] = []
        self.moves: dict[Lot, tuple[int, int]] = {}


class Took(NamedTuple):
    """What was taken of somebody's lots."""

    points: int
    yen: int
    missing: int
    ended: int  # of the points: those that had ended
    moves: list[Move]


def content_of(*what: object) -> bytes:
    """The digest of what was asked. The parts are told apart by their form as Python writes it."""
    return hashlib.blake2b(repr(what).encode(), digest_size=CONTENT_BYTES).digest()


def check(draft: Draft) -> None:
    """Raises Unbalanced."""
    if len(draft.legs) == 2:  # nearly all of them
        (one, given), (other, taken) = draft.legs.items()
        if not given + taken and abs(given) <= AMOUNT_MAX and one.unit == other.unit:
            return
    sums: dict[int, int] = {}
    for key, amount in draft.legs.items():
        if abs(amount) > AMOUNT_MAX:
            raise Unbalanced(f"{draft.kind} {draft.name.hex()}: {amount} can't be posted to {key.words()}")
        sums[key.unit] = sums.get(key.unit, 0) + amount
    wrong = {unit: total for unit, total in sums.items() if total}
    if wrong:
        raise Unbalanced(f"{draft.kind} {draft.name.hex()} does not sum to zero: {wrong}")
