"""The ledger (`central.ledger`): accounts, transfers and their postings, lots of points."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from central.db.schema.base import Id, metadata

programmes = Table(
    "programmes",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),  # loyalty.points.Programme, MessagePack
    Column("changed_ms", BigInteger, nullable=False),
)

earn_rules = Table(
    "earn_rules",
    metadata,
    Column("programme", BigInteger, nullable=False),
    Column("site", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),  # loyalty.points.EarnRule, MessagePack
    Column("made_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("programme", "site", "revision"),
    sqlite_with_rowid=False,
)

OF_A_PERSON: Final = "accounts.holder <> 0"
"""What the index by holder holds: in a query it must stand in these words, not in parameters."""

accounts = Table(
    "accounts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Text, nullable=False),  # central.ledger.chart.Kind
    Column("programme", BigInteger, nullable=False),
    Column("holder", BigInteger, nullable=False),  # 0: nobody's in particular
    Column("place", Text, nullable=False),  # a site or a company; empty: none in particular
    Column("balance", BigInteger, nullable=False),  # the sum of its postings: a cache that the auditor recomputes
    Column("held", BigInteger, nullable=False),  # what pending transfers take of it; never negative; a cache too
    UniqueConstraint("place", "programme", "kind", "holder"),
    Index(
        "ix_accounts_owing",
        "programme",
        sqlite_where=text("kind = 'advance' AND balance < 0"),
        postgresql_where=text("kind = 'advance' AND balance < 0"),
    ),
    Index(
        "ix_accounts_holder",
        "holder",
        "programme",
        sqlite_where=text("holder <> 0"),
        postgresql_where=text("holder <> 0"),
    ),
)

# Append-only, like `postings`, `lots` (but for what is left of them) and `lot_moves`: a correction is a new transfer.
transfers = Table(
    "transfers",
    metadata,
    Column("id", Id, primary_key=True),  # in the order of booking
    Column("name", LargeBinary, nullable=False, unique=True),  # 16 bytes, made by the caller
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),  # central.ledger.transfer.State
    Column("programme", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),  # when it happened
    Column("booked_ms", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),  # a digest of what was asked: the same name must mean the same
    Column("about", ForeignKey("transfers.id")),  # the transfer that it takes back or goes on with
    Column("settles", ForeignKey("transfers.id"), unique=True),  # the pending one that it posts or voids: once
    Index(
        "ix_transfers_about",
        "about",
        sqlite_where=text("about IS NOT NULL"),
        postgresql_where=text("about IS NOT NULL"),
    ),
)

postings = Table(
    "postings",
    metadata,
    Column("transfer", ForeignKey("transfers.id"), nullable=False),
    Column("account", ForeignKey("accounts.id"), nullable=False),
    Column("amount", BigInteger, nullable=False),  # in the account's unit; a transfer's sum to 0 in each unit
    PrimaryKeyConstraint("transfer", "account"),
    Index("ix_postings_account", "account", "transfer"),
    sqlite_with_rowid=False,
)

# Points of a person that came together and end together.
lots = Table(
    "lots",
    metadata,
    Column("transfer", ForeignKey("transfers.id"), nullable=False),  # that brought them
    Column("number", BigInteger, nullable=False),
    Column("account", ForeignKey("accounts.id"), nullable=False),
    Column("programme", BigInteger, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("yen", BigInteger, nullable=False),  # that were paid for them
    Column("rest", BigInteger, nullable=False),  # points not taken yet: a cache, recomputed from `lot_moves`
    Column("rest_yen", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),  # when they were earned
    Column("expires_ms", BigInteger, nullable=False),  # first instant at which they count no more; NEVER_MS: no end
    Column("origin", BigInteger),  # the lot of which a refund restored them, for it had ended: its transfer
    Column("origin_number", BigInteger),
    PrimaryKeyConstraint("transfer", "number"),
    Index(
        "ix_lots_open",
        "account",
        "expires_ms",
        sqlite_where=text("rest > 0"),
        postgresql_where=text("rest > 0"),
    ),
    Index(
        "ix_lots_ending",
        "programme",
        "expires_ms",
        sqlite_where=text("rest > 0"),
        postgresql_where=text("rest > 0"),
    ),
    sqlite_with_rowid=False,
)

# What a transfer took of a lot (negative) or put back into it.
lot_moves = Table(
    "lot_moves",
    metadata,
    Column("transfer", ForeignKey("transfers.id"), nullable=False),
    Column("lot", BigInteger, nullable=False),  # the transfer that brought it
    Column("number", BigInteger, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("yen", BigInteger, nullable=False),
    PrimaryKeyConstraint("transfer", "lot", "number"),
    ForeignKeyConstraint(["lot", "number"], ["lots.transfer", "lots.number"]),
    Index("ix_lot_moves_lot", "lot", "number"),
    sqlite_with_rowid=False,
)

# What the auditor found, each time that somebody had it look (`central.ledger.audits`). The newest are kept.
ledger_audits = Table(
    "ledger_audits",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("transfers", BigInteger, nullable=False),  # how much was audited
    Column("postings", BigInteger, nullable=False),
    Column("findings", BigInteger, nullable=False),  # 0: the books are right
    Column("words", Text, nullable=False),  # the first of them, a line each
    Column("owed", LargeBinary, nullable=False),  # list[central.ledger.liability.Owed], MessagePack
)
