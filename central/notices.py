"""What the operator must be told: kept until somebody has seen it, and said in the log at once."""

from __future__ import annotations

import logging
from typing import Final

import msgspec
from sqlalchemy import Connection, insert, select, update

from central.db.schema import notices

LIMIT_MAX: Final = 1_000
_log = logging.getLogger(__name__)


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One notice, in words for people."""

    id: int
    kind: str
    campaign: int
    ja: str
    en: str
    at_ms: int
    seen_ms: int | None


def tell(connection: Connection, kind: str, campaign: int, words: dict[str, str], now_ms: int) -> None:
    """Keeps a notice, in the caller's transaction. `words` in both languages."""
    connection.execute(insert(notices).values(kind=kind, campaign=campaign, at_ms=now_ms, **words))
    _log.warning("%s", words["en"])


def listed(connection: Connection, *, seen: bool = False, limit: int = 100) -> list[Notice]:
    """Those that nobody has seen yet, or those that somebody has; newest first."""
    which = notices.c.seen_ms.is_not(None) if seen else notices.c.seen_ms.is_(None)
    rows = connection.execute(
        select(notices).where(which).order_by(notices.c.id.desc()).limit(max(0, min(limit, LIMIT_MAX)))
    )
    return [Notice(**row._asdict()) for row in rows]


def mark_seen(connection: Connection, numbers: list[int], now_ms: int) -> int:
    """Somebody has seen these; gives how many were new to them."""
    unseen = notices.c.id.in_(numbers[:LIMIT_MAX]) & notices.c.seen_ms.is_(None)
    return connection.execute(update(notices).where(unseen).values(seen_ms=now_ms)).rowcount
