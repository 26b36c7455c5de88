"""The auditor's other half: every fact about points that a unit reported is in the ledger, with what it said.

A fact has the transfer of its id; or, where its id stood for another fact before, one whose name is made of both; or it
waits as a conflict for its programme, or was let be by a person. Read in pages: a ledger may hold many.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection

from central.db import bulk
from central.ledger.audit import Finding
from wire.facts import Earned, Spent, decode_fact

PAGE_FACTS: Final = 1_000
_PAGE: Final = (
    "SELECT epoch_id, seq, body FROM facts WHERE (epoch_id > ? OR (epoch_id = ? AND seq > ?)) AND type IN ('pe', 'ps') "
    "ORDER BY epoch_id, seq LIMIT ?"
)
_BOOKED_SELECT: Final = "t.name, t.content, p.amount"
_BOOKED_JOIN: Final = (
    "transfers t CROSS JOIN postings p CROSS JOIN accounts a WHERE t.name = wanted.k0 AND p.transfer = t.id "
    "AND a.id = p.account AND a.kind IN ('issued', 'redeemed')"
)
_WAITS_SELECT: Final = "c.transfer"
_WAITS_JOIN: Final = (
    "conflicts c WHERE c.transfer = wanted.k0 AND c.kind = 'unknown_programme' AND c.state <> 'withdrawn'"
)


def audit(connection: Connection) -> Iterator[Finding]:
    """The facts that the ledger lacks, or holds with another number of points."""
    epoch, seq = 0, 0
    while True:
        page: list[Any] = list(bulk.run(connection, _PAGE, (epoch, epoch, seq, PAGE_FACTS)))
        if not page:
            return
        epoch, seq = page[-1][0], page[-1][1]
        yield from _wrong(connection, page)


def _wrong(connection: Connection, page: list[Any]) -> Iterator[Finding]:
    told: list[tuple[str, int, bytes, tuple[bytes, bytes]]] = []
    for epoch, seq, body in page:
        fact = decode_fact(bytes(body))
        assert isinstance(fact, Earned | Spent)
        content = hashlib.blake2b(bytes(body), digest_size=16).digest()
        other = hashlib.blake2b(fact.id + content, digest_size=16).digest()
        points = -fact.points if isinstance(fact, Earned) else fact.points
        told.append((f"fact {epoch}/{seq}", points, content, (fact.id, other)))
    names = [(name,) for *_, both in told for name in both]
    booked = {
        (bytes(name), bytes(content)): int(amount)
        for name, content, amount in bulk.look_up(connection, _BOOKED_SELECT, _BOOKED_JOIN, names)
    }
    waits = {bytes(row[0]) for row in bulk.look_up(connection, _WAITS_SELECT, _WAITS_JOIN, names)}
    for where, points, content, both in told:
        found = [booked[name, content] for name in both if (name, content) in booked]
        if found == [points] or (not found and waits.intersection(both)):
            continue
        yield Finding("points issued or redeemed for it:", where, sum(found), points)
