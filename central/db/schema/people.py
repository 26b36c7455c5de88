"""Who the centre knows: persons, their consents and logins, staff, programs with tokens, and who looked at whom."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, Table, Text

from central.db.schema.base import Id, metadata

persons = Table(
    "persons",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),  # argon2id
    Column("holder", BigInteger, nullable=False, unique=True),  # the pseudonym in coupons and facts, 48 bits
    Column("created_ms", BigInteger, nullable=False),
    Column("erased_ms", BigInteger),  # since when name and password are gone; the pseudonym stays in the books
)

consents = Table(
    "consents",
    metadata,
    Column("id", Id, primary_key=True),
    Column("person_id", ForeignKey("persons.id"), nullable=False, index=True),
    Column("purpose", Text, nullable=False),  # central.consent.Purpose
    Column("version", Text, nullable=False),  # of the text that was read
    Column("given_ms", BigInteger, nullable=False),
    Column("withdrawn_ms", BigInteger),
)

# Who works with the centre's pages: a shop, a provider, an operator.
staff = Table(
    "staff",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),  # argon2id
    Column("role", Text, nullable=False),  # central.staff.Role
    Column("site", Text, nullable=False),  # a shop's; else empty
    Column("provider", Text, nullable=False),  # a provider's, as campaigns name it; else empty
    Column("created_ms", BigInteger, nullable=False),
)

staff_sessions = Table(
    "staff_sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),  # SHA-256: the token itself is the browser's alone
    Column("staff_id", ForeignKey("staff.id"), nullable=False, index=True),
    Column("expires_ms", BigInteger, nullable=False),
)

# Every look at personal data. Append-only; names of people are not in it, so that it outlives an erasure.
audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("role", Text, nullable=False),
    Column("who", Text, nullable=False),  # a member of staff by name, a person by pseudonym
    Column("holder", BigInteger, nullable=False),  # whose data; 0: of several people
    Column("what", Text, nullable=False),  # central.audit.What
    Column("site", Text, nullable=False, server_default=""),  # the shop's that looked
    Index("ix_audit_holder", "holder", "id"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),  # SHA-256: the token itself is the phone's alone
    Column("person_id", ForeignKey("persons.id"), nullable=False, index=True),
    Column("expires_ms", BigInteger, nullable=False),
)

# Programs that ask for a shop or a provider (`central.tokens`).
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),  # SHA-256: the token itself was shown once
    Column("scopes", Text, nullable=False),  # central.tokens.Scope, with blanks between
    Column("site", Text, nullable=False),  # a shop's; else empty
    Column("provider", Text, nullable=False),  # a provider's; else empty. Neither: the whole centre's
    Column("created_by", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
    Column("used_ms", BigInteger),  # about when it was last used
)
