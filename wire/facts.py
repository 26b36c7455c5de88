"""The facts of a journal: what a unit reports and the centre books, exactly once (promise 2 and 4).

A fact is encoded once, by the unit that decided it, as a MessagePack array whose first element names its
type; those bytes are hashed, stored, sent and booked unchanged. New fields are appended with a default, so
old and new versions read each other. An encoded fact has at most `FACT_BYTES_MAX` bytes.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

import msgspec

from loyalty.lease import Amount, Pot

FACT_BYTES_MAX: Final = 8 * 1024
TEXT_CHARS_MAX: Final = 1000


class TimeSource(IntEnum):
    """Who vouches for a stamp's wall time. On the wire a plain number: a newer unit may know more of them."""

    UNKNOWN = 0  # an older unit does not say
    NTP = 1  # the kernel says that a time source disciplines its clock
    CENTRE = 2  # the centre's word (`Ack.now_ms`), carried on by monotonic time
    FLOOR = 3  # nobody: the clock was behind what is certain, and was raised to it
    CLOCK = 4  # nobody: the clock as it reads


class Stamp(msgspec.Struct, array_like=True, frozen=True):
    """When, as the unit knew it; the centre corrects it later (DESIGN, 'Clocks')."""

    wall_ms: int  # since 1970, UTC, by the unit's clock
    mono_ms: int  # since the unit's boot
    boot: bytes  # 8 random bytes of this boot
    trusted: bool
    error_ms: int = 0
    source: int = 0  # TimeSource


class _Fact(msgspec.Struct, array_like=True, frozen=True):
    at: Stamp


class Redeemed(_Fact, tag="rd", frozen=True):
    """A coupon counted (K6). For campaigns without serials only time and place are in it (K8)."""

    campaign: int
    serial: int  # 0: none
    holder: int  # 0: none
    revision: int  # of the campaign as this unit knew it
    policy: str
    site: str
    spend_yen: int  # of the open basket; 0: none
    discount_yen: int
    key: int  # which key signed the code; 0: unsigned
    question: bytes = b""  # the question whose answer allowed it; empty: decided alone
    clock_doubted: bool = False
    leased: bool = False  # it took of this unit's part of the campaign's limits
    cost_yen: int = 0  # what it counts for in the budget
    sale: bytes = b""  # 16 bytes, the till's own id of the sale; empty: of none


class Cancelled(_Fact, tag="cx", frozen=True):
    """A question to the centre that is withdrawn: late, or the unit restarted. Whatever it granted is void.

    A payment by account is withdrawn so too; it names no coupon (0, 0).
    """

    question: bytes
    campaign: int
    serial: int


class EpochOpened(_Fact, tag="ep", frozen=True):
    """The first fact of an epoch that follows another one. `reason`: 'fork', 'restored' or 'salvaged'."""

    reason: str
    previous: bytes  # epoch, 16 bytes; empty: not known
    after: int  # last number of the previous epoch that stays valid
    carried: int  # how many facts that were numbered after it follow here
    detail: str = ""


class Returned(_Fact, tag="lr", frozen=True):
    """The unit gives up what it has not spent of its part of a limit: it will never spend it."""

    id: bytes  # 16 random bytes: the same return told twice is one
    pot: Pot
    amount: Amount


class Given(_Fact, tag="lg", frozen=True):
    """Another lane is handed so much of this unit's part; whoever holds this transfer's other half spends it."""

    transfer: bytes  # 16 random bytes, the same in `Taken`
    to: str  # device
    pot: Pot
    amount: Amount


class Taken(_Fact, tag="lt", frozen=True):
    """The other half of a `Given`."""

    transfer: bytes
    giver: str  # device
    pot: Pot
    amount: Amount


class HomeLeft(_Fact, tag="hl", frozen=True):
    """The lane that keeps a serial's home will not decide about it any more: it left for whoever asked."""

    question: bytes  # of the unit that asked, or the name of the move; the same serial leaves once for one question
    campaign: int
    serial: int
    to: str  # the device that asked; empty: the centre


class KeeperLeft(_Fact, tag="kl", frozen=True):
    """This lane keeps the home of its site no longer."""

    term: int  # which the centre gave it


class Earned(_Fact, tag="pe", frozen=True):
    """Points for a purchase (M4): always, with or without the centre."""

    id: bytes  # 16 random bytes
    programme: int
    holder: int
    points: int
    site: str
    spend_yen: int
    revision: int = 0  # of the shop's rule
    sale: bytes = b""


class Spent(_Fact, tag="ps", frozen=True):
    """Points that bought something (M11): within a floor that is leased, or by the centre's word."""

    id: bytes
    programme: int
    holder: int
    points: int
    site: str
    question: bytes = b""  # the question whose answer allowed it; empty: out of this unit's parts
    sale: bytes = b""


class Reversal(StrEnum):
    """How a sale is taken back. On the wire a plain string."""

    VOID = "void"  # the whole sale, as if it had never been: cashier's mistake, goods not handed over
    REFUND = "refund"  # goods came back, all of them or some


class Reversed(_Fact, tag="rv", frozen=True):
    """A sale is taken back, whole or in part; told by whichever lane the shopper came to.

    The lane need not know the sale: the centre settles it, in whichever order sale and reversal arrive.
    """

    id: bytes  # 16 bytes, the till's own id of this reversal: told again it is the same one
    sale: bytes  # 16 bytes
    kind: str  # Reversal
    yen: int  # of the price that is given back; 0: all that is left of it
    site: str


class Outcome(StrEnum):
    """What became of writing a card. On the wire a plain string."""

    DONE = "done"  # it was read back
    UNDONE = "undone"  # it is surely as it was
    DOUBT = "doubt"  # it may say the old or the new: nothing was handed over for it


class CardWriting(_Fact, tag="cw", frozen=True):
    """A member card is about to be written: the intent, on disk before the first page."""

    id: bytes  # 16 random bytes; for a card that was granted, the question's
    card: bytes  # keyed hash of its UID (wire.sealing)
    holder: int
    generation: int
    counter: int  # that it gets
    why: str  # 'issue', 'points'


class CardSettled(_Fact, tag="cd", frozen=True):
    """What became of it."""

    id: bytes
    outcome: str  # Outcome


class CardSuspected(_Fact, tag="cs", frozen=True):
    """A card was refused that an honest person does not have: a copy, one written back, one that was lost."""

    card: bytes
    holder: int  # 0: its record can't be believed
    generation: int
    counter: int
    why: str  # loyalty.reason.Reason
    seen: int = 0  # the counter that this unit had seen on it before


LeaseFact = Returned | Given | Taken
HomeFact = HomeLeft | KeeperLeft
PointsFact = Earned | Spent
CardFact = CardWriting | CardSettled | CardSuspected
Fact = (
    Redeemed
    | Cancelled
    | EpochOpened
    | Returned
    | Given
    | Taken
    | HomeLeft
    | KeeperLeft
    | Earned
    | Spent
    | CardWriting
    | CardSettled
    | CardSuspected
    | Reversed
)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Fact)


class FactTooLong(ValueError):
    """An encoded fact exceeds `FACT_BYTES_MAX`."""


def encode_fact(fact: Fact) -> bytes:
    body = _encoder.encode(fact)
    if len(body) > FACT_BYTES_MAX:
        raise FactTooLong(f"a fact of {len(body)} bytes; at most {FACT_BYTES_MAX} can be sent")
    return body


def decode_fact(body: bytes) -> Fact:
    """The fact in `body`. Raises msgspec.DecodeError (also a ValueError) for anything else."""
    fact: Fact = _decoder.decode(body)
    return fact
