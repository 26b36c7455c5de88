"""The messages on the topics of `wire.topics`, and their encoding.

MessagePack; each type is an array, so new fields are appended with a default. What goes down and moves
money or code travels sealed: a signature of the centre over topic and body (`wire.envelope`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, TypeVar

import msgspec

from loyalty.campaign import Campaign
from loyalty.lease import Amount, Pot
from loyalty.points import EarnRule, Programme
from loyalty.tax import Part, Price
from wire.facts import Stamp

T = TypeVar("T")
NO_HASH: Final = b""
PAGES_MAX: Final = 20
PAGE_CHARS_MAX: Final = 60  # of a title
OFFERS_MAX: Final = 5
OFFER_CHARS_MAX: Final = 60


class Message(msgspec.Struct, array_like=True, frozen=True):
    """The base of all messages."""


# --- up ------------------------------------------------------------------------------------------------


class Batch(Message, frozen=True):
    """up/ev: facts `first`, `first + 1` ... of one epoch, in order, without gaps.

    `before` and `after` are the chain's hashes around them; `signature` is the device's Ed25519 signature
    over `wire.uplink.signed_head(...)`, which binds device, epoch, last number and `after`.
    """

    epoch: bytes
    first: int
    before: bytes
    after: bytes
    facts: list[bytes]
    signature: bytes = b""


class PullFeed(Message, tag="feed", frozen=True):
    """The cache says what it has; (b'', 0) asks for a snapshot."""

    incarnation: bytes
    number: int


class PullAck(Message, tag="ack", frozen=True):
    """The unit says where its journal ends, at each start and connect; the centre answers with an Ack.

    It is a probe and a question for the time as well: the Ack repeats `nonce` and names the centre's time, and the
    centre learns from `at` how the unit's clock stands (`central.clocks`).
    """

    epoch: bytes
    head: int
    head_hash: bytes
    at: Stamp | None = None  # when it was sent
    nonce: bytes = b""  # 8 random bytes
    # Under which incarnation all epochs before this one are booked; empty: there are none. None: not all are, or
    # this is not the open one: then the unit has more to report than it says here.
    before: bytes | None = b""


class Ask(Message, tag="ask", frozen=True):
    """A question: may this coupon count? Answered by a Command of kind Answer within its time."""

    question: bytes  # 16 random bytes
    text: bytes  # the whole text of the code: the centre checks the signature itself
    spend_yen: int
    wait_ms: int  # how long the unit will wait; a later answer is void
    format: str = ""  # the symbol that the text stood in (`hal.decode.Format`)


class Held(Message, frozen=True):
    """What the centre has granted of one pot to this epoch in all, as the unit knows it, and what it wants on top.

    `granted` counts up for the life of an epoch, so a lost or doubled message changes nothing.
    """

    pot: Pot
    granted: Amount
    want: Amount
    urgent: bool = False  # a shopper was sent away for want of it


class AskLease(Message, tag="lease", frozen=True):
    """The unit reports what was granted to it, and asks for more or nothing.

    `whole`: the list is complete. A centre that was restored grants nothing until every unit has said so to its
    present `incarnation`.
    """

    incarnation: bytes
    epoch: bytes
    parts: list[Held]
    whole: bool = False


class AskSettlement(Message, tag="settle", frozen=True):
    """A purchase to be paid by bank account (B2). Answered by a Command of kind Settlement within its time.

    The shop is the site of the topic, to which the broker's access rules and the centre hold the unit. The same
    question again is the same payment. Withdrawn by a fact (`Cancelled`), as any question.
    """

    question: bytes  # 16 random bytes
    account: bytes  # 16 bytes, the centre's own id of the account, never its number
    lines: list[Price]  # what the goods cost with their tax, each with its rate
    wait_ms: int
    points_yen: int = 0  # paid with points: lowers what is debited, and no tax
    sale: bytes = b""  # 16 bytes, the till's own id of the sale: by it the payment is taken back later; empty: none


class AskCard(Message, tag="askcard", frozen=True):
    """A kiosk asks for a member card on the tag in its slot (M1, M2); answered by CardOffer, CardGrant or CardNo."""

    question: bytes  # 16 random bytes; asked again until the card is granted or the person leaves
    uid: bytes
    chip: str  # loyalty.card_slots.Chip


class AskOffers(Message, tag="askoffers", frozen=True):
    """A kiosk asks what was picked for whoever put a card in (M9). Answered by Offers at once, or not at all."""

    question: bytes  # 16 random bytes
    holder: int  # for whom the card speaks


class AskPages(Message, tag="askpages", frozen=True):
    """A kiosk asks what it may show to whoever put a member card in (M6, M12). Answered by Pages at once, or not."""

    question: bytes  # 16 random bytes
    holder: int
    generation: int  # of the card: a replaced one is told nothing


class TakeCoupon(Message, tag="take", frozen=True):
    """A kiosk takes a coupon for whoever put a member card in: it is among theirs afterwards, once however often this
    is sent. Answered by CouponTaken."""

    question: bytes
    holder: int
    generation: int
    campaign: int


Request = PullFeed | PullAck | Ask | AskLease | AskSettlement | AskCard | AskOffers | AskPages | TakeCoupon


class CommandResult(Message, frozen=True):
    """up/res. `reason`, `at_ms` and `site`: why a home does not let a serial go, as in an Answer."""

    command: bytes
    ok: bool
    detail: str = ""
    reason: str = ""
    at_ms: int = 0
    site: str = ""


class Report(Message, frozen=True):
    """up/rep: reported state."""

    epoch: bytes
    head: int
    acked: int
    feed_incarnation: bytes
    feed_number: int
    campaigns: int
    out_of_service: str = ""  # why, in words; empty: in service
    settings_hash: str = ""
    reach: str = ""  # of the centre, as the unit knows it: 'online', 'offline'; empty: an older unit
    reach_why: str = ""  # edge_agent.core.reach.Why


class Heartbeat(Message, frozen=True):
    """up/hb: QoS 0."""

    wall_ms: int
    uptime_ms: int
    waiting: int  # facts not yet booked
    scans: int  # since start, by outcome
    accepted: int
    refused: int
    camera_restarts: int = 0
    dropped: int = 0  # telemetry that was dropped
    reach: str = ""  # as in Report
    board: dict[str, int] = {}  # of a reader board: statistics of its link (docs/board.md)


class LogLine(Message, frozen=True):
    """up/log: QoS 0, capped."""

    wall_ms: int
    level: str
    text: str


class Hint(Message, frozen=True):
    """up/hint: a redemption on its way, so that others refuse early. Proves nothing."""

    epoch: bytes
    number: int
    wall_ms: int
    campaign: int
    serial: int
    holder: int


class Conn(Message, frozen=True):
    """st/conn, retained: birth and will. A death counts only if its session is the newest birth's."""

    up: bool
    session: bytes


