"""What can happen to a unit: the events of the parts (`hal.events`) and these."""

from __future__ import annotations

import msgspec

from hal.events import ButtonPressed, CardPresented, CardRemoved, PartFault, PartHealed, Scanned
from loyalty.basket import Basket
from loyalty.reason import Reason


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The agent is up. `open_questions` were asked before it went down; their answers can't be used any more."""

    open_questions: tuple[OpenQuestion, ...] = ()


class OpenQuestion(msgspec.Struct, frozen=True, kw_only=True):
    question: bytes
    campaign: int
    serial: int


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The centre answered a question."""

    question: bytes
    granted: bool
    reason: Reason
    at_ms: int = 0
    site: str = ""


class TimeUp(msgspec.Struct, frozen=True, kw_only=True):
    """A timer that the core had asked for ran out; `id` is the timer's."""

    id: int


class LinkChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The connection to the broker came or went."""

    up: bool


class BasketOpened(msgspec.Struct, frozen=True, kw_only=True):
    """The till opened a basket, or its total changed. Lane mode only."""

    spend_yen: int
    basket: Basket | None = None  # what lies in it, where the till tells


class BasketPaid(msgspec.Struct, frozen=True, kw_only=True):
    """The basket was paid: what was reserved is redeemed."""


class BasketCancelled(msgspec.Struct, frozen=True, kw_only=True):
    """The basket was given up: what was reserved is released."""


class StoreFailed(msgspec.Struct, frozen=True, kw_only=True):
    """The store can't take a fact: disk full, disk failing, file corrupt. Nothing of the last event was kept."""

    detail: str


class StoreRecovered(msgspec.Struct, frozen=True, kw_only=True):
    """The store takes facts again."""


Event = (
    Started
    | Scanned
    | CardPresented
    | CardRemoved
    | ButtonPressed
    | PartFault
    | PartHealed
    | Answered
    | TimeUp
    | LinkChanged
    | BasketOpened
    | BasketPaid
    | BasketCancelled
    | StoreFailed
    | StoreRecovered
)
