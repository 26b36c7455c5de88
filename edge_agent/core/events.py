"""What can happen to a unit: the events of the parts (`hal.events`) and these."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from edge_agent.core.pages import Page
from hal.events import ButtonPressed, CardPresented, CardRemoved, PartFault, PartHealed, Scanned
from loyalty.basket import Basket, Line
from loyalty.lease import Amount, Pot
from loyalty.reason import Reason
from loyalty.tax import Part, Price
from wire.facts import Outcome
from wire.messages import Settled


class Tender(StrEnum):
    """What a sale is paid with, beside coupons and points."""

    CASH = "cash"
    OTHER = "other"  # a card, a phone: the till's own business
    ACCOUNT = "account"  # from a bank account, through the centre (B2)


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The agent is up. `open_questions` were asked before it went down; their answers can't be used any more."""

    open_questions: tuple[OpenQuestion, ...] = ()
    unfinished_cards: tuple[bytes, ...] = ()  # writes whose end nobody saw


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


class CardWritten(msgspec.Struct, frozen=True, kw_only=True):
    """A write of a card that the core had asked for has ended."""

    id: bytes
    outcome: Outcome


class CardOffered(msgspec.Struct, frozen=True, kw_only=True):
    """The centre says where the person goes on for their card, on their phone."""

    question: bytes
    link: str
    life_ms: int


class CardGranted(msgspec.Struct, frozen=True, kw_only=True):
    """The centre says whose card it is to be. Told until the unit has said what became of it."""

    question: bytes
    holder: int
    generation: int
    number: str
    balances: tuple[tuple[int, int], ...] = ()  # (programme, points), last used first


class CardDenied(msgspec.Struct, frozen=True, kw_only=True):
    """The centre gives out no card on that tag."""

    question: bytes


class TimeUp(msgspec.Struct, frozen=True, kw_only=True):
    """A timer that the core had asked for ran out; `id` is the timer's."""

    id: int


class LinkChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The connection to the broker came or went."""

    up: bool


class LanesChanged(msgspec.Struct, frozen=True, kw_only=True):
    """Other lanes of the site came or went, on the site's own network."""

    lanes: frozenset[str]


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """The centre answered a hello or a batch, after so long: evidence for `reach`."""

    took_ms: int


class Missed(msgspec.Struct, frozen=True, kw_only=True):
    """It did not, within the limit."""


class Stirred(msgspec.Struct, frozen=True, kw_only=True):
    """The centre said something that says nothing about how fast it answers."""


class ProbeDue(msgspec.Struct, frozen=True, kw_only=True):
    """It is time to ask whether the centre is there."""


class BasketOpened(msgspec.Struct, frozen=True, kw_only=True):
    """The till opened a basket, or its total changed. Lane mode only."""

    spend_yen: int
    basket: Basket | None = None  # what lies in it, where the till tells


class BasketPaid(msgspec.Struct, frozen=True, kw_only=True):
    """The basket was paid: what was reserved is redeemed."""

    sale: bytes = b""  # 16 bytes, the till's own id of the sale: what `SaleReversed` names; empty: it can't be named


class BasketCancelled(msgspec.Struct, frozen=True, kw_only=True):
    """The basket was given up: what was reserved is released."""


class PayByAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The basket is to be paid by bank account (B2): the till tells what it costs by rate. Lane mode only.

    `payment`: the till's own id of this payment, 16 bytes. A till that did not see the answer (the lane or it was
    restarted) asks again under the same id: what was settled is told again and not debited again. Void is void: the
    next try needs another id. Empty: the lane makes one, and a till that asks again pays again.
    """

    account: bytes  # 16 bytes, from the member card: the centre's own id of the account, never its number
    lines: tuple[Price, ...]
    points_yen: int = 0  # of it, paid with points
    payment: bytes = b""
    sale: bytes = b""  # as in `BasketPaid`


class PaymentAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """The centre answered a payment by account (B6). `parts`: for the receipt, one for each rate."""

    question: bytes
    state: Settled
    reason: Reason
    price_yen: int = 0
    debit_yen: int = 0
    points_yen: int = 0
    discount_yen: int = 0
    campaign: int = 0  # of the coupon that was used; 0: none
    serial: int = 0
    holder: int = 0
    revision: int = 0
    parts: tuple[Part, ...] = ()


class OpenSale(msgspec.Struct, frozen=True, kw_only=True):
    """Begin this sale, or replace what lies in it."""

    lines: tuple[Line, ...] = ()


class ReadSale(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands: coupons, discounts, tax, points, total."""


class AddCoupon(msgspec.Struct, frozen=True, kw_only=True):
    """The till has read a coupon itself. The same one again changes nothing."""

    text: bytes
    format: str


