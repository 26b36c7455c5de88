"""The tables of the centre (SQLAlchemy Core), and how their values are stored.

Times are milliseconds since 1970 UTC, money is whole yen. Serial numbers are 64 unsigned bits; databases know
signed ones, so they are stored with `stored_serial` and read with `read_serial`.

`facts` is append-only: what was reported stays as it was reported, and everything else about a redemption can
be worked out from it again. Nothing that a unit reports may be refused for a missing row elsewhere, so
redemptions name campaigns and sites without a foreign key.
"""

from __future__ import annotations

from enum import IntFlag, StrEnum
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself for INTEGER alone
_SERIAL_SPAN: Final = 2**64
NUL: Final = "\0"  # the one character that a text can't have in every database


class DeviceState(StrEnum):
    ACTIVE = "active"
    BLOCKED = "blocked"


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


class QuestionState(StrEnum):
    GRANTED = "granted"  # its serial is held
    REFUSED = "refused"
    CANCELLED = "cancelled"
    SETTLED = "settled"  # the redemption came


def stored_serial(serial: int) -> int:
    return serial - _SERIAL_SPAN if serial >= _SERIAL_SPAN // 2 else serial


def read_serial(stored: int) -> int:
    return stored + _SERIAL_SPAN if stored < 0 else stored


meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", LargeBinary, nullable=False))

sites = Table(
    "sites",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),  # as it stands in topics
    Column("title", Text, nullable=False),  # as people read it
)

