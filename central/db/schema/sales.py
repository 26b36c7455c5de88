"""Sales of tills: what belongs to one, that it was taken back, and what was bought."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, PrimaryKeyConstraint, Table, Text, text

from central.db.schema.base import Id, metadata

# What belongs to a sale of a till (`central.reversals`): each fact once, under whatever epoch it is told.
sale_facts = Table(
    "sale_facts",
    metadata,
    Column("sale", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # of the fact's bytes
    Column("epoch_id", BigInteger, nullable=False),  # where it was booked first
    Column("seq", BigInteger, nullable=False),
    Column("undone", BigInteger, nullable=False),  # points taken back or restored so far; of a coupon: 1, it came back
    PrimaryKeyConstraint("sale", "digest"),
    sqlite_with_rowid=False,
)

# Sales that were taken back, whole or in part, as tills told it. Rows stay: the same id again is the same reversal.
reversals = Table(
    "reversals",
    metadata,
    Column("id", Id, primary_key=True),  # in the order of booking
    Column("name", LargeBinary, nullable=False, unique=True),  # the till's id of it
    Column("sale", LargeBinary, nullable=False, index=True),
    Column("kind", Text, nullable=False),  # wire.facts.Reversal
    Column("yen", BigInteger, nullable=False),  # of the price; 0: all that was left of it
    Column("site", Text, nullable=False),
    Column("epoch_id", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("booked_ms", BigInteger, nullable=False),
    Column("state", Text, nullable=False),  # central.reversals.State
    Column("due_ms", BigInteger),  # when it is to be looked at; None: nothing is left to do
    Index(
        "ix_reversals_due_ms",
        "due_ms",
        sqlite_where=text("due_ms IS NOT NULL"),
        postgresql_where=text("due_ms IS NOT NULL"),
    ),
)

# A purchase as a unit told it (M3). The holder is a pseudonym; 0: nobody showed a card.
purchases = Table(
    "purchases",
    metadata,
    Column("sale", LargeBinary, primary_key=True),  # 16 bytes, by the till; another one where that was used before
    Column("told", LargeBinary, nullable=False),  # a digest of the fact: the same sale told again is no second one
    Column("holder", BigInteger, nullable=False),
    Column("site", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("total_yen", BigInteger, nullable=False),
    Column("booked_ms", BigInteger, nullable=False),
    Column("returned_ms", BigInteger),  # since when it is known that all of it was taken back
    Index(
        "ix_purchases_holder",
        "holder",
        "at_ms",
        sqlite_where=text("holder <> 0"),
        postgresql_where=text("holder <> 0"),
    ),
    Index("ix_purchases_site", "site", "at_ms"),
    Index("ix_purchases_at_ms", "at_ms"),
)

purchase_lines = Table(
    "purchase_lines",
    metadata,
    Column("sale", LargeBinary, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("gtin", BigInteger, nullable=False),  # 0: goods without a code
    Column("quantity", BigInteger, nullable=False),
    Column("yen", BigInteger, nullable=False),
    PrimaryKeyConstraint("sale", "number"),
    sqlite_with_rowid=False,
)

# What goods are called, and of which kind they are.
goods = Table(
    "goods",
    metadata,
    Column("gtin", Id, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("category", Text, nullable=False, index=True),  # empty: none
)
