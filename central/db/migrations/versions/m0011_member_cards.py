"""Members have a number and cards of generations; kiosks ask for cards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "members",
        sa.Column("person_id", number, autoincrement=False, nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("tries_since_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_members_person_id")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_members")),
        sa.UniqueConstraint("number", name=op.f("uq_members_number")),
    )
    op.create_table(
        "issued_cards",
        sa.Column("id", number, nullable=False),
        sa.Column("person_id", number, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("uid", sa.LargeBinary(), nullable=False),
        sa.Column("chip", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("question", sa.LargeBinary(), nullable=True),
        sa.Column("granted_ms", sa.BigInteger(), nullable=False),
        sa.Column("settled_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["members.person_id"], name=op.f("fk_issued_cards_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issued_cards")),
        sa.UniqueConstraint("person_id", "generation", name=op.f("uq_issued_cards_person_id_generation")),
        sa.UniqueConstraint("question", name=op.f("uq_issued_cards_question")),
    )
    op.create_index(op.f("ix_issued_cards_uid"), "issued_cards", ["uid"], unique=False)
    op.create_table(
        "card_requests",
        sa.Column("question", sa.LargeBinary(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("device_id", number, nullable=False),
        sa.Column("uid", sa.LargeBinary(), nullable=False),
        sa.Column("chip", sa.Text(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("person_id", number, nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_card_requests_device_id")),
        sa.ForeignKeyConstraint(["person_id"], ["members.person_id"], name=op.f("fk_card_requests_person_id")),
        sa.PrimaryKeyConstraint("question", name=op.f("pk_card_requests")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_card_requests_code_hash")),
    )
    op.create_index(op.f("ix_card_requests_device_id"), "card_requests", ["device_id"], unique=False)
    op.create_index(op.f("ix_card_requests_expires_ms"), "card_requests", ["expires_ms"], unique=False)
