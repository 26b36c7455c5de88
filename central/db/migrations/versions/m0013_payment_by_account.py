"""Payment by bank account: accounts, coupons selected for them, shops that take it, and each payment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None


def _id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "bank_accounts",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", _id(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("tail", sa.Text(), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_bank_accounts_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_accounts")),
    )
    op.create_index(op.f("ix_bank_accounts_person_id"), "bank_accounts", ["person_id"], unique=False)
    op.create_table(
        "bank_selections",
        sa.Column("coupon_id", _id(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.LargeBinary(), nullable=False),
        sa.Column("selected_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["coupon_id"], ["coupons.id"], name=op.f("fk_bank_selections_coupon_id")),
        sa.ForeignKeyConstraint(["account_id"], ["bank_accounts.id"], name=op.f("fk_bank_selections_account_id")),
        sa.PrimaryKeyConstraint("coupon_id", name=op.f("pk_bank_selections")),
    )
    op.create_index(op.f("ix_bank_selections_account_id"), "bank_selections", ["account_id"], unique=False)
    op.create_table(
        "bank_shops",
        sa.Column("site_id", _id(), autoincrement=False, nullable=False),
        sa.Column("liable", sa.Boolean(), nullable=False),
        sa.Column("rounding", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_bank_shops_site_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_bank_shops")),
    )
    op.create_table(
        "bank_settlements",
        sa.Column("question", sa.LargeBinary(), nullable=False),
        sa.Column("device_id", _id(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("account_id", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("coupon_id", _id(), nullable=True),
        sa.Column("campaign", sa.BigInteger(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("debit_yen", sa.BigInteger(), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("next_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_bank_settlements_device_id")),
        sa.ForeignKeyConstraint(["coupon_id"], ["coupons.id"], name=op.f("fk_bank_settlements_coupon_id")),
        sa.PrimaryKeyConstraint("question", name=op.f("pk_bank_settlements")),
    )
    still_open = sa.text("state IN ('asked', 'debiting', 'in_doubt', 'reversing')")
    op.create_index(
        "ix_bank_settlements_open",
        "bank_settlements",
        ["next_ms"],
        unique=False,
        sqlite_where=still_open,
        postgresql_where=still_open,
    )
    with_serial = sa.text("serial <> 0")
    op.create_index(
        "ix_bank_settlements_coupon",
        "bank_settlements",
        ["campaign", "serial"],
        unique=False,
        sqlite_where=with_serial,
        postgresql_where=with_serial,
    )
    op.create_index("ix_bank_settlements_asked_ms", "bank_settlements", ["asked_ms"], unique=False)