class Info(Message, frozen=True):
    """st/info, retained: inventory."""

    version: str
    mode: str
    parts: dict[str, str]
    device_key: bytes  # the device's public key, 32 bytes


# --- down ----------------------------------------------------------------------------------------------


class Ack(Message, frozen=True):
    """dn/ack: what the centre's database has committed of this epoch.

    `status`: 'ok'; 'gap' (facts after `upto` are missing: send from `upto + 1`); 'fork' (another history
    follows after `upto`, the last common number: open a new epoch with what comes after it); 'bad' (the
    batch was refused whole, see `detail`; nothing was booked). `upto_hash` is the chain's hash there, so
    that a unit never takes an acknowledgement of somebody else's facts for its own.
    """

    incarnation: bytes
    epoch: bytes
    upto: int
    upto_hash: bytes
    status: str
    first: int = 0  # `first` of the batch that is answered; 0: answers a PullAck
    last: int = 0  # last number of the batch that is answered
    aside: int = 0  # how many facts of this batch went to the dead letters
    detail: str = ""
    now_ms: int = 0  # the centre's time, where a PullAck is answered; 0: not told
    nonce: bytes = b""  # of that PullAck, so that an old answer can't set a clock
    answers: bytes = b""  # the chain's hash after the batch that is answered, so that it can't be another history's


class PutCampaign(Message, tag="campaign", frozen=True):
    campaign: Campaign


class PutKey(Message, tag="key", frozen=True):
    """A key that signs coupons. `retired_ms`: texts signed with it no longer count from then on."""

    id: int  # 1..255
    public: bytes  # 32 bytes, Ed25519
    retired_ms: int | None = None


class PutSecret(Message, tag="secret", frozen=True):
    """The key with which this tenant's caches hash serials and holders (`wire.sealing`)."""

    secret: bytes  # 32 bytes


class PutRedemption(Message, tag="redeemed", frozen=True):
    """Somebody, somewhere, redeemed this. Hashes, so that a stolen unit's list can't be spent.

    `serial` is empty for campaigns without serials; `fact` identifies it (device, epoch and number hashed),
    so that the same redemption told twice counts once.
    """

    fact: bytes  # 16 bytes
    campaign: int
    serial: bytes  # 16 bytes or empty
    holder: bytes  # 16 bytes or empty
    at_ms: int
    site: str
    provisional: bool = False  # from a hint, not yet booked


