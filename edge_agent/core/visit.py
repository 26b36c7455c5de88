"""What the core works with: the time of an event, rows about a coupon, a step, what a visit remembers. Pure values."""

from __future__ import annotations

import msgspec

from edge_agent.core.effects import Effect, Show, View
from edge_agent.core.events import OpenQuestion, PaySale, PointsWanted
from edge_agent.core.pages import Page
from edge_agent.core.reach import Reach
from edge_agent.core.receipt import SaleState
from edge_agent.core.states import State
from hal.events import CardPresented, Scanned
from loyalty.basket import Basket, Line
from loyalty.card import Record
from loyalty.card_slots import Found, Kind
from loyalty.coupon import STRANGER, Coupon, Known, Now, Verdict
from loyalty.keys import Key
from loyalty.lease import CAMPAIGN, NOTHING, Amount, Pot
from loyalty.points import EarnRule, Programme
from loyalty.reason import Reason
from wire.facts import Fact, Reversed, Stamp, TimeSource


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The time of one event, as the unit knows it."""

    wall_ms: int
    mono_ms: int
    boot: bytes
    trusted: bool
    error_ms: int = 0
    source: int = TimeSource.UNKNOWN

    @property
    def now(self) -> Now:
        return Now(wall_ms=self.wall_ms, trusted=self.trusted, error_ms=self.error_ms)

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.wall_ms, self.mono_ms, self.boot, self.trusted, self.error_ms, self.source)


class OpenWrite(msgspec.Struct, frozen=True, kw_only=True):
    """A card that was to be written, and that is not known to be."""

    id: bytes
    card: bytes  # keyed hash of its UID
    counter: int  # that it was to get


class CardSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the tag in the slot."""

    card: bytes = b""  # keyed hash of its UID
    kind: Kind = Kind.FOREIGN
    found: Found | None = None  # what it says
    refusal: Reason | None = None  # why it may not speak for its holder
    counter: int = 0  # the highest that was seen on it here
    doubted: tuple[OpenWrite, ...] = ()  # writes of it whose end is not known here

    @property
    def torn(self) -> bool:
        """Whether nothing on it is valid because a write of ours was cut off: this unit knows that it began one."""
        return self.kind in (Kind.BROKEN, Kind.FOREIGN) and bool(self.doubted)

    @property
    def holder(self) -> int:
        """For whom it speaks; 0: for nobody, by its record."""
        return self.found.record.holder if self.found is not None and self.refusal is None else 0


class ProgrammeHere(msgspec.Struct, frozen=True, kw_only=True):
    """Points that this shop knows, and what may be spent of them here without the centre."""

    programme: Programme
    rule: tuple[EarnRule, ...] = ()  # the shop's, oldest first (M4); empty: a purchase earns none
    spendable: int = 0  # within the floors of this unit and of the holder


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A sale that is over, as it is remembered."""

    sale: bytes
    state: SaleState  # PAID or CANCELLED
    payment: bytes = b""
    body: bytes = b""  # the receipt (core.receipt.SaleView), MessagePack


class AtTill(msgspec.Struct, frozen=True, kw_only=True):
    """What is known for the till's sale."""

    ended: Ended | None = None  # it is over
    holder: int = 0  # for whom the card in the slot speaks; 0: there is none, or it speaks for nobody
    programmes: tuple[ProgrammeHere, ...] = ()


class Want(msgspec.Struct, frozen=True):
    """The rows about one coupon, by its numbers or by the unsigned code that stands for it, and about the card beside
    it; or about this unit's part of a limit."""

    coupon: Coupon | None = None
    found_by: str = ""  # a JAN, or the key of a code of the trade
    serial: int = 0  # of a code of the trade
    card: bytes = b""  # the UID of the card in the slot
    pot: Pot | None = None
    transfer: bytes = b""  # with `pot`: was it given or taken before?
    slot: CardPresented | None = None  # a card that was just put in: what is known of it?
    holder: int = 0  # for whom the card in the slot speaks, by its record; STRANGER: it may not speak
    sale: bytes = b""  # the till's: is it over, and what are points worth here?
    reversal: bytes = b""  # a reversal by its id: was it told here before?


class Row(msgspec.Struct, frozen=True):
    """What cache and journal know about what was wanted."""

    known: Known = Known()
    key: Key | None = None
    left: Amount = NOTHING  # of the wanted pot
    transferred: bool = False  # the wanted transfer is known here
    seen: CardSeen | None = None  # the wanted card
    till: AtTill | None = None  # for the wanted sale
    reversed: Reversed | None = None  # the wanted reversal, if this unit told it before


