"""The points of a sale that was taken back (`central.ledger.refunds` makes the postings).

    earned  of a part: points x yen given back // price, rounded down, in the person's favour; the parts of a sale are
            added up before they are rounded, so it does not matter in how many pieces goods come. Of the whole: all.
    spent   of a part: nothing (the money that was paid beside them goes back first). Of the whole: all.

The transfer that undoes has a name made of the one that it undoes and of how far, so a step that is made twice is one.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from sqlalchemy import Connection, select, update

from central import leases
from central.conflicts import ConflictState
from central.db.schema import conflicts, transfers
from central.ledger import lanes, refunds
from central.ledger.refunds import Refund
from central.ledger.transfer import NAME_BYTES, Refused
from loyalty.lease import POINTS, Amount, Pot
from wire.facts import Earned, PointsFact

NOTE: Final = "its sale was taken back"


class Back(NamedTuple):
    """How much of a sale was given back, by all that was told of it."""

    whole: bool
    yen: int


def goal(fact: PointsFact, back: Back) -> int:
    """How many points of this fact are to be undone in all."""
    if back.whole:
        return fact.points
    if not isinstance(fact, Earned) or fact.spend_yen <= 0:
        return 0
    return fact.points * min(back.yen, fact.spend_yen) // fact.spend_yen


def undo(connection: Connection, fact: PointsFact, body: bytes, undone: int, upto: int, now_ms: int) -> bool | None:
    """Undoes a fact up to so many points, of which `undone` are. None: it is not in the ledger yet, for nobody has
    entered its programme; False: less was left of it than that (a person has undone some)."""
    if upto <= undone:
        return True
    name = _transfer(connection, fact, body)
    if name is None:
        return None
    mine = hashlib.blake2b(name + upto.to_bytes(8, "big"), digest_size=NAME_BYTES, person=b"tokuten undo").digest()
    if isinstance(fact, Earned):
        return not isinstance(refunds.take_back(connection, Refund(mine, name, upto - undone), now_ms), Refused)
    done = refunds.restore(connection, Refund(mine, name), now_ms)
    for holder in (0, fact.holder):
        leases.give_back(connection, Pot(POINTS, fact.programme, holder), Amount(fact.points))
    _nothing_overspent(connection, name, now_ms)
    return not isinstance(done, Refused)


def _transfer(connection: Connection, fact: PointsFact, body: bytes) -> bytes | None:
    """The name of the transfer that booked this fact."""
    name = connection.execute(
        select(transfers.c.name).where(
            transfers.c.name.in_(lanes.names_of(fact, body)), transfers.c.content == lanes.content_of(body)
        )
    ).scalar()
    return None if name is None else bytes(name)


def _nothing_overspent(connection: Connection, name: bytes, now_ms: int) -> None:
    """What was spent beyond the balance is there again, and nobody is asked for it any more."""
    about = (conflicts.c.transfer == name) & (conflicts.c.kind == "overspent")
    connection.execute(
        update(conflicts)
        .where(about, conflicts.c.state == ConflictState.WAITS.value)
        .values(state=ConflictState.WITHDRAWN.value, resolved_ms=now_ms, note=NOTE)
    )
