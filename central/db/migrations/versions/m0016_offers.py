"""Purchases, bargains, offers picked from them, and where people are told of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def _id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "purchases",
        sa.Column("sale", sa.LargeBinary(), nullable=False),
        sa.Column("told", sa.LargeBinary(), nullable=False),
        sa.Column("holder", sa.BigInteger(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("total_yen", sa.BigInteger(), nullable=False),
        sa.Column("booked_ms", sa.BigInteger(), nullable=False),
        sa.Column("returned_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("sale", name=op.f("pk_purchases")),
    )
    op.create_index("ix_purchases_at_ms", "purchases", ["at_ms"], unique=False)
    op.create_index(
        "ix_purchases_holder",
        "purchases",
        ["holder", "at_ms"],
        unique=False,
        sqlite_where=sa.text("holder <> 0"),
        postgresql_where=sa.text("holder <> 0"),
    )
    op.create_index("ix_purchases_site", "purchases", ["site", "at_ms"], unique=False)
    op.create_table(
        "purchase_lines",
        sa.Column("sale", sa.LargeBinary(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("gtin", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("yen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sale", "number", name=op.f("pk_purchase_lines")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "goods",
        sa.Column("gtin", _id(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("gtin", name=op.f("pk_goods")),
    )
    op.create_index(op.f("ix_goods_category"), "goods", ["category"], unique=False)
    op.create_table(
        "bargains",
        sa.Column("id", _id(), nullable=False),
        sa.Column("site_id", _id(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("found_by", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("goods", sa.Text(), nullable=False),
        sa.Column("campaign", _id(), nullable=True),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_bargains_site_id")),
        sa.ForeignKeyConstraint(["campaign"], ["campaigns.id"], name=op.f("fk_bargains_campaign")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bargains")),
    )
    op.create_index("ix_bargains_site", "bargains", ["site_id", "until_ms"], unique=False)
    op.create_index("ix_bargains_until_ms", "bargains", ["until_ms"], unique=False)
    op.create_table(
        "offer_runs",
        sa.Column("id", _id(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("as_of_ms", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("people", sa.BigInteger(), nullable=False),
        sa.Column("picked", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.Column("finished_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer_runs")),
        sa.UniqueConstraint("period", name=op.f("uq_offer_runs_period")),
    )
    op.create_table(
        "goods_people",
        sa.Column("run_id", _id(), nullable=False),
        sa.Column("gtin", sa.BigInteger(), nullable=False),
        sa.Column("people", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["offer_runs.id"], name=op.f("fk_goods_people_run_id")),
        sa.PrimaryKeyConstraint("run_id", "gtin", name=op.f("pk_goods_people")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "goods_pairs",
        sa.Column("run_id", _id(), nullable=False),
        sa.Column("gtin", sa.BigInteger(), nullable=False),
        sa.Column("other", sa.BigInteger(), nullable=False),
        sa.Column("people", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["offer_runs.id"], name=op.f("fk_goods_pairs_run_id")),
        sa.PrimaryKeyConstraint("run_id", "gtin", "other", name=op.f("pk_goods_pairs")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "goods_alike",
        sa.Column("run_id", _id(), nullable=False),
        sa.Column("gtin", sa.BigInteger(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("other", sa.BigInteger(), nullable=False),
        sa.Column("cosine_ppm", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["offer_runs.id"], name=op.f("fk_goods_alike_run_id")),
        sa.PrimaryKeyConstraint("run_id", "gtin", "rank", name=op.f("pk_goods_alike")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "offer_picks",
        sa.Column("run_id", _id(), nullable=False),
        sa.Column("person_id", _id(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("bargain_id", _id(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("gtin", sa.BigInteger(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["offer_runs.id"], name=op.f("fk_offer_picks_run_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_offer_picks_person_id")),
        sa.ForeignKeyConstraint(["bargain_id"], ["bargains.id"], name=op.f("fk_offer_picks_bargain_id")),
        sa.PrimaryKeyConstraint("run_id", "person_id", "rank", name=op.f("pk_offer_picks")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_offer_picks_person", "offer_picks", ["person_id", "bargain_id"], unique=False)
    op.create_table(
        "offer_declines",
        sa.Column("person_id", _id(), nullable=False),
        sa.Column("bargain_id", _id(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_offer_declines_person_id")),
        sa.ForeignKeyConstraint(["bargain_id"], ["bargains.id"], name=op.f("fk_offer_declines_bargain_id")),
        sa.PrimaryKeyConstraint("person_id", "bargain_id", name=op.f("pk_offer_declines")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mail_addresses",
        sa.Column("person_id", _id(), autoincrement=False, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("confirm_hash", sa.LargeBinary(), nullable=False),
        sa.Column("leave_hash", sa.LargeBinary(), nullable=False),
        sa.Column("entered_ms", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_mail_addresses_person_id")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_mail_addresses")),
        sa.UniqueConstraint("confirm_hash", name=op.f("uq_mail_addresses_confirm_hash")),
        sa.UniqueConstraint("leave_hash", name=op.f("uq_mail_addresses_leave_hash")),
    )
    op.create_table(
        "postal_addresses",
        sa.Column("person_id", _id(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("postcode", sa.Text(), nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=False),
        sa.Column("entered_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_postal_addresses_person_id")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_postal_addresses")),
    )
    op.create_table(
        "mails",
        sa.Column("id", _id(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("person_id", _id(), nullable=False),
        sa.Column("run_id", _id(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("next_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_mails_person_id")),
        sa.ForeignKeyConstraint(["run_id"], ["offer_runs.id"], name=op.f("fk_mails_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
        sa.UniqueConstraint("name", name=op.f("uq_mails_name")),
    )
    op.create_index(op.f("ix_mails_person_id"), "mails", ["person_id"], unique=False)
    op.create_index(op.f("ix_mails_run_id"), "mails", ["run_id"], unique=False)
    op.create_index(
        "ix_mails_waiting",
        "mails",
        ["next_ms"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
