"""Booking the facts about what units may decide alone: parts of limits, homes of serials, floors of points, cards.

What the points themselves change is booked by `central.ledger.lanes`.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from central import homes, leases
from central.db.schema import NUL
from central.members import giving
from central.registry import Device
from central.reversals import told
from loyalty.campaign import CAMPAIGN_ID_MAX
from loyalty.lease import KINDS
from loyalty.points import POINTS_MAX
from wire.facts import (
    CardFact,
    CardSettled,
    CardSuspected,
    CardWriting,
    Earned,
    Given,
    HomeFact,
    HomeLeft,
    KeeperLeft,
    LeaseFact,
    PointsFact,
    Returned,
    Reversed,
    Spent,
    Taken,
)

AloneFact = LeaseFact | HomeFact | PointsFact | CardFact | Reversed
TAGS: Final[dict[type, str]] = {
    Returned: "lr", Given: "lg", Taken: "lt", HomeLeft: "hl", KeeperLeft: "kl", Earned: "pe", Spent: "ps",
    CardWriting: "cw", CardSettled: "cd", CardSuspected: "cs", Reversed: "rv",
}  # fmt: skip
ID_BYTES: Final = 16
NUMBER_MAX: Final = 2**53
SERIAL_MAX: Final = 2**64 - 1
HOLDER_MAX: Final = 2**48 - 1
WORD_CHARS_MAX: Final = 64


def unbookable(fact: AloneFact) -> str:
    """Why a well-formed fact makes no sense; empty: it can be booked."""
    if isinstance(fact, LeaseFact):
        name, peer = (fact.id, "") if isinstance(fact, Returned) else _half(fact)
        pot, amount = fact.pot, fact.amount
        if len(name) != ID_BYTES or len(peer) > WORD_CHARS_MAX or NUL in peer:
            return f"a move of a part has a name of {ID_BYTES} bytes and a unit"
        if pot.kind not in KINDS or not (0 < pot.id <= CAMPAIGN_ID_MAX and 0 <= pot.holder <= HOLDER_MAX):
            return "it speaks of a limit that can't be"
        if not (0 <= amount.count <= NUMBER_MAX and 0 <= amount.yen <= NUMBER_MAX and amount):
            return "its amount can't be"
        return ""
    if isinstance(fact, HomeLeft):
        if not 0 < fact.campaign <= CAMPAIGN_ID_MAX or not 0 < fact.serial <= SERIAL_MAX:
            return "it names a serial that can't be"
        named = len(fact.question) == ID_BYTES and len(fact.to) <= WORD_CHARS_MAX and NUL not in fact.to
        return "" if named else "it names no question"
    if isinstance(fact, KeeperLeft):
        return "" if 0 < fact.term <= NUMBER_MAX else f"term {fact.term} can't be"
    if isinstance(fact, CardFact):
        return giving.unbookable(fact)
    if isinstance(fact, Reversed):
        return told.unbookable(fact)
    if len(fact.sale) not in (0, ID_BYTES):
        return f"a sale has a name of {ID_BYTES} bytes"
    if not (0 < fact.programme <= CAMPAIGN_ID_MAX and 0 < fact.holder <= HOLDER_MAX and len(fact.id) == ID_BYTES):
        return "it names a programme or a person that can't be"
    if not 0 < len(fact.site) <= WORD_CHARS_MAX:
        return "it names no site"
    if isinstance(fact, Earned) and not (0 <= fact.spend_yen <= NUMBER_MAX and 0 <= fact.revision <= NUMBER_MAX):
        return "its purchase can't be"
    return "" if 0 < fact.points <= POINTS_MAX else f"{fact.points} points can't be"


def _half(fact: Given | Taken) -> tuple[bytes, str]:
    return fact.transfer, fact.to if isinstance(fact, Given) else fact.giver


def book(
    connection: Connection,
    device: Device,
    secret: bytes,
    carried: leases.Carried,
    fact: LeaseFact | HomeFact | CardFact,
    now_ms: int,
) -> None:
    """What such a fact changes. The same one told again under another epoch changes nothing."""
    if isinstance(fact, LeaseFact):
        leases.book_move(connection, device.id, carried, fact, now_ms)
    elif isinstance(fact, HomeLeft):
        homes.book_left(connection, device, secret, fact, now_ms)
    elif isinstance(fact, KeeperLeft):
        homes.left(connection, device, fact.term)
    else:
        giving.book(connection, secret, fact, now_ms)