devices = Table(
    "devices",
    metadata,
    Column("id", _Id, primary_key=True),
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
    Column("id", _Id, primary_key=True),
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

redemptions = Table(
    "redemptions",
    metadata,
    Column("id", _Id, primary_key=True),  # in the order of booking
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
    Column("id", _Id, primary_key=True),
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

notices = Table(
    "notices",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("campaign", BigInteger, nullable=False),
    Column("ja", Text, nullable=False),
    Column("en", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger),
)

revocations = Table(
    "revocations",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("campaign", BigInteger, nullable=False),  # 0: everything of the holder
    Column("serial", BigInteger, nullable=False),
    Column("holder", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    UniqueConstraint("campaign", "serial", "holder"),
)

boots = Table(
    "boots",
    metadata,
    Column("id", _Id, primary_key=True),
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

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
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

persons = Table(
    "persons",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),  # argon2id
    Column("holder", BigInteger, nullable=False, unique=True),  # the pseudonym in coupons and facts, 48 bits
    Column("created_ms", BigInteger, nullable=False),
    Column("erased_ms", BigInteger),  # since when name and password are gone; the pseudonym stays in the books
)

consents = Table(
    "consents",
    metadata,
    Column("id", _Id, primary_key=True),
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
    Column("id", _Id, primary_key=True),
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
    Column("id", _Id, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("role", Text, nullable=False),
    Column("who", Text, nullable=False),  # a member of staff by name, a person by pseudonym
    Column("holder", BigInteger, nullable=False),  # whose data; 0: of several people
    Column("what", Text, nullable=False),  # central.audit.What
    Column("site", Text, nullable=False, server_default=""),  # the shop's that looked
    Index("ix_audit_holder", "holder", "id"),
)

cards = Table(
    "cards",
    metadata,
    Column("uid", LargeBinary, primary_key=True),  # 4 to 10 bytes
    Column("person_id", ForeignKey("persons.id"), nullable=False, index=True),
    Column("bound_ms", BigInteger, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("person_id", ForeignKey("persons.id"), primary_key=True, autoincrement=False),
    Column("number", Text, nullable=False, unique=True),  # ten digits
    Column("generation", Integer, nullable=False),  # of the valid card; 0: there was none yet
    Column("blocked", Boolean, nullable=False),  # that card was lost
    Column("tries", Integer, nullable=False),  # wrong passwords ...
    Column("tries_since_ms", BigInteger, nullable=False),  # ... since then
)

issued_cards = Table(
    "issued_cards",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("person_id", ForeignKey("members.person_id"), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("uid", LargeBinary, nullable=False, index=True),
    Column("chip", Text, nullable=False),  # loyalty.card_slots.Chip
    Column("state", Text, nullable=False),  # central.members.giving.CardState
    Column("device", Text, nullable=False),  # the kiosk; empty: by hand
    Column("question", LargeBinary, unique=True),  # of the kiosk
    Column("granted_ms", BigInteger, nullable=False),
    Column("settled_ms", BigInteger),
    UniqueConstraint("person_id", "generation"),
)

# Kiosks that want a card for somebody who stands before them.
card_requests = Table(
    "card_requests",
    metadata,
    Column("question", LargeBinary, primary_key=True),
    Column("code_hash", LargeBinary, nullable=False, unique=True),  # SHA-256 of what the QR says
    Column("device_id", ForeignKey("devices.id"), nullable=False, index=True),
    Column("uid", LargeBinary, nullable=False),
    Column("chip", Text, nullable=False),
    Column("expires_ms", BigInteger, nullable=False, index=True),
    Column("tries", Integer, nullable=False),
    Column("person_id", ForeignKey("members.person_id")),  # to whom it was granted
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),  # SHA-256: the token itself is the phone's alone
    Column("person_id", ForeignKey("persons.id"), nullable=False, index=True),
    Column("expires_ms", BigInteger, nullable=False),
)

coupons = Table(
    "coupons",
    metadata,
    Column("id", _Id, primary_key=True),
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
    Column("id", _Id, primary_key=True),
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

OPEN_PAYMENT: Final = "bank_settlements.state IN ('asked', 'debiting', 'in_doubt', 'reversing')"
"""`central.bank.states.OPEN` as an index knows it: in a query it must stand in these words, not in parameters."""
WITH_SERIAL: Final = "bank_settlements.serial <> 0"
_OPEN_PAYMENT: Final = text(OPEN_PAYMENT.replace("bank_settlements.", ""))
_WITH_SERIAL: Final = text(WITH_SERIAL.replace("bank_settlements.", ""))

# Payment by bank account (`central.bank`). The number of an account is sealed with a key that lies in a file.
bank_accounts = Table(
    "bank_accounts",
    metadata,
    Column("id", LargeBinary, primary_key=True),  # 16 random bytes: what cards, lanes and facts know it by
    Column("person_id", ForeignKey("persons.id"), nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),  # the number, for the bank alone
    Column("tail", Text, nullable=False),  # its last digits, by which its owner knows it
    Column("opened_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),  # None: it can pay
)

# Which coupons were selected ahead of time for which account (B1). A coupon pays with one account.
bank_selections = Table(
    "bank_selections",
    metadata,
    Column("coupon_id", ForeignKey("coupons.id"), primary_key=True, autoincrement=False),
    Column("account_id", ForeignKey("bank_accounts.id"), nullable=False, index=True),
    Column("selected_ms", BigInteger, nullable=False),
)

# The shops that take payment by account, and what each says about tax (B3).
bank_shops = Table(
    "bank_shops",
    metadata,
    Column("site_id", ForeignKey("sites.id"), primary_key=True, autoincrement=False),
    Column("liable", Boolean, nullable=False),  # whether it owes consumption tax
    Column("rounding", Text, nullable=False),  # loyalty.tax.Rounding
)

# Each payment by account, by the id that its lane made. Rows stay: the same id again has the same answer.
bank_settlements = Table(
    "bank_settlements",
    metadata,
    Column("question", LargeBinary, primary_key=True),  # also in `questions`, where it can be withdrawn
    Column("device_id", ForeignKey("devices.id"), nullable=False),
    Column("site", Text, nullable=False),
    Column("account_id", LargeBinary, nullable=False),  # as it was asked: perhaps nobody's
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of what was asked
    Column("state", Text, nullable=False),  # central.bank.states.State
    Column("reason", Text, nullable=False),  # loyalty.reason.Reason
    Column("coupon_id", ForeignKey("coupons.id")),  # None: no coupon counted
    Column("campaign", BigInteger, nullable=False),  # 0: none
    Column("serial", BigInteger, nullable=False),
    Column("answer", LargeBinary, nullable=False),  # wire.messages.Settlement, as it is once it is settled
    Column("debit_yen", BigInteger, nullable=False),
    Column("asked_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),  # the lane has given up by then
    Column("changed_ms", BigInteger, nullable=False),
    Column("tries", BigInteger, nullable=False),  # how often the bank was asked in vain since it is in doubt
    Column("next_ms", BigInteger, nullable=False),  # when it is asked again
    Column("sale", LargeBinary),  # the till's own id of the sale that it pays; None: it named none
    Index(
        "ix_bank_settlements_open",
        "next_ms",
        sqlite_where=_OPEN_PAYMENT,
        postgresql_where=_OPEN_PAYMENT,
    ),
    Index(
        "ix_bank_settlements_coupon",
        "campaign",
        "serial",
        sqlite_where=_WITH_SERIAL,
        postgresql_where=_WITH_SERIAL,
    ),
    Index("ix_bank_settlements_asked_ms", "asked_ms"),
    Index("ix_bank_settlements_account_id", "account_id"),
    Index(
        "ix_bank_settlements_sale",
        "sale",
        sqlite_where=text("sale IS NOT NULL"),
        postgresql_where=text("sale IS NOT NULL"),
    ),
)

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
    Column("id", _Id, primary_key=True),  # in the order of booking
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

# --- analysis (`central.analysis`). A day is its number since 1970-01-01, by the centre's own zone -------------

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

# Programs that ask for a shop or a provider (`central.tokens`).
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", _Id, primary_key=True),
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

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", _Id, primary_key=True),
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

# --- the ledger (`central.ledger`) --------------------------------------------------------------------------

programmes = Table(
    "programmes",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
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
    Column("id", _Id, primary_key=True),
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
    Column("id", _Id, primary_key=True),  # in the order of booking
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
    Column("id", _Id, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("transfers", BigInteger, nullable=False),  # how much was audited
    Column("postings", BigInteger, nullable=False),
    Column("findings", BigInteger, nullable=False),  # 0: the books are right
    Column("words", Text, nullable=False),  # the first of them, a line each
    Column("owed", LargeBinary, nullable=False),  # list[central.ledger.liability.Owed], MessagePack
)

# --- what was bought, and offers (`central.offers`) ---------------------------------------------------------

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
    Column("gtin", _Id, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("category", Text, nullable=False, index=True),  # empty: none
)

# Bargains and recommendations of the shops (M8).
bargains = Table(
    "bargains",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("site_id", ForeignKey("sites.id"), nullable=False),
    Column("kind", Text, nullable=False),  # central.offers.bargains.Kind
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("found_by", Text, nullable=False),  # what can be searched for, as `central.offers.bargains.folded` has it
    Column("about", Text, nullable=False),  # central.offers.bargains.About
    Column("goods", Text, nullable=False),  # a GTIN of 14 digits, a company's prefix, a category; empty: none
    Column("campaign", ForeignKey("campaigns.id")),  # a coupon that belongs to it; None: none
    Column("from_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),  # the first instant at which it is over
    Column("made_ms", BigInteger, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),  # the shop ended it before its time
    Index("ix_bargains_site", "site_id", "until_ms"),
    Index("ix_bargains_until_ms", "until_ms"),
)

# One run picks offers for everybody in turn (M9), once for each period; its tables of goods are its own.
offer_runs = Table(
    "offer_runs",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("period", Text, nullable=False, unique=True),
    Column("as_of_ms", BigInteger, nullable=False),  # what is bought later, and begins later, is for the next run
    Column("stage", Text, nullable=False),  # central.offers.run.Stage
    Column("cursor", BigInteger, nullable=False),  # the last person or goods that this stage is done with
    Column("people", BigInteger, nullable=False),  # who were looked at
    Column("picked", BigInteger, nullable=False),  # who got offers
    Column("changed_ms", BigInteger, nullable=False),
    Column("finished_ms", BigInteger),
)

# How many people bought these goods, and both of two.
goods_people = Table(
    "goods_people",
    metadata,
    Column("run_id", ForeignKey("offer_runs.id"), nullable=False),
    Column("gtin", BigInteger, nullable=False),
    Column("people", BigInteger, nullable=False),
    PrimaryKeyConstraint("run_id", "gtin"),
    sqlite_with_rowid=False,
)

goods_pairs = Table(
    "goods_pairs",
    metadata,
    Column("run_id", ForeignKey("offer_runs.id"), nullable=False),
    Column("gtin", BigInteger, nullable=False),
    Column("other", BigInteger, nullable=False),
    Column("people", BigInteger, nullable=False),
    PrimaryKeyConstraint("run_id", "gtin", "other"),
    sqlite_with_rowid=False,
)

# The goods that go best with these, best first.
goods_alike = Table(
    "goods_alike",
    metadata,
    Column("run_id", ForeignKey("offer_runs.id"), nullable=False),
    Column("gtin", BigInteger, nullable=False),
    Column("rank", BigInteger, nullable=False),
    Column("other", BigInteger, nullable=False),
    Column("cosine_ppm", BigInteger, nullable=False),
    PrimaryKeyConstraint("run_id", "gtin", "rank"),
    sqlite_with_rowid=False,
)

offer_picks = Table(
    "offer_picks",
    metadata,
    Column("run_id", ForeignKey("offer_runs.id"), nullable=False),
    Column("person_id", ForeignKey("persons.id"), nullable=False),
    Column("rank", BigInteger, nullable=False),  # 1 is the best
    Column("bargain_id", ForeignKey("bargains.id"), nullable=False),
    Column("why", Text, nullable=False),  # central.offers.picker.Why
    Column("gtin", BigInteger, nullable=False),  # what they bought; 0: it was not for goods
    Column("site", Text, nullable=False),  # where
    PrimaryKeyConstraint("run_id", "person_id", "rank"),
    Index("ix_offer_picks_person", "person_id", "bargain_id"),
    sqlite_with_rowid=False,
)

offer_declines = Table(
    "offer_declines",
    metadata,
    Column("person_id", ForeignKey("persons.id"), nullable=False),
    Column("bargain_id", ForeignKey("bargains.id"), nullable=False),
    PrimaryKeyConstraint("person_id", "bargain_id"),
    sqlite_with_rowid=False,
)

# Where a person can be reached (`central.offers.addresses`): nowhere else, and gone when they are erased.
mail_addresses = Table(
    "mail_addresses",
    metadata,
    Column("person_id", ForeignKey("persons.id"), primary_key=True, autoincrement=False),
    Column("address", Text, nullable=False),
    Column("lang", Text, nullable=False),
    Column("nonce", LargeBinary, nullable=False),  # 16 random bytes, of which its links are made
    Column("confirm_hash", LargeBinary, nullable=False, unique=True),  # of the token in the link that confirms it
    Column("leave_hash", LargeBinary, nullable=False, unique=True),  # of the one that ends the mails
    Column("entered_ms", BigInteger, nullable=False),
    Column("confirmed_ms", BigInteger),  # None: nothing is sent there but the link
)

postal_addresses = Table(
    "postal_addresses",
    metadata,
    Column("person_id", ForeignKey("persons.id"), primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("postcode", Text, nullable=False),
    Column("lines", Text, nullable=False),
    Column("lang", Text, nullable=False),
    Column("entered_ms", BigInteger, nullable=False),
)

MAIL_WAITS: Final = "mails.state = 'waiting'"
_MAIL_WAITS: Final = text(MAIL_WAITS.replace("mails.", ""))

# The outbox of mails (`central.offers.outbox`). What a mail says is worked out when it is sent; no address is in here.
mails = Table(
    "mails",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", LargeBinary, nullable=False, unique=True),  # 16 bytes, of which its Message-ID is made
    Column("kind", Text, nullable=False),  # central.offers.outbox.Kind
    Column("person_id", ForeignKey("persons.id"), nullable=False, index=True),
    Column("run_id", ForeignKey("offer_runs.id"), index=True),
    Column("state", Text, nullable=False),  # central.offers.outbox.State
    Column("tries", BigInteger, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("next_ms", BigInteger, nullable=False),  # when it is tried again
    Column("changed_ms", BigInteger, nullable=False),
    Column("code", BigInteger, nullable=False),  # the server's last answer; 0: there was none
    Index("ix_mails_waiting", "next_ms", sqlite_where=_MAIL_WAITS, postgresql_where=_MAIL_WAITS),
)
