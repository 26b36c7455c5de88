"""What units may decide alone: questions to the centre, parts of limits, homes of serials."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, PrimaryKeyConstraint, Table, Text, text

from central.db.schema.base import metadata


class QuestionState(StrEnum):
    GRANTED = "granted"  # its serial is held
    REFUSED = "refused"
    CANCELLED = "cancelled"
    SETTLED = "settled"  # the redemption came


questions = Table(
    "questions",
    metadata,
    Column("question", LargeBinary, primary_key=True),
    Column("device_id", ForeignKey("devices.id"), nullable=False),
    Column("campaign", BigInteger, nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("holder", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),  # of the answer's reason
    Column("site", Text, nullable=False),
    Column("asked_ms", BigInteger, nullable=False),
    Column("cost_yen", BigInteger, nullable=False, server_default=text("0")),  # what a yes holds of the budget
    Index(
        "uq_questions_held",
        "campaign",
        "serial",
        unique=True,
        sqlite_where=text("state = 'granted' AND serial <> 0"),
        postgresql_where=text("state = 'granted' AND serial <> 0"),
    ),
    Index(
        "ix_questions_granted",
        "campaign",
        "holder",
        sqlite_where=text("state = 'granted'"),
        postgresql_where=text("state = 'granted'"),
    ),
)

# What is leased (loyalty.lease): one row for each limit, with sums that cost nothing to ask for.
pots = Table(
    "pots",
    metadata,
    Column("kind", Text, nullable=False),
    Column("id", BigInteger, nullable=False),
    Column("holder", BigInteger, nullable=False),
    Column("cap_count", BigInteger),  # None: not limited
    Column("cap_yen", BigInteger),
    Column("unit_yen", BigInteger, nullable=False),  # what one use costs at most; 0: not known before
    Column("spent_count", BigInteger, nullable=False),  # booked
    Column("spent_yen", BigInteger, nullable=False),
    Column("out_count", BigInteger, nullable=False),  # left in the parts of units
    Column("out_yen", BigInteger, nullable=False),
    Column("transit_count", BigInteger, nullable=False),  # given by one unit and not yet taken by the other
    Column("transit_yen", BigInteger, nullable=False),
    Column("exposure_count", BigInteger, nullable=False),  # spent beyond parts, or written off
    Column("exposure_yen", BigInteger, nullable=False),
    PrimaryKeyConstraint("kind", "id", "holder"),
    sqlite_with_rowid=False,
)

# What one epoch of one unit has of a pot: granted + moved - spent is left there.
parts = Table(
    "parts",
    metadata,
    Column("device_id", ForeignKey("devices.id"), nullable=False),
    Column("epoch", LargeBinary, nullable=False),
    Column("kind", Text, nullable=False),
    Column("id", BigInteger, nullable=False),
    Column("holder", BigInteger, nullable=False),
    Column("granted_count", BigInteger, nullable=False),
    Column("granted_yen", BigInteger, nullable=False),
    Column("moved_count", BigInteger, nullable=False),
    Column("moved_yen", BigInteger, nullable=False),
    Column("spent_count", BigInteger, nullable=False),
    Column("spent_yen", BigInteger, nullable=False),
    Column("written_off_count", BigInteger, nullable=False),
    Column("written_off_yen", BigInteger, nullable=False),
    Column("ends_ms", BigInteger, nullable=False),
    Column("asked_ms", BigInteger, nullable=False),  # when the unit last asked
    PrimaryKeyConstraint("device_id", "epoch", "kind", "id", "holder"),
    Index("ix_parts_pot", "kind", "id", "holder"),
    sqlite_with_rowid=False,
)

# Halves of transfers, and returns, that are booked: each counts once, under whatever epoch it is told.
part_moves = Table(
    "part_moves",
    metadata,
    Column("id", LargeBinary, nullable=False),
    Column("side", Text, nullable=False),  # 'returned', 'given', 'taken', 'spent'
    Column("device_id", ForeignKey("devices.id"), nullable=False),
    Column("peer", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("pot_id", BigInteger, nullable=False),
    Column("holder", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("yen", BigInteger, nullable=False),
    Column("booked_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("id", "side"),
    sqlite_with_rowid=False,
)

# The lane that keeps the home of a site.
homes = Table(
    "homes",
    metadata,
    Column("site_id", ForeignKey("sites.id"), primary_key=True, autoincrement=False),
    Column("device_id", ForeignKey("devices.id")),  # None: nobody keeps it now
    Column("epoch", LargeBinary, nullable=False),
    Column("term", BigInteger, nullable=False),
    Column("next_device_id", ForeignKey("devices.id")),  # who is to keep it once the present keeper has left
)

# Serials whose home is to move, until the present keeper has let them go.
home_moves = Table(
    "home_moves",
    metadata,
    Column("question", LargeBinary, primary_key=True),  # names the move
    Column("campaign", BigInteger, nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("home", BigInteger, nullable=False),  # the site it moves to
    Column("asked_ms", BigInteger, nullable=False),
)
