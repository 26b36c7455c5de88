"""Tokens for programs that ask in a shop's or a provider's name: what each may do, until when, and who gave it out.

A token is shown once, when it is issued; kept is its SHA-256. It has the scopes that were named and no others, belongs
to one shop, one provider or (to read alone) the whole centre, ends at a day that was set, and can be revoked at once.
Issuing and revoking are written into the audit log in the same transaction.
"""

from __future__ import annotations

import secrets
from collections import deque
from enum import StrEnum
from threading import Lock
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from central import audit
from central.coupons.persons import token_hash
from central.db.database import Database
from central.db.schema import api_tokens, campaigns, sites
from central.staff import Role
from loyalty.campaign import DAY_MS
from loyalty.cells import printable

PREFIX: Final = "tkt_"  # so that a token is known for one wherever it turns up
NAME_CHARS_MAX: Final = 40
TOKENS_MAX: Final = 1_000
LIFE_DAYS_MAX: Final = 366
USED_EVERY_MS: Final = 60_000  # so exactly is it known when a token was last used
ASKED_PER_WINDOW: Final = 120
WINDOW_MS: Final = 60_000


class Scope(StrEnum):
    """One thing that a token may do."""

    ANALYSIS_READ = "analysis:read"
    REDEMPTIONS_READ = "redemptions:read"
    COUPONS_READ = "coupons:read"
    COUPONS_ISSUE = "coupons:issue"  # and stop


OF_SHOPS: Final = frozenset({Scope.ANALYSIS_READ, Scope.REDEMPTIONS_READ})
OF_PROVIDERS: Final = frozenset(Scope)
OF_ALL: Final = frozenset({Scope.ANALYSIS_READ, Scope.REDEMPTIONS_READ, Scope.COUPONS_READ})


class TokenError(ValueError):
    """A token can't be issued as asked; the message says why."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a token; not the token itself."""

    id: int
    name: str
    scopes: tuple[Scope, ...]
    site: str  # empty: no shop's
    provider: str  # empty: no provider's. Neither: the whole centre's
    created_by: str
    created_ms: int
    expires_ms: int
    revoked_ms: int | None
    used_ms: int | None  # to the minute

    def works(self, now_ms: int) -> bool:
        return self.revoked_ms is None and now_ms < self.expires_ms


def issue(
    connection: Connection,
    name: str,
    scopes: frozenset[Scope],
    life_days: int,
    by: str,
    now_ms: int,
    *,
    site: str = "",
    provider: str = "",
) -> tuple[Token, str]:
    """(what is kept, the token), in the caller's write transaction. `by`: who issues it. Raises TokenError."""
    if not 0 < len(name) <= NAME_CHARS_MAX or name != printable(name):
        raise TokenError(f"a token has a name of 1 to {NAME_CHARS_MAX} visible characters")
    if not 0 < life_days <= LIFE_DAYS_MAX:
        raise TokenError(f"a token lives 1 to {LIFE_DAYS_MAX} days")
    if site and provider:
        raise TokenError("a token is a shop's or a provider's, not both")
    allowed = OF_SHOPS if site else OF_PROVIDERS if provider else OF_ALL
    if not scopes or scopes - allowed:
        raise TokenError(f"name some of these scopes: {', '.join(sorted(allowed))}")
    if site and connection.execute(select(sites.c.id).where(sites.c.name == site)).first() is None:
        raise TokenError(f"there is no site {site}")
    if provider and connection.execute(select(campaigns.c.id).where(campaigns.c.provider == provider)).first() is None:
        raise TokenError(f"no coupon was issued by a provider {provider}")
    if (connection.execute(select(func.count()).select_from(api_tokens)).scalar() or 0) >= TOKENS_MAX:
        raise TokenError(f"there are {TOKENS_MAX:,} tokens already, revoked ones included")
    text = PREFIX + secrets.token_urlsafe(32)
    connection.execute(
        insert(api_tokens).values(
            name=name,
            token_hash=token_hash(text),
            scopes=" ".join(sorted(scopes)),
            site=site,
            provider=provider,
            created_by=by,
            created_ms=now_ms,
            expires_ms=now_ms + life_days * DAY_MS,
        )
    )
    audit.note(connection, Role.OPERATOR, by, audit.What.TOKEN_ISSUED, now_ms)
    token = find(connection, text)
    assert token is not None
    return token, text


def revoke(connection: Connection, number: int, by: str, now_ms: int) -> bool:
    """From the next request on it is refused. False: there is none of that number that works."""
    there = (api_tokens.c.id == number) & api_tokens.c.revoked_ms.is_(None)
    if not connection.execute(update(api_tokens).where(there).values(revoked_ms=now_ms)).rowcount:
        return False
    audit.note(connection, Role.OPERATOR, by, audit.What.TOKEN_REVOKED, now_ms)
    return True


def listed(connection: Connection) -> list[Token]:
    """Newest first, with those that are over."""
    return [_token(row) for row in connection.execute(select(api_tokens).order_by(api_tokens.c.id.desc()))]


def find(connection: Connection, text: str) -> Token | None:
    """Whose token this is, whether it still works or not."""
    row = connection.execute(select(api_tokens).where(api_tokens.c.token_hash == token_hash(text))).one_or_none()
    return None if row is None else _token(row)


def working(database: Database, text: str, now_ms: int) -> Token | None:
    """The token, if it works now; that it was used is kept, to the minute. Raises StorageError."""
    with database.read() as connection:
        token = find(connection, text)
    if token is None or not token.works(now_ms):
        return None
    if token.used_ms is None or now_ms - token.used_ms >= USED_EVERY_MS:
        used = update(api_tokens).where(api_tokens.c.id == token.id).values(used_ms=now_ms)
        database.unit(lambda connection: connection.execute(used))
    return token


def _token(row: Any) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        scopes=tuple(Scope(one) for one in row.scopes.split()),
        site=row.site,
        provider=row.provider,
        created_by=row.created_by,
        created_ms=row.created_ms,
        expires_ms=row.expires_ms,
        revoked_ms=row.revoked_ms,
        used_ms=row.used_ms,
    )


class Rate:
    """How often each token may ask: so often in any window. In memory: a restart forgets. Safe between threads."""

    def __init__(self, per_window: int = ASKED_PER_WINDOW, window_ms: int = WINDOW_MS) -> None:
        self._per_window, self._window_ms = per_window, window_ms
        self._lock = Lock()
        self._asked: dict[int, deque[int]] = {}  # at most TOKENS_MAX of them

    def wait_ms(self, number: int, now_ms: int) -> int:
        """Counts one request; 0: it may be made. Else how long to wait, and it does not count."""
        with self._lock:
            asked = self._asked.setdefault(number, deque(maxlen=self._per_window))
            if len(asked) == self._per_window and now_ms - asked[0] < self._window_ms:
                return asked[0] + self._window_ms - now_ms
            asked.append(now_ms)
            return 0
