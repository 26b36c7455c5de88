"""Member cards: whose they are, which were given out, and who is asking for one."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, Table, Text, UniqueConstraint

from central.db.schema.base import Id, metadata

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
    Column("id", Id, primary_key=True),
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
