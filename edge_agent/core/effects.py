"""What a unit does, as data. The adapters perform effects after the transaction is on disk, in order."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from edge_agent.core.pages import Page
from edge_agent.core.receipt import TillAnswer
from hal.events import CardPresented
from hal.indicators import Light, Sound
from loyalty.card import Record
from loyalty.card_slots import Found
from loyalty.coupon import Verdict
from loyalty.lease import Amount, Pot
from loyalty.tax import Price


class View(StrEnum):
    """What the display shows."""

    READY = "ready"
    ASKING = "asking"
    VERDICT = "verdict"
    FOREIGN_CARD = "foreign_card"
    KNOWN_CARD = "known_card"
    CARD_WRITING = "card_writing"
    CARD_OFFER = "card_offer"
    CARD_GIVEN = "card_given"
    BASKET = "basket"
    PAID = "paid"
    PAYING = "paying"
    SETTLED = "settled"  # paid by account; its verdict has the coupon that was used, and what it saved
    RELEASED = "released"
    EARNED = "earned"
    SPENT = "spent"
    REVERSED = "reversed"
    PAGE = "page"  # of what the kiosk has for whoever put a card in
    TAKE = "take"  # a coupon: the QR for the phone, or the button
    TAKEN = "taken"
    OUT_OF_SERVICE = "out_of_service"


class Show(msgspec.Struct, frozen=True, kw_only=True):
    view: View
    verdict: Verdict | None = None
    number: int = 0
    """BASKET, PAID, PAYING, SETTLED: yen; REVERSED: yen, 0: the whole sale; EARNED, SPENT: points; TAKEN: 1 yes, 0 no;
    KNOWN_CARD: 1 with pages."""
    detail: str = ""  # views CARD_OFFER: the link; CARD_GIVEN: the member's number
    page: Page | None = None  # views PAGE and TAKE


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


class WriteCard(msgspec.Struct, frozen=True, kw_only=True):
    """Write the card in the slot, read it back, and tell the core what became of it. Its intent is on disk already."""

    id: bytes
    slot: CardPresented
    record: Record  # with the counter that it gets
    before: Found | None  # what it says now; None: nothing of ours


class AskCard(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the centre for a member card on the tag in the slot."""

    question: bytes
    uid: bytes
    chip: str


class AskOffers(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the centre what was picked for this holder. Nothing waits for it: `OffersTold` comes, or does not."""

    question: bytes
    holder: int


class AskPages(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the centre what may be shown to this holder. `PagesTold` comes, or does not."""

    question: bytes
    holder: int
    generation: int


class TakeCoupon(msgspec.Struct, frozen=True, kw_only=True):
    """Take a coupon for this holder. `CouponTaken` comes, or does not; asked twice it is taken once."""

    question: bytes
    holder: int
    generation: int
    campaign: int


class AskKeeper(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the lane of this site that keeps the serial's home. The question is on disk already (`Step.opened`)."""

    keeper: str
    question: bytes
    campaign: int
    serial: int


class AskBank(msgspec.Struct, frozen=True, kw_only=True):
    """Send an AskSettlement. Its question is on disk already (`Step.opened`)."""

    question: bytes
    account: bytes
    lines: tuple[Price, ...]
    points_yen: int
    wait_ms: int
    sale: bytes = b""


class TellTill(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `TillAsks`. What it tells is on disk already."""

    reply: int
    answer: TillAnswer


class SeekPart(msgspec.Struct, frozen=True, kw_only=True):
    """A shopper had to be sent away, or the centre asked, for want of a part: get one soon."""

    pot: Pot
    cost: Amount


class HandOver(msgspec.Struct, frozen=True, kw_only=True):
    """Send a given part to the lane it was given to, until that says it has it."""

    transfer: bytes
    to: str
    pot: Pot
    amount: Amount


class TellTaken(msgspec.Struct, frozen=True, kw_only=True):
    """Tell the giver that its part is on disk here."""

    transfer: bytes
    giver: str


class AnswerHome(msgspec.Struct, frozen=True, kw_only=True):
    """Tell who asked for a serial whether it left. `reason`, `at_ms`, `site`: why not."""

    question: bytes
    device: str
    by_lane: bool
    left: bool
    reason: str = ""
    at_ms: int = 0
    site: str = ""


class ProbeCentre(msgspec.Struct, frozen=True, kw_only=True):
    """Say hello, for the answer's sake."""


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


Effect = (
    Show
    | Signal
    | AskCentre
    | WriteCard
    | AskCard
    | AskOffers
    | AskPages
    | TakeCoupon
    | AskKeeper
    | AskBank
    | TellTill
    | ProbeCentre
    | SeekPart
    | HandOver
    | TellTaken
    | AnswerHome
    | TellHint
    | StartTimer
    | MarkShown
    | KeepFrame
)