class DropRedemption(Message, tag="unredeemed", frozen=True):
    """A redemption that does not count after all: a hint that never came true, a refund."""

    fact: bytes
    serial: bytes = b""
    given_back: bool = False  # it was booked, and its sale was taken back: whoever tells of it, it counts no more


class PutHome(Message, tag="home", frozen=True):
    """Who keeps the home of a site: the one lane that decides alone about the serials whose home it is.

    It holds for that epoch of its journal alone: a lane that came back from an old disk keeps nothing.
    """

    number: int  # of the site, as it stands in serials
    site: str
    title: str
    device: str  # empty: nobody
    epoch: bytes
    term: int


class PutMoved(Message, tag="moved", frozen=True):
    """The home of one serial is another one than it was given out with."""

    campaign: int
    serial: bytes  # 16 bytes, keyed hash
    home: int  # the site's number; 0: the centre
    moves: int  # counts up with each move


class PutRevoked(Message, tag="revoked", frozen=True):
    """A coupon, or everything of a holder, counts nowhere any more. Keyed hashes, as in `PutRedemption`."""

    key: bytes  # 16 bytes: `wire.sealing.serial_hash` or `holder_hash`


class DropRevoked(Message, tag="unrevoked", frozen=True):
    """It counts again."""

    key: bytes


class PutCard(Message, tag="card", frozen=True):
    """Whose card that is: the keyed hash of its UID, and the pseudonym of its holder."""

    card: bytes  # 16 bytes
    holder: int  # 0: nobody's any more


class PutLane(Message, tag="lane", frozen=True):
    """A unit of the cache's own site and its public key: whom to trust there while the internet is gone.

    Any `state` but 'active' ('blocked', 'gone' to another site) means: trust it no more.
    """

    device: str
    site: str
    public: bytes  # 32 bytes, Ed25519
    state: str


class PutGeneration(Message, tag="generation", frozen=True):
    """Which card of a holder is the valid one: the card of a lower generation is refused everywhere (M2).

    Told only of those who had more than one card, and of blocked ones; (1, False) takes back what was told.
    """

    key: bytes  # 16 bytes: wire.sealing.holder_hash
    generation: int
    blocked: bool  # that card was lost: it is refused too


class PutCardKey(Message, tag="cardkey", frozen=True):
    """A key that authenticates member cards. In snapshots alone, so that it never lies in the change log."""

    number: int  # cards are written with the highest
    secret: bytes  # 32 bytes


class PutProgramme(Message, tag="programme", frozen=True):
    """One kind of points, as it is now: a till is told its name and what its points buy."""

    programme: Programme


class PutRule(Message, tag="earnrule", frozen=True):
    """What a purchase earns at the cache's own site from a time on (M4). Rules before it stay, for the time before."""

    rule: EarnRule


Change = (
    PutCampaign
    | PutKey
    | PutSecret
    | PutRedemption
    | DropRedemption
    | PutHome
    | PutLane
    | PutMoved
    | PutRevoked
    | DropRevoked
    | PutCard
    | PutGeneration
    | PutProgramme
    | PutRule
    | PutCardKey
)


class Feed(Message, tag="changes", frozen=True):
    """dn/feed, changes: numbers `before + 1` .. `before + len(changes)` of the site's change log."""

    incarnation: bytes
    before: int
    changes: list[Change]


class SnapshotPart(Message, tag="snapshot", frozen=True):
    """dn/feed, snapshot: part `part` of `parts`, the whole state as changes to an empty cache as of `number`.

    `digest` is SHA-256 over the encoded `changes` of all parts, in order; each part carries it.
    """

    snapshot: bytes  # 8 bytes, names this snapshot
    incarnation: bytes
    number: int
    part: int
    parts: int
    changes: bytes  # encoded list[Change]
    digest: bytes


FeedMessage = Feed | SnapshotPart


class Answer(Message, tag="answer", frozen=True):
    """dn/cmd: the centre's answer to an Ask."""

    question: bytes
    granted: bool
    reason: str  # loyalty.reason.Reason
    at_ms: int = 0  # where the reason speaks of an instant
    site: str = ""


class Rescan(Message, tag="resync", frozen=True):
    """dn/cmd: drop the cache's cursor and pull a snapshot."""

    command: bytes
    expires_ms: int


