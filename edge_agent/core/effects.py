"""What a unit does, as data. The adapters perform effects after the transaction is on disk, in order."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from hal.indicators import Light, Sound
from loyalty.coupon import Verdict


class View(StrEnum):
    """What the display shows."""

    READY = "ready"
    ASKING = "asking"
    VERDICT = "verdict"
    FOREIGN_CARD = "foreign_card"
    KNOWN_CARD = "known_card"
    BASKET = "basket"
    PAID = "paid"
    RELEASED = "released"
    OUT_OF_SERVICE = "out_of_service"


class Show(msgspec.Struct, frozen=True, kw_only=True):
    view: View
    verdict: Verdict | None = None
    number: int = 0  # views BASKET, PAID: yen
    detail: str = ""


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    light: Light
    sound: Sound
    duration_ms: int


class AskCentre(msgspec.Struct, frozen=True, kw_only=True):
    """Send an Ask. Its question is on disk already (`Step.opened`)."""

    question: bytes
    text: bytes
    spend_yen: int
    wait_ms: int
    format: str = ""  # the symbol that the text stood in


class TellHint(msgspec.Struct, frozen=True, kw_only=True):
    """Tell the redemption of this step at once, so that others refuse early; `index` is its place in `Step.facts`."""

    index: int


class StartTimer(msgspec.Struct, frozen=True, kw_only=True):
    """`TimeUp(id)` comes after this time. A new timer replaces the one before."""

    id: int
    after_ms: int


class MarkShown(msgspec.Struct, frozen=True, kw_only=True):
    """The shopper has seen the yes of these facts: write it down (promise 1).

    `numbers` are positions in the journal; empty: the facts of this step.
    """

    numbers: tuple[int, ...] = ()


class KeepFrame(msgspec.Struct, frozen=True, kw_only=True):
    """A scan was refused: keep its frame, if the shop turned that on."""

    frame: int
    reason: str


Effect = Show | Signal | AskCentre | TellHint | StartTimer | MarkShown | KeepFrame
