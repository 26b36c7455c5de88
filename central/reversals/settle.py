"""Settles what is due: one sale in one transaction, with everything that was told of it by then.

What a sale's facts are to be undone to is worked out anew each time from all of its reversals, and what is undone
already is taken off: so a step may be made again at any time, and the order in which lanes tell does not matter.
"""

from __future__ import annotations

import logging
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select, update

from central.db.database import Database, StorageError
from central.db.schema import facts, reversals, sale_facts
from central.offers import purchases
from central.reversals import coupons, odd, payments, points
from central.reversals.odd import Kind, Odd
from central.reversals.points import Back
from central.reversals.told import State
from loyalty.campaign import DAY_MS
from wire.facts import Bought, Earned, Fact, Redeemed, Spent, decode_fact

UNKNOWN_AFTER_MS: Final = DAY_MS
"""A sale that is still unknown so long after its reversal was booked is shown to the operator."""
LOOK_AGAIN_MS: Final = 60_000
"""Points of a programme that nobody has entered yet, and a sale that can't be settled, are looked at again then."""
AT_ONCE_MAX: Final = 50  # sales of one call
_log = logging.getLogger(__name__)


class _Part(NamedTuple):
    """One fact of a sale."""

    sale: bytes
    digest: bytes
    epoch_id: int
    seq: int
    undone: int
    body: bytes
    fact: Fact


def due(database: Database, secret: bytes, now_ms: int) -> int:
    """Settles the sales that are due, each in a transaction of its own; gives how many. Raises StorageError."""
    with database.read() as connection:
        waiting = connection.execute(
            select(reversals.c.sale).where(reversals.c.due_ms <= now_ms).order_by(reversals.c.due_ms).limit(AT_ONCE_MAX)
        ).scalars()
        sales = list(dict.fromkeys(bytes(sale) for sale in waiting))
    for sale in sales:
        try:
            with database.write() as connection:
                settle(connection, secret, sale, now_ms)
        except StorageError:
            raise
        except Exception:  # noqa: BLE001 - our fault with one sale must not hold up the others; it is looked at again
            _log.exception("sale %s", sale.hex()[:8])
            with database.write() as connection:
                later = now_ms + LOOK_AGAIN_MS
                connection.execute(update(reversals).where(reversals.c.sale == sale).values(due_ms=later))
    return len(sales)


def settle(connection: Connection, secret: bytes, sale: bytes, now_ms: int) -> None:
    """Everything that the reversals of one sale change and have not changed yet. Alone in its transaction."""
    told = list(connection.execute(select(reversals).where(reversals.c.sale == sale).order_by(reversals.c.id)))
    parts, paid = _parts(connection, sale), payments.of(connection, sale)
    if not parts and not paid:
        _unknown(connection, told, now_ms)
        return
    conflicts = [odd.known(connection, row.epoch_id, row.seq) for row in told]
    for known in conflicts:
        if Kind.UNKNOWN_SALE in known:
            odd.withdraw(connection, known[Kind.UNKNOWN_SALE].id, "the sale came later", now_ms)
    back = Back(any(row.yen == 0 for row in told), sum(row.yen for row in told))
    ready = _undo(connection, secret, parts, back, now_ms)
    odd.write(connection, _too_much(told, conflicts, _price_yen(parts, paid)), now_ms)
    odd.write(connection, _at_the_bank(connection, told, conflicts, paid, now_ms), now_ms)
    connection.execute(
        update(reversals)
        .where(reversals.c.sale == sale)
        .values(state=State.SETTLED.value, due_ms=None if ready else now_ms + LOOK_AGAIN_MS)
    )


def _parts(connection: Connection, sale: bytes) -> list[_Part]:
    its_fact = (facts.c.epoch_id == sale_facts.c.epoch_id) & (facts.c.seq == sale_facts.c.seq)
    rows = connection.execute(
        select(sale_facts, facts.c.body)
        .join_from(sale_facts, facts, its_fact)
        .where(sale_facts.c.sale == sale)
        .order_by(sale_facts.c.epoch_id, sale_facts.c.seq)
    )
    return [
        _Part(
            bytes(row.sale),
            bytes(row.digest),
            row.epoch_id,
            row.seq,
            row.undone,
            bytes(row.body),
            decode_fact(bytes(row.body)),
        )
        for row in rows
    ]


