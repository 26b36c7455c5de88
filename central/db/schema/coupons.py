"""Coupons: what was issued and given out, its uses and their states, conflicts, the stop list."""

from __future__ import annotations

from enum import IntFlag, StrEnum
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from central.db.schema.base import Id, metadata


class RedemptionState(StrEnum):
    """How a redemption was cleared (K6). The first that is booked for a serial is the use; policy 'first booked'."""

    CLEARED = "cleared"
    DOUBLE = "double"  # the serial was used before: a second fact, with a conflict to settle
    LATE = "late"  # the use of its serial, but booked long after the campaign's end
    VOID = "void"  # the same fact told again under another epoch: not a second use
    RESTORED = "restored"  # its sale was taken back: not a use any more, and the serial is free


USES: Final = (RedemptionState.CLEARED.value, RedemptionState.LATE.value)

NO_USES: Final = (RedemptionState.VOID.value, RedemptionState.RESTORED.value)
"""In these a redemption counts for nothing and nobody is told of it."""


class Flag(IntFlag):
    """What is odd about a redemption. Stored as a number; never renumbered."""

    DOUBLE = 1
    LATE = 2
    FORK = 4  # told by, or booked beside, a journal that forked
    RESTORED = 8
    SALVAGED = 16
    UNKNOWN_CAMPAIGN = 32
    CLOCK_DOUBTED = 64
    OUTSIDE_DATES = 128
    OVER_CAP = 256
    OVER_PERSON_LIMIT = 512
    NOT_GRANTED = 1024  # only the centre may decide, and it had not said yes
    CANCELLED = 2048  # its question was cancelled as well
    REPEATED = 4096  # told before, under another epoch
    CLOCK_CORRECTED = 1 << 16  # its time is not the one that its stamp names (`central.clocks`)
    REVOKED = 1 << 17  # used after its serial or its holder was put on the stop list

    def names(self) -> list[str]:
        return [flag.name.lower() for flag in Flag if flag in self and flag.name is not None]


redemptions = Table(
    "redemptions",
    metadata,
    Column("id", Id, primary_key=True),  # in the order of booking
    Column("epoch_id", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("device_id", BigInteger, nullable=False),
    Column("campaign", BigInteger, nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("holder", BigInteger, nullable=False),
    Column("site", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),  # corrected (`central.clocks`)
    Column("booked_ms", BigInteger, nullable=False),
    Column("discount_yen", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("flags", BigInteger, nullable=False),
    Column("wall_ms", BigInteger, nullable=False, server_default="0"),  # as the fact's stamp names it; never corrected
    Column("at_error_ms", BigInteger, nullable=False, server_default="0"),  # how far `at_ms` may be wrong
    ForeignKeyConstraint(["epoch_id", "seq"], ["facts.epoch_id", "facts.seq"]),
    UniqueConstraint("epoch_id", "seq"),
    Index("ix_redemptions_serial", "campaign", "serial", "wall_ms"),
    Index("ix_redemptions_site", "site", "at_ms"),
    Index(
        "ix_redemptions_holder",
        "campaign",
        "holder",
        sqlite_where=text("holder <> 0"),
        postgresql_where=text("holder <> 0"),
    ),
)

conflicts = Table(
    "conflicts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Text, nullable=False),  # `central.conflicts.KINDS`
    Column("campaign", BigInteger, nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("first_epoch", BigInteger, nullable=False),  # 0: it is about one fact alone
    Column("first_seq", BigInteger, nullable=False),
    Column("second_epoch", BigInteger, nullable=False),
    Column("second_seq", BigInteger, nullable=False),
    Column("found_ms", BigInteger, nullable=False),
    Column("resolved_ms", BigInteger),
    Column("note", Text, nullable=False, server_default=""),
    Column("rule", Text, nullable=False, server_default="operator"),  # loyalty.campaign.ConflictRule
    Column("charges", Text, nullable=False, server_default=""),  # central.conflicts.Party
    Column("charged", Text, nullable=False, server_default=""),  # the party's name
    Column("amount_yen", BigInteger, nullable=False, server_default="0"),
    Column("state", Text, nullable=False, server_default="waits"),  # central.conflicts.ConflictState
    # Of conflicts about points (`central.ledger.lanes`); their campaign is 0.
    Column("programme", BigInteger, nullable=False, server_default="0"),
    Column("holder", BigInteger, nullable=False, server_default="0"),
    Column("site", Text, nullable=False, server_default=""),
    Column("points", BigInteger, nullable=False, server_default="0"),  # at stake
    Column("transfer", LargeBinary),  # the name of the transfer that booked it
    Index(
        "ix_conflicts_transfer",
        "transfer",
        sqlite_where=text("transfer IS NOT NULL"),
        postgresql_where=text("transfer IS NOT NULL"),
    ),
    Index(
        "ix_conflicts_owed",
        "programme",
        "holder",
        sqlite_where=text("holder <> 0 AND state = 'waits'"),
        postgresql_where=text("holder <> 0 AND state = 'waits'"),
    ),
    Index("ix_conflicts_second_epoch_second_seq", "second_epoch", "second_seq"),
)

revocations = Table(
    "revocations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("campaign", BigInteger, nullable=False),  # 0: everything of the holder
    Column("serial", BigInteger, nullable=False),
    Column("holder", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    UniqueConstraint("campaign", "serial", "holder"),
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),  # loyalty.campaign.Campaign, MessagePack
    Column("found_by", Text, nullable=False, index=True),  # a JAN, or the key of a code of the trade; empty: none
    Column("stock_left", BigInteger),  # None: unlimited
    Column("given_out", BigInteger, nullable=False),
    Column("redeemed", BigInteger, nullable=False),  # uses that are booked
    Column("issued_ms", BigInteger, nullable=False),
    Column("exposed", BigInteger, nullable=False, server_default="0"),  # uses too many, that units gave alone
    Column("exposed_yen", BigInteger, nullable=False, server_default="0"),
    Column("provider", Text, nullable=False, server_default="", index=True),  # as in the body
)

coupon_keys = Table(
    "coupon_keys",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1..255
    Column("public", LargeBinary, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("retired_ms", BigInteger),
)

coupons = Table(
    "coupons",
    metadata,
    Column("id", Id, primary_key=True),
    Column("campaign", ForeignKey("campaigns.id"), nullable=False),
    Column("serial", BigInteger, nullable=False),  # 0: the campaign has none (K8)
    Column("number", BigInteger),  # the identification number of figure 2
    Column("person_id", ForeignKey("persons.id"), index=True),  # none: handed out without asking who (K8)
    Column("downloaded_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("text", Text, nullable=False),
    # Policy 'home': the site that decides about the serial, 0 for the centre, and how often that changed.
    Column("home", BigInteger, nullable=False, server_default=text("0")),
    Column("moves", BigInteger, nullable=False, server_default=text("0")),
    Index("ix_coupons_campaign_downloaded", "campaign", "downloaded_ms"),
    Index(
        "uq_coupons_serial",
        "campaign",
        "serial",
        unique=True,
        sqlite_where=text("serial <> 0"),
        postgresql_where=text("serial <> 0"),
    ),
)
