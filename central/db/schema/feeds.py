"""The change log of each site, and what lanes told ahead of their facts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, LargeBinary, PrimaryKeyConstraint, Table, Text

from central.db.schema.base import Id, metadata

feeds = Table(
    "feeds",
    metadata,
    Column("site_id", ForeignKey("sites.id"), primary_key=True),
    Column("head", BigInteger, nullable=False),  # number of the newest change
    Column("floor", BigInteger, nullable=False),  # changes after this number are kept
)

feed_bodies = Table(
    "feed_bodies",
    metadata,
    Column("id", Id, primary_key=True),
    Column("changes", LargeBinary, nullable=False),  # encoded list[wire.messages.Change]
)

change_log = Table(
    "change_log",
    metadata,
    Column("site_id", ForeignKey("feeds.site_id"), nullable=False),
    Column("first", BigInteger, nullable=False),  # number of the first change of the body
    Column("count", BigInteger, nullable=False),
    Column("body_id", ForeignKey("feed_bodies.id"), nullable=False, index=True),
    PrimaryKeyConstraint("site_id", "first"),
    sqlite_with_rowid=False,
)

hints = Table(
    "hints",
    metadata,
    Column("fact", LargeBinary, primary_key=True),  # wire.sealing.fact_id
    Column("device_id", ForeignKey("devices.id"), nullable=False, index=True),
    Column("campaign", BigInteger, nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("holder", BigInteger, nullable=False),
    Column("site", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("told_ms", BigInteger, nullable=False, index=True),
)
