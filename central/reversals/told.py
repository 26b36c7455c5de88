"""What batches tell of sales: the facts that belong to one, and that one was taken back. The hot path.

Nothing is settled here: a batch costs a fixed number of statements, whatever its length, and none where no fact names a
sale. A reversal that is written down is due at once; a fact of a sale that was taken back before makes its reversals
due again. So sale and reversal may come in any order, from any lanes, in any batches. The same reversal told again,
under another epoch or by another lane, is the one that is there; another one under its id is a conflict, and booked as
a fact all the same.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection

from central.db import bulk
from central.db.schema import NUL, reversals
from central.offsets import Timed
from central.reversals import odd
from loyalty.campaign import YEN_MAX
from wire.facts import Reversal, Reversed

ID_BYTES: Final = 16
DIGEST_BYTES: Final = 16
SITE_CHARS_MAX: Final = 64
KINDS: Final = frozenset(kind.value for kind in Reversal)


class State(StrEnum):
    """Of a reversal."""

    WAITS = "waits"  # nothing of its sale is known
    SETTLED = "settled"  # as far as the sale is known


_KEEP_FACT: Final = (
    "INSERT INTO sale_facts (sale, digest, epoch_id, seq, undone) VALUES (?, ?, ?, ?, 0) ON CONFLICT DO NOTHING"
)
_DUE_AGAIN: Final = "UPDATE reversals SET due_ms = ? WHERE sale = ?"
_REVERSED_SELECT: Final = "r.sale"
_REVERSED_JOIN: Final = "reversals r WHERE r.sale = wanted.k0"
_KNOWN_SELECT: Final = "r.name, r.sale, r.kind, r.yen"
_KNOWN_JOIN: Final = "reversals r WHERE r.name = wanted.k0"
_COLUMNS: Final = (
    "name", "sale", "kind", "yen", "site", "epoch_id", "seq", "at_ms", "booked_ms", "state", "due_ms",
)  # fmt: skip


def unbookable(fact: Reversed) -> str:
    """Why a well-formed reversal makes no sense; empty: it can be booked."""
    if len(fact.id) != ID_BYTES or len(fact.sale) != ID_BYTES:
        return f"a reversal and its sale have names of {ID_BYTES} bytes"
    if fact.kind not in KINDS:
        return "it is neither a void nor a refund"
    if not 0 <= fact.yen <= YEN_MAX:
        return f"{fact.yen} yen can't be"
    return "" if 0 < len(fact.site) <= SITE_CHARS_MAX and NUL not in fact.site else "it names no site"


def digest_of(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest()


def sold(connection: Connection, epoch_id: int, told: list[tuple[int, bytes, bytes]], now_ms: int) -> None:
    """Facts of a batch that belong to sales: (number, sale, bytes)."""
    rows = [(sale, digest_of(body), epoch_id, seq) for seq, sale, body in told]
    bulk.run_many(connection, _KEEP_FACT, rows)
    sold_again(connection, [sale for _, sale, _ in told], now_ms)


def sold_again(connection: Connection, sales: list[bytes], now_ms: int) -> None:
    """Something more is known of these sales: those that were taken back already are looked at again."""
    wanted = [(sale,) for sale in dict.fromkeys(sales)]
    back = {bytes(row[0]) for row in bulk.look_up(connection, _REVERSED_SELECT, _REVERSED_JOIN, wanted)}
    bulk.run_many(connection, _DUE_AGAIN, [(now_ms, sale) for sale in sorted(back)])


def book(
    connection: Connection, epoch_id: int, told: list[tuple[int, Reversed]], times: dict[int, Timed], now_ms: int
) -> None:
    """Reversals of a batch: (number, fact)."""
    names = [(fact.id,) for _, fact in told]
    known: dict[bytes, tuple[bytes, str, int]] = {
        bytes(name): (bytes(sale), kind, yen)
        for name, sale, kind, yen in bulk.look_up(connection, _KNOWN_SELECT, _KNOWN_JOIN, names)
    }
    rows: list[tuple[Any, ...]] = []
    reused: list[odd.Odd] = []
    for seq, fact in told:
        content = (fact.sale, fact.kind, fact.yen)
        before = known.setdefault(fact.id, content)
        if before != content:
            reused.append(odd.Odd(odd.Kind.REVERSAL_ID_REUSED, epoch_id, seq, fact.yen, fact.site))
        if before is not content:
            continue  # told before
        at_ms = times[seq].at_ms if seq in times else fact.at.wall_ms
        rows.append(
            (
                fact.id, fact.sale, fact.kind, fact.yen, fact.site, epoch_id, seq, at_ms, now_ms, State.WAITS.value,
                now_ms,
            )
        )  # fmt: skip
    bulk.insert_rows(connection, reversals, _COLUMNS, rows)
    odd.write(connection, reused, now_ms)