class SpentStep(msgspec.Struct, frozen=True, kw_only=True):
    """A time step of a phone that counted: nothing up to it counts again for this campaign."""

    campaign: int
    phone: bytes
    step: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one event leads to. All but `visit`, `effects` and `verdict` goes to disk in one transaction."""

    visit: Visit
    facts: tuple[Fact, ...] = ()
    spent: tuple[SpentStep, ...] = ()
    ended: Ended | None = None  # the till's sale that is over with this step
    card: tuple[bytes, int] | None = None  # a card (keyed hash of its UID), and the counter that it says
    opened: OpenQuestion | None = None
    closed: tuple[bytes, ...] = ()
    effects: tuple[Effect, ...] = ()
    verdict: Verdict | None = None


class Reserved(msgspec.Struct, frozen=True, kw_only=True):
    """A coupon that counts when the basket is paid."""

    want: Want
    coupon: Coupon
    question: bytes = b""
    leased: Amount | None = None  # what it will take of this unit's part of the limits
    granted: Amount | None = None  # what the centre keeps for it of the limits; None: whatever it costs


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A coupon that waits for its holder's card."""

    event: Scanned
    shown_at: Now


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A moving code that counted, and when: the phone may still be before the camera, and its code moves on."""

    coupon: Coupon
    mono_ms: int


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The question that is open."""

    question: bytes
    want: Want
    coupon: Coupon
    frame: int
    otherwise: Verdict  # what the shopper is told when no answer comes
    asked_ms: int = 0  # monotonic
    by_centre: bool = True  # False: a lane of the site is asked
    granted: Amount | None = None  # what the centre keeps for it, if it says yes; None: whatever it costs

    @property
    def of_centre(self) -> bool:
        """Only the centre decides: its silence says something about it. Else it may wait for others itself."""
        return self.by_centre and self.otherwise.reason is Reason.NOT_NOW


class Paying(msgspec.Struct, frozen=True, kw_only=True):
    """The payment by account that is under way."""

    question: bytes
    price_yen: int
    sale: bytes = b""


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """The sale that the till has open."""

    id: bytes
    lines: tuple[Line, ...] = ()
    paying: PaySale | None = None  # under way: the bank is asked, or the card is written
    failed: tuple[bytes, Reason] | None = None  # the last payment that came to nothing, and why
    last: Verdict | None = None  # what was said of the coupon that was read last


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """The member card in the slot that may speak for its holder."""

    slot: CardPresented
    card: bytes  # keyed hash of its UID
    found: Found

    @property
    def record(self) -> Record:
        return self.found.record


class CardWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A card that the centre was asked for."""

    question: bytes
    slot: CardPresented
    card: bytes


class Writing(msgspec.Struct, frozen=True, kw_only=True):
    """A card that is being written; its intent is on disk."""

    id: bytes
    slot: CardPresented
    card: bytes
    after: Found  # what it says when it is written
    paying: PointsWanted | None = None  # what is handed over when it is written
    number: str = ""  # of the member whose card is given out


class Browsing(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody turns pages."""

    question: bytes  # that the centre was asked; empty: it is out of reach
    pages: tuple[Page, ...]
    at: int = 0
    waits: bool = False  # nothing was shown yet: the centre may say more than the card
    offered: bool = False  # the coupon of this page is on the display to be taken
    taking: bytes = b""  # the question with which it is being taken

    @property
    def page(self) -> Page:
        return self.pages[self.at]


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """All that the machine remembers between events."""

    state: State = State.READY
    reach: Reach
    timer: int = 0  # the newest timer; older ones mean nothing
    asked: Asked | None = None
    paying: Paying | None = None
    basket_yen: int | None = None
    basket: Basket | None = None  # what lies in it, where the till tells
    sale: Sale | None = None  # whose basket it is, where the till speaks over its interface
    card: bytes = b""  # the UID of the card in the slot
    member: Member | None = None  # what it says, where it is a member's and may speak
    refused: bool = False  # it is one of ours that may not speak for anybody
    writing: Writing | None = None
    wanted: CardWanted | None = None  # an empty tag for which a card was asked
    offered: bool = False  # the display shows the QR for it
    browsing: Browsing | None = None
    suspected: bytes = b""  # the card (keyed hash) that was reported last
    pending: Pending | None = None
    counted: Counted | None = None
    reserved: tuple[Reserved, ...] = ()
    blind: bool = False  # the camera is gone: nobody is invited to show a coupon
    lanes: frozenset[str] = frozenset()  # the other lanes of the site that can be reached now

    def promised(self, pot: Pot) -> Amount:
        """How much of this unit's part the coupons in the basket will take."""
        parts = [r.leased for r in self.reserved if r.leased is not None and Pot(CAMPAIGN, r.coupon.campaign) == pot]
        return sum(parts, NOTHING)

    @property
    def card_holder(self) -> int:
        """For whom the card in the slot speaks, by its record; STRANGER: for nobody; 0: its UID may tell."""
        if self.member is not None:
            return self.member.record.holder
        return STRANGER if self.refused else 0

    @property
    def link_up(self) -> bool:
        return self.reach.link

    @property
    def idle(self) -> Show:
        """What an idle display says."""
        return Show(view=View.OUT_OF_SERVICE, detail="camera") if self.blind else Show(view=View.READY)