class DropCoupon(msgspec.Struct, frozen=True, kw_only=True):
    """The shopper would rather keep it."""

    coupon: bytes  # `core.receipt.coupon_id`


class PaySale(msgspec.Struct, frozen=True, kw_only=True):
    """The sale is paid, in money, from a bank account, or partly with points.

    `payment`: the till's own id of this try, 16 bytes. The same one again is the same try, and is told what came of
    it; a sale is paid once.
    """

    payment: bytes
    tender: Tender
    account: bytes = b""  # 16 bytes, tender `account`: the centre's own id of it (PayByAccount)
    programme: int = 0  # whose points pay; 0: none
    points: int = 0


class CancelSale(msgspec.Struct, frozen=True, kw_only=True):
    """The sale is given up; it never opens again."""


class ReverseSale(msgspec.Struct, frozen=True, kw_only=True):
    """The sale is taken back, whole or in part (`SaleReversed`)."""

    id: bytes  # 16 bytes, the till's own id of this reversal
    kind: str  # wire.facts.Reversal
    yen: int = 0


Act = OpenSale | ReadSale | AddCoupon | DropCoupon | PaySale | CancelSale | ReverseSale


class TillAsks(msgspec.Struct, frozen=True, kw_only=True):
    """The till wants something of its sale, and is answered by `TellTill` with the same `reply`. Lane mode only.

    `sale`: the till's own id of the sale, 16 bytes. All of it may be said again, also after a restart of the lane.
    """

    reply: int
    sale: bytes
    act: Act


class PartRecalled(msgspec.Struct, frozen=True, kw_only=True):
    """So much of this unit's part of a limit is to be returned: it is not needed here, or it has ended."""

    pot: Pot
    amount: Amount


class PartWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Another lane of the site has none left, and the centre can't be asked."""

    device: str
    pot: Pot
    amount: Amount


class PartOffered(msgspec.Struct, frozen=True, kw_only=True):
    """Another lane has given a part to this one: its half of the transfer is on its disk."""

    transfer: bytes
    giver: str
    pot: Pot
    amount: Amount


class HomeWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody asks for a serial whose home this lane keeps. `device`: who asks; empty: its home moves."""

    question: bytes
    campaign: int
    serial: int
    device: str
    by_lane: bool  # asked by a lane of the site, over the site's own network


class KeeperEnds(msgspec.Struct, frozen=True, kw_only=True):
    """Another lane is to keep the home of this site."""

    term: int


class PointsEarned(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase gives points (M4): always."""

    programme: int
    holder: int
    points: int
    spend_yen: int
    revision: int = 0
    sale: bytes = b""  # as in `BasketPaid`


class PointsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A person pays with points (M11), and the centre can't be asked: within the floors that were leased."""

    programme: int
    holder: int
    points: int
    sale: bytes = b""  # as in `BasketPaid`


class SaleReversed(msgspec.Struct, frozen=True, kw_only=True):
    """A sale is taken back, whole or in part: a void or a refund. Any lane takes it, whether it knows the sale or not.

    `id` is the till's own id of this reversal, 16 bytes: asked again, it has the same answer and changes nothing more.
    """

    id: bytes
    sale: bytes  # 16 bytes
    kind: str  # wire.facts.Reversal
    yen: int = 0  # of the price that is given back; 0: all that is left of it


class OffersTold(msgspec.Struct, frozen=True, kw_only=True):
    """The centre says what was picked for whoever put the card in (M9): titles, best first; perhaps none."""

    question: bytes
    titles: tuple[str, ...]


class PagesTold(msgspec.Struct, frozen=True, kw_only=True):
    """The centre says what may be shown to whoever put the card in (M6, M12)."""

    question: bytes
    pages: tuple[Page, ...]  # none: that card is told nothing


class CouponTaken(msgspec.Struct, frozen=True, kw_only=True):
    """The centre has given the coupon to the card's holder, or not."""

    question: bytes
    given: bool


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
    | CardWritten
    | CardOffered
    | CardGranted
    | CardDenied
    | TimeUp
    | LinkChanged
    | LanesChanged
    | Heard
    | Missed
    | Stirred
    | ProbeDue
    | BasketOpened
    | BasketPaid
    | BasketCancelled
    | PayByAccount
    | PaymentAnswered
    | TillAsks
    | PartRecalled
    | PartWanted
    | PartOffered
    | HomeWanted
    | KeeperEnds
    | PointsEarned
    | PointsWanted
    | SaleReversed
    | OffersTold
    | PagesTold
    | CouponTaken
    | StoreFailed
    | StoreRecovered
)