class Grant(Message, frozen=True):
    """One part: granted in all, until when, and why there is no more (a `GrantReason`)."""

    pot: Pot
    granted: Amount
    ends_ms: int
    reason: str


class Grants(Message, tag="grants", frozen=True):
    """dn/cmd: the answer to an AskLease. Void under another incarnation or epoch. `whole`: so was the report."""

    incarnation: bytes
    epoch: bytes
    parts: list[Grant]
    whole: bool = False


class Recall(Message, tag="recall", frozen=True):
    """dn/cmd: others have none left; return what is not needed now, at most `amount`."""

    incarnation: bytes
    pot: Pot
    amount: Amount


class AskHome(Message, tag="askhome", frozen=True):
    """dn/cmd: somebody elsewhere asks for a serial whose home this lane keeps: let it go, or say why not (up/res)."""

    question: bytes
    campaign: int
    serial: int
    device: str  # who asks; empty: the home moves


class KeepNoMore(Message, tag="keepnomore", frozen=True):
    """dn/cmd: another lane of the site is to keep its home."""

    term: int


class Settled(StrEnum):
    """How a payment by account stands. Never renamed."""

    SETTLED = "settled"
    REFUSED = "refused"  # nothing was debited
    IN_DOUBT = "in_doubt"  # the bank did not answer: settled or void by a later answer, never debited twice
    VOID = "void"  # nothing was debited, or what was debited is given back


class Settlement(Message, tag="settlement", frozen=True):
    """dn/cmd: the answer to an AskSettlement (B6). A later one may follow one that was in doubt."""

    question: bytes
    state: Settled
    reason: str  # loyalty.reason.Reason
    price_yen: int = 0  # before the discount, tax included
    debit_yen: int = 0
    points_yen: int = 0
    discount_yen: int = 0  # of a shop that is liable for tax: without tax
    campaign: int = 0  # of the coupon that was used; 0: none
    serial: int = 0
    holder: int = 0
    revision: int = 0  # of the campaign
    parts: list[Part] = []


class CardOffer(Message, tag="cardoffer", frozen=True):
    """dn/cmd: where the person goes on, on their own phone: the link for the QR on the display."""

    question: bytes
    link: str
    life_ms: int


class CardGrant(Message, tag="cardgrant", frozen=True):
    """dn/cmd: the card is granted: write it. Told until the unit has reported what became of it (`CardSettled`)."""

    question: bytes
    holder: int
    generation: int
    number: str  # the member's, for the display: the id that M1 gives back
    balances: list[tuple[int, int]] = []  # (programme, points), last used first


class CardNo(Message, tag="cardno", frozen=True):
    """dn/cmd: no card can be given out on that tag."""

    question: bytes


class Offers(Message, tag="offers", frozen=True):
    """dn/cmd: the answer to AskOffers: titles of bargains, best first. Nothing in it says for whom they are.

    At most OFFERS_MAX lines of OFFER_CHARS_MAX characters; none: nothing was picked, or nothing may be.
    """

    question: bytes
    titles: list[str]


class KioskPage(Message, frozen=True):
    """One page. A kind that a unit does not know it does not show: new ones (questionnaires) need no new message."""

    kind: str  # edge_agent.core.effects.PageKind
    title: str
    number: int = 0  # points; a coupon's campaign
    link: str = ""  # for a QR


class Pages(Message, tag="pages", frozen=True):
    """dn/cmd: the answer to AskPages, at most PAGES_MAX of them; none: that card is told nothing here."""

    question: bytes
    pages: list[KioskPage]


class CouponTaken(Message, tag="taken", frozen=True):
    """dn/cmd: the answer to TakeCoupon."""

    question: bytes
    given: bool


Command = (
    Answer
    | Rescan
    | Grants
    | Recall
    | AskHome
    | KeepNoMore
    | Settlement
    | CardOffer
    | CardGrant
    | CardNo
    | Offers
    | Pages
    | CouponTaken
)


class Desired(Message, frozen=True):
    """dn/des, retained: desired state."""

    version: int
    site: str
    settings: dict[str, Any]


_encoder = msgspec.msgpack.Encoder()
_decoders: dict[Any, msgspec.msgpack.Decoder[Any]] = {}


def encode(message: Any) -> bytes:
    """A message, a change or a list of changes as bytes."""
    return _encoder.encode(message)


def decode(body: bytes, kind: Any) -> Any:
    """`body` as a `kind` (a type of this module or a union of them).

    Raises msgspec.DecodeError (a ValueError) for anything else: the message says what and where.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    return decoder.decode(body)
