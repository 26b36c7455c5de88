"""Conflicts that say who pays, exposure and notices, stop lists, and corrected times."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _number(name: str, default: str | None = None, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default=default, nullable=nullable)


def _words(name: str, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=False)


def upgrade() -> None:
    op.add_column("redemptions", _number("wall_ms", "0"))
    op.add_column("redemptions", _number("at_error_ms", "0"))
    op.execute("UPDATE redemptions SET wall_ms = at_ms")
    op.drop_index("ix_redemptions_serial", "redemptions")
    op.create_index("ix_redemptions_serial", "redemptions", ["campaign", "serial", "wall_ms"], unique=False)
    for column in (
        _words("rule", "operator"),
        _words("charges", ""),
        _words("charged", ""),
        _number("amount_yen", "0"),
        _words("state", "waits"),
    ):
        op.add_column("conflicts", column)
    op.execute("UPDATE conflicts SET state = 'settled' WHERE resolved_ms IS NOT NULL")
    op.create_index("ix_conflicts_second_epoch_second_seq", "conflicts", ["second_epoch", "second_seq"], unique=False)
    op.add_column("campaigns", _number("exposed", "0"))
    op.add_column("campaigns", _number("exposed_yen", "0"))
    op.create_table(
        "notices",
        sa.Column("id", _ID, nullable=False),
        _words("kind"),
        _number("campaign"),
        _words("ja"),
        _words("en"),
        _number("at_ms"),
        _number("seen_ms", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    op.create_table(
        "revocations",
        sa.Column("id", _ID, nullable=False),
        _number("campaign"),
        _number("serial"),
        _number("holder"),
        _number("revoked_ms"),
        _words("note"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revocations")),
        sa.UniqueConstraint("campaign", "serial", "holder", name=op.f("uq_revocations_campaign_serial_holder")),
    )
    op.create_table(
        "boots",
        sa.Column("id", _ID, nullable=False),
        sa.Column("device_id", _ID, nullable=False),
        sa.Column("boot", sa.LargeBinary(), nullable=False),
        _number("offset_ms"),
        _number("error_ms"),
        _number("mono_ms"),
        _words("source"),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_boots_device_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_boots")),
        sa.UniqueConstraint("device_id", "boot", name=op.f("uq_boots_device_id_boot")),
    )
    op.create_table(
        "boot_spans",
        sa.Column("epoch_id", _ID, nullable=False),
        sa.Column("boot_id", _ID, nullable=False),
        _number("first_seq"),
        _number("corrected", nullable=True),
        sa.ForeignKeyConstraint(["boot_id"], ["boots.id"], name=op.f("fk_boot_spans_boot_id")),
        sa.ForeignKeyConstraint(["epoch_id"], ["epochs.id"], name=op.f("fk_boot_spans_epoch_id")),
        sa.PrimaryKeyConstraint("epoch_id", "boot_id", name=op.f("pk_boot_spans")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_boot_spans_waiting",
        "boot_spans",
        ["epoch_id"],
        unique=False,
        sqlite_where=sa.text("corrected IS NOT NULL"),
        postgresql_where=sa.text("corrected IS NOT NULL"),
    )
