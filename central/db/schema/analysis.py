"""Analysis (`central.analysis`). A day is its number since 1970-01-01, by the centre's own zone."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, PrimaryKeyConstraint, Table, Text

from central.db.schema.base import metadata

# Who opened which coupon's page: people who agreed alone.
offer_views = Table(
    "offer_views",
    metadata,
    Column("campaign", BigInteger, nullable=False),
    Column("day", BigInteger, nullable=False, index=True),
    Column("person_id", ForeignKey("persons.id"), nullable=False, index=True),
    Column("times", BigInteger, nullable=False),
    PrimaryKeyConstraint("campaign", "day", "person_id"),
    sqlite_with_rowid=False,
)

# Views, downloads and uses of a day: a cache of the books, counted anew where something changed.
analysis_cells = Table(
    "analysis_cells",
    metadata,
    Column("day", BigInteger, nullable=False),
    Column("what", Text, nullable=False),  # 'view', 'download', 'use'
    Column("site", Text, nullable=False),  # of a use; else empty
    Column("campaign", BigInteger, nullable=False),
    Column("hour", BigInteger, nullable=False),  # 0 to 23; -1: not known
    Column("count", BigInteger, nullable=False),
    Column("yen", BigInteger, nullable=False),  # taken off
    PrimaryKeyConstraint("day", "what", "site", "campaign", "hour"),
    Index("ix_analysis_cells_site", "site", "day"),
    Index("ix_analysis_cells_campaign", "campaign", "day"),
    sqlite_with_rowid=False,
)

# Some of the people behind each cell: enough to say whether a group is too small to be shown.
analysis_people = Table(
    "analysis_people",
    metadata,
    Column("day", BigInteger, nullable=False),
    Column("what", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("campaign", BigInteger, nullable=False),
    Column("hour", BigInteger, nullable=False),
    Column("tag", BigInteger, nullable=False),  # of a person; negative: nobody knows who, a row of its own
    PrimaryKeyConstraint("day", "what", "site", "campaign", "hour", "tag"),
    Index("ix_analysis_people_site", "site", "day"),
    Index("ix_analysis_people_campaign", "campaign", "day"),
    sqlite_with_rowid=False,
)

# Days that are to be counted anew. Changes of `redemptions` write themselves down here, by a trigger.
analysis_touched = Table(
    "analysis_touched",
    metadata,
    Column("what", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("campaign", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),  # any instant of the day
    PrimaryKeyConstraint("what", "site", "campaign", "at_ms"),
    sqlite_with_rowid=False,
)
