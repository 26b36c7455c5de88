"""Sites and units, what units report (`facts`, append-only), their clocks, and what could not be booked."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from central.db.schema.base import Id, metadata


class DeviceState(StrEnum):
    ACTIVE = "active"
    BLOCKED = "blocked"


sites = Table(
    "sites",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),  # as it stands in topics
    Column("title", Text, nullable=False),  # as people read it
)

devices = Table(
    "devices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("site_id", ForeignKey("sites.id"), nullable=False),
    Column("public", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("enrolled_ms", BigInteger, nullable=False),
    # After a restore nothing is granted until each unit has reported what it holds: 'awaits' says it has not.
    Column("awaits", Boolean, nullable=False),
    Column("owed_epoch", LargeBinary),  # how far its journal reached when it said so
    Column("owed_head", BigInteger),
    Column("owes_parts", Boolean, nullable=False, server_default=false()),  # ... nor said what was leased to it
    Column("given_up", Boolean, nullable=False, server_default=false()),  # by an operator, until it is active again
)

epochs = Table(
    "epochs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("device_id", ForeignKey("devices.id"), nullable=False),
    Column("epoch", LargeBinary, nullable=False),
    Column("upto", BigInteger, nullable=False),
    Column("upto_hash", LargeBinary, nullable=False),
    Column("opened_by", Text, nullable=False),  # '', 'fork', 'restored', 'salvaged', 'unannounced'
    Column("previous", LargeBinary, nullable=False),  # the epoch it follows; empty: none or not known
    Column("after", BigInteger, nullable=False),  # last number of the previous epoch that stays valid
    Column("flagged_until", BigInteger, nullable=False),  # facts up to this number were carried over
    Column("opened_ms", BigInteger, nullable=False),
    UniqueConstraint("device_id", "epoch"),
)

facts = Table(
    "facts",
    metadata,
    Column("epoch_id", ForeignKey("epochs.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("type", Text, nullable=False),  # the tag in wire.facts; empty: put aside
    Column("body", LargeBinary, nullable=False),
    Column("booked_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("epoch_id", "seq"),
    sqlite_with_rowid=False,
)

notices = Table(
    "notices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("campaign", BigInteger, nullable=False),
    Column("ja", Text, nullable=False),
    Column("en", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger),
)

boots = Table(
    "boots",
    metadata,
    Column("id", Id, primary_key=True),
    Column("device_id", ForeignKey("devices.id"), nullable=False),
    Column("boot", LargeBinary, nullable=False),
    Column("offset_ms", BigInteger, nullable=False),  # true wall time less the boot's monotonic time
    Column("error_ms", BigInteger, nullable=False),  # at `mono_ms`; it grows with the distance from there
    Column("mono_ms", BigInteger, nullable=False),
    Column("source", Text, nullable=False),  # central.offsets.Learnt
    UniqueConstraint("device_id", "boot"),
)

boot_spans = Table(
    "boot_spans",
    metadata,
    Column("epoch_id", ForeignKey("epochs.id"), nullable=False),
    Column("boot_id", ForeignKey("boots.id"), nullable=False),
    Column("first_seq", BigInteger, nullable=False),  # its facts follow each other from here on
    Column("corrected", BigInteger),  # those above this number are to be corrected; None: nothing is
    PrimaryKeyConstraint("epoch_id", "boot_id"),
    Index(
        "ix_boot_spans_waiting",
        "epoch_id",
        sqlite_where=text("corrected IS NOT NULL"),
        postgresql_where=text("corrected IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Id, primary_key=True),
    Column("device", Text, nullable=False),  # as the topic named it
    Column("topic", Text, nullable=False),
    Column("epoch", LargeBinary),
    Column("seq", BigInteger),  # the fact that was put aside; None: a message that was refused whole
    Column("reason", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),  # its beginning
    Column("payload_bytes", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False, index=True),
    Column("times", BigInteger, nullable=False),  # the same message again counts up here
    Column("received_ms", BigInteger, nullable=False),
    Column("resolved_ms", BigInteger),
    Column("note", Text, nullable=False, server_default=""),
)
