"""Sales that were taken back: what belongs to a sale, its reversals, and the payments that name one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sale_facts",
        sa.Column("sale", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("epoch_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("undone", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sale", "digest", name=op.f("pk_sale_facts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reversals",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("sale", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("yen", sa.BigInteger(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("epoch_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("booked_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reversals")),
        sa.UniqueConstraint("name", name=op.f("uq_reversals_name")),
    )
    op.create_index(op.f("ix_reversals_sale"), "reversals", ["sale"], unique=False)
    due = sa.text("due_ms IS NOT NULL")
    op.create_index(
        "ix_reversals_due_ms", "reversals", ["due_ms"], unique=False, sqlite_where=due, postgresql_where=due
    )
    op.add_column("bank_settlements", sa.Column("sale", sa.LargeBinary(), nullable=True))
    named = sa.text("sale IS NOT NULL")
    op.create_index(
        "ix_bank_settlements_sale", "bank_settlements", ["sale"], unique=False, sqlite_where=named,
        postgresql_where=named,
    )  # fmt: skip
