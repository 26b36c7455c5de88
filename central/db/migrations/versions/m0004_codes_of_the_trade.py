"""Codes of the trade stand for campaigns, as JANs do; and cards have holders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index(op.f("ix_campaigns_jan"), table_name="campaigns")
    op.execute("ALTER TABLE campaigns RENAME COLUMN jan TO found_by")
    op.create_index(op.f("ix_campaigns_found_by"), "campaigns", ["found_by"], unique=False)
    op.create_table(
        "cards",
        sa.Column("uid", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("bound_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_cards_person_id")),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_cards")),
    )
    op.create_index(op.f("ix_cards_person_id"), "cards", ["person_id"], unique=False)
