"""Decisions without the centre: parts of limits, and homes of serials."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _amounts(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(f"{name}_{unit}", sa.BigInteger(), nullable=False) for name in names for unit in ("count", "yen")]


def _pot(identity: str = "id") -> list[sa.Column[object]]:
    return [
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(identity, sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.BigInteger(), nullable=False),
    ]


def _device(name: str = "device_id", nullable: bool = False) -> sa.Column[int]:
    return sa.Column(
        name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.ForeignKey("devices.id"), nullable=nullable
    )


def upgrade() -> None:
    zero = sa.text("0")
    op.add_column("devices", sa.Column("owes_parts", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("coupons", sa.Column("home", sa.BigInteger(), server_default=zero, nullable=False))
    op.add_column("coupons", sa.Column("moves", sa.BigInteger(), server_default=zero, nullable=False))
    op.add_column("questions", sa.Column("cost_yen", sa.BigInteger(), server_default=zero, nullable=False))
    op.create_table(
        "pots",
        *_pot(),
        sa.Column("cap_count", sa.BigInteger()),
        sa.Column("cap_yen", sa.BigInteger()),
        sa.Column("unit_yen", sa.BigInteger(), nullable=False),
        *_amounts("spent", "out", "transit", "exposure"),
        sa.PrimaryKeyConstraint("kind", "id", "holder", name=op.f("pk_pots")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "parts",
        _device(),
        sa.Column("epoch", sa.LargeBinary(), nullable=False),
        *_pot(),
        *_amounts("granted", "moved", "spent", "written_off"),
        sa.Column("ends_ms", sa.BigInteger(), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "epoch", "kind", "id", "holder", name=op.f("pk_parts")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_parts_pot", "parts", ["kind", "id", "holder"])
    op.create_table(
        "part_moves",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        _device(),
        sa.Column("peer", sa.Text(), nullable=False),
        *_pot("pot_id"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("yen", sa.BigInteger(), nullable=False),
        sa.Column("booked_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", "side", name=op.f("pk_part_moves")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "homes",
        sa.Column(
            "site_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.ForeignKey("sites.id"),
            autoincrement=False,
            nullable=False,
        ),
        _device(nullable=True),
        sa.Column("epoch", sa.LargeBinary(), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        _device("next_device_id", nullable=True),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_homes")),
    )
    op.create_table(
        "home_moves",
        sa.Column("question", sa.LargeBinary(), nullable=False),
        sa.Column("campaign", sa.BigInteger(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("home", sa.BigInteger(), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("question", name=op.f("pk_home_moves")),
    )
