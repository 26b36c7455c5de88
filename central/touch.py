"""What a batch decides about, told before it is booked: so that batches which share nothing are booked side by side.

Only what nearly all facts are is told one by one: redemptions and points. Whatever else a batch has (parts that move,
homes, withdrawn questions, a journal that goes on under another epoch) reaches further than its own rows, so such a
batch is booked alone. So is one that touches more than a server has locks for. Not knowing a kind of fact is safe:
it means alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from central.db import locks
from loyalty.lease import POINTS
from wire.facts import Earned, Redeemed, Reversed, Spent, decode_fact

LEDGER: Final = "l"
"""The accounts of a programme are locked together: a spending may reach any of them by the programme's policy."""
Touched = frozenset[locks.Thing]
EVERYTHING: Final[Touched] = frozenset({locks.device("")})


def of(device: str, bodies: Sequence[bytes]) -> Touched:
    """What booking these facts of a unit holds; EVERYTHING: book them alone."""
    found = {locks.device(device)}
    campaigns: set[int] = set()
    for body in bodies:
        try:
            fact = decode_fact(body)
        except (msgspec.MsgspecError, ValueError):
            continue  # it is put aside, whoever else books meanwhile
        if isinstance(fact, Redeemed):
            campaigns.add(fact.campaign)
        elif isinstance(fact, Spent):
            found |= {locks.pot(POINTS, fact.programme, holder) for holder in (0, fact.holder)}
            found.add(locks.pot(LEDGER, fact.programme, 0))
        elif isinstance(fact, Reversed):
            continue  # it is only written down, and settled later (`central.reversals.settle`)
        elif isinstance(fact, Earned):
            found.add(locks.pot(LEDGER, fact.programme, 0))
        else:
            return EVERYTHING
    found |= {locks.campaign(number) for number in campaigns}
    return frozenset(found) if len(found) <= locks.HELD_MAX else EVERYTHING
