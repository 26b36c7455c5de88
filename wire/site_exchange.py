"""What lanes of one site ask of each other and hand to each other: parts of limits, and serials whose home one keeps.

Kinds beside those of `wire.site_messages`, under its promise: signed, at most once, in order. What a replay can do:
nothing that a first telling did not do. An offer is taken once, by its name, on the taker's disk; a question has one
answer; asking for a part gives one at most while the asker says that it has too little.
"""

from __future__ import annotations

from typing import Final

import msgspec

from loyalty.lease import NOTHING, Amount, Pot
from wire.site_messages import SiteMessage

SEEK_EVERY_MS: Final = 250  # from one lane to the next
SEEK_AGAIN_MS: Final = 5_000  # after all were asked in vain
OFFER_EVERY_MS: Final = 2_000  # an offer is repeated until the other lane says that it has it
OFFERS_AT_ONCE: Final = 20
SEEKING_MAX: Final = 100  # pots


class SeekPart(SiteMessage, tag="seek", frozen=True):
    """To one lane: I have too little of this, and the centre can't be asked."""

    pot: Pot
    amount: Amount


class OfferPart(SiteMessage, tag="offer", frozen=True):
    """To one lane: this part is yours; that I gave it is on my disk."""

    transfer: bytes
    pot: Pot
    amount: Amount


class TookPart(SiteMessage, tag="took", frozen=True):
    """To the giver: that I took it is on my disk."""

    transfer: bytes


class AskHome(SiteMessage, tag="askhome", frozen=True):
    """To the lane that keeps the home: may I decide about this serial?"""

    question: bytes
    campaign: int
    serial: int


class HomeAnswer(SiteMessage, tag="home", frozen=True):
    """To the lane that asked. `reason`, `at_ms`, `site`: why not."""

    question: bytes
    left: bool
    reason: str = ""
    at_ms: int = 0
    site: str = ""


KINDS: Final = (SeekPart, OfferPart, TookPart, AskHome, HomeAnswer)


class Ask(msgspec.Struct, frozen=True):
    """Say `SeekPart` to this lane."""

    device: str
    pot: Pot
    amount: Amount


class Seeking:
    """Which lane to ask next for which part: one after the other, so that not all of them give at once. Sans-I/O."""

    def __init__(self) -> None:
        self._wanted: dict[Pot, Amount] = {}
        self._asked: dict[Pot, set[str]] = {}
        self._again_ms: dict[Pot, int] = {}

    def want(self, pot: Pot, amount: Amount) -> None:
        """There is too little of it here."""
        if len(self._wanted) < SEEKING_MAX:
            self._wanted[pot] = self._wanted.get(pot, NOTHING).most(amount)

    def got(self, pot: Pot) -> None:
        """A part came, or it is not wanted any more."""
        for kept in (self._wanted, self._asked, self._again_ms):
            kept.pop(pot, None)

    def poll(self, lanes: list[str], now_ms: int) -> list[Ask]:
        """Whom to ask now, at most one lane for each pot."""
        asks = []
        for pot, amount in self._wanted.items():
            if now_ms < self._again_ms.get(pot, 0):
                continue
            asked = self._asked.setdefault(pot, set())
            fresh = [lane for lane in lanes if lane not in asked]
            if fresh:
                asked.add(fresh[0])
                asks.append(Ask(fresh[0], pot, amount))
            else:
                asked.clear()
            self._again_ms[pot] = now_ms + (SEEK_EVERY_MS if fresh else SEEK_AGAIN_MS)
        return asks

    def due_ms(self) -> int | None:
        """When `poll` may have something by time alone."""
        return min((self._again_ms.get(pot, 0) for pot in self._wanted), default=None)