def _unknown(connection: Connection, told: list[Any], now_ms: int) -> None:
    for row in told:
        again_ms: int | None = row.booked_ms + UNKNOWN_AFTER_MS
        if now_ms >= row.booked_ms + UNKNOWN_AFTER_MS:
            again_ms = None  # until something of the sale is told
            if Kind.UNKNOWN_SALE not in odd.known(connection, row.epoch_id, row.seq):
                odd.write(connection, [Odd(Kind.UNKNOWN_SALE, row.epoch_id, row.seq, row.yen, row.site)], now_ms)
        connection.execute(update(reversals).where(reversals.c.id == row.id).values(due_ms=again_ms))


def _undo(connection: Connection, secret: bytes, parts: list[_Part], back: Back, now_ms: int) -> bool:
    """Whether everything could be undone now. Spent points come back first: earned ones can be taken of them then."""
    ready = True
    for part in sorted(parts, key=lambda one: not isinstance(one.fact, Spent)):
        upto = part.undone
        if isinstance(part.fact, Redeemed):
            if back.whole and not part.undone:
                coupons.give_back(connection, secret, part.epoch_id, part.seq, part.fact, now_ms)
                upto = 1
        elif isinstance(part.fact, Bought):
            if back.whole and not part.undone:
                purchases.take_back(connection, part.sale, now_ms)
                upto = 1
        elif isinstance(part.fact, Earned | Spent):
            upto = max(part.undone, points.goal(part.fact, back))
            if points.undo(connection, part.fact, part.body, part.undone, upto, now_ms) is None:
                ready, upto = False, part.undone
        if upto != part.undone:
            mine = (sale_facts.c.sale == part.sale) & (sale_facts.c.digest == part.digest)
            connection.execute(update(sale_facts).where(mine).values(undone=upto))
    return ready


def _price_yen(parts: list[_Part], paid: list[payments.Payment]) -> int:
    """What the sale cost, as far as its facts say; 0: none of them does."""
    told = [part.fact.spend_yen for part in parts if isinstance(part.fact, Redeemed | Earned)]
    told += [part.fact.total_yen for part in parts if isinstance(part.fact, Bought)]
    return max([*told, *(payment.price_yen for payment in paid)], default=0)


def _too_much(told: list[Any], conflicts: list[dict[str, Any]], price_yen: int) -> list[Odd]:
    """Reversals beyond the whole, in the order of booking."""
    found: list[Odd] = []
    whole, given_yen = False, 0
    for row, known in zip(told, conflicts, strict=True):
        kind, amount_yen = None, 0
        if whole:
            kind, amount_yen = (Kind.OVER_REFUND, row.yen) if row.yen else (Kind.REVERSED_TWICE, price_yen)
        elif row.yen:
            given_yen += row.yen
            if price_yen and given_yen > price_yen:
                kind, amount_yen = Kind.OVER_REFUND, given_yen - price_yen
                given_yen = price_yen
        whole = whole or row.yen == 0
        if kind is not None and not known.keys() & {Kind.OVER_REFUND, Kind.REVERSED_TWICE}:
            found.append(Odd(kind, row.epoch_id, row.seq, amount_yen, row.site))
    return found


def _at_the_bank(
    connection: Connection,
    told: list[Any],
    conflicts: list[dict[str, Any]],
    paid: list[payments.Payment],
    now_ms: int,
) -> list[Odd]:
    """What the bank gives back, and what a person must see to."""
    if not paid:
        return []
    parts = [known[Kind.PARTIAL_BANK_REFUND] for known in conflicts if Kind.PARTIAL_BANK_REFUND in known]
    wholes = [(row, known) for row, known in zip(told, conflicts, strict=True) if row.yen == 0]
    if wholes:
        row, known = wholes[0]
        others = [part for part in parts if part.second_seq != row.seq or part.second_epoch != row.epoch_id]
        rest_yen = payments.take_back(connection, paid, others, now_ms)
        fresh = rest_yen and Kind.PARTIAL_BANK_REFUND not in known
        return [Odd(Kind.PARTIAL_BANK_REFUND, row.epoch_id, row.seq, rest_yen, row.site)] if fresh else []
    debited_yen = payments.owes_part(paid)
    return [
        Odd(Kind.PARTIAL_BANK_REFUND, row.epoch_id, row.seq, min(row.yen, debited_yen), row.site)
        for row, known in zip(told, conflicts, strict=True)
        if debited_yen and Kind.PARTIAL_BANK_REFUND not in known
    ]
