"""What the auditor found, each time somebody had it look; kept, so that a page can say when the books were right."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, delete, func, insert, select

from central.db.database import Database
from central.db.schema import ledger_audits, postings
from central.ledger import audit, audit_facts, liability
from central.ledger.audit import Finding
from central.ledger.liability import Owed
from wire.messages import decode, encode

KEPT_MAX: Final = 100
WORDS_MAX: Final = 50  # findings that are kept in words
POSTINGS_ON_A_PAGE_MAX: Final = 500_000
"""A page audits so many while its visitor waits; a larger ledger is audited by `tokuten ledger audit`."""


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """One look of the auditor."""

    at_ms: int
    transfers: int
    postings: int
    findings: int  # 0: the books are right
    words: list[str]  # the first of them
    owed: list[Owed]  # in points, by programme and shop, at that time


def run(database: Database, now_ms: int) -> tuple[list[Finding], dict[str, int]]:
    """Audits everything and keeps what was found; gives it, and how much was audited. It reads for as long as it takes,
    and writes at the end.
    """
    with database.read() as connection:
        counted = audit.counts(connection)
        found = audit.audit(connection) + list(audit_facts.audit(connection))
        owed = liability.by_shop(connection)
    audited = Audited(
        at_ms=now_ms,
        transfers=counted["transfers"],
        postings=counted["postings"],
        findings=len(found),
        words=[one.words() for one in found[:WORDS_MAX]],
        owed=owed,
    )
    with database.write() as connection:
        _keep(connection, audited)
    return found, counted


def _keep(connection: Connection, audited: Audited) -> None:
    values = msgspec.structs.asdict(audited) | {"words": "\n".join(audited.words), "owed": encode(audited.owed)}
    connection.execute(insert(ledger_audits).values(**values))
    newest = select(ledger_audits.c.id).order_by(ledger_audits.c.id.desc()).limit(KEPT_MAX)
    connection.execute(delete(ledger_audits).where(ledger_audits.c.id.not_in(newest.scalar_subquery())))


def listed(connection: Connection, limit: int = 10) -> list[Audited]:
    """The newest first."""
    rows = connection.execute(select(ledger_audits).order_by(ledger_audits.c.id.desc()).limit(min(limit, KEPT_MAX)))
    return [_audited(row) for row in rows]


def too_many(connection: Connection) -> bool:
    """Whether there are more postings than a page audits; counts no further than that."""
    some = select(postings.c.transfer).limit(POSTINGS_ON_A_PAGE_MAX + 1).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one()) > POSTINGS_ON_A_PAGE_MAX


def _audited(row: Any) -> Audited:
    return Audited(
        at_ms=row.at_ms,
        transfers=row.transfers,
        postings=row.postings,
        findings=row.findings,
        words=row.words.splitlines(),
        owed=decode(bytes(row.owed), list[Owed]),
    )
