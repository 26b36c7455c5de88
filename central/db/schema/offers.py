"""Bargains of shops, offers picked for people, and how these reach them (`central.offers`)."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, PrimaryKeyConstraint, Table, Text, text

from central.db.schema.base import Id, metadata

# Bargains and recommendations of the shops (M8).
bargains = Table(
    "bargains",
    metadata,
    Column("id", Id, primary_key=True),
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
    Column("id", Id, primary_key=True),
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
    Column("id", Id, primary_key=True),
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
