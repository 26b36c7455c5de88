"""Analysis: views of people who agreed, counts by day, and a trigger that names the days of what was changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0016"
branch_labels = None
depends_on = None

_CHANGED = (
    "OLD.state <> NEW.state OR OLD.at_ms <> NEW.at_ms OR OLD.site <> NEW.site OR OLD.discount_yen <> NEW.discount_yen"
)
_INSERT = (
    "INSERT INTO analysis_touched (what, site, campaign, at_ms) "
    "VALUES ('use', OLD.site, 0, OLD.at_ms), ('use', NEW.site, 0, NEW.at_ms) ON CONFLICT DO NOTHING;"
)
_SQLITE = (
    "CREATE TRIGGER analysis_redemption_changed AFTER UPDATE OF state, at_ms, site, discount_yen ON redemptions "
    f"WHEN {_CHANGED} BEGIN {_INSERT} END",
)
_POSTGRESQL = (
    "CREATE FUNCTION analysis_redemption_changed() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN {_INSERT} RETURN NULL; END $$",
    "CREATE TRIGGER analysis_redemption_changed AFTER UPDATE OF state, at_ms, site, discount_yen ON redemptions "
    f"FOR EACH ROW WHEN ({_CHANGED}) EXECUTE FUNCTION analysis_redemption_changed()",
)


def _cells(name: str, *more: sa.Column[int]) -> None:
    tag = [one.name for one in more if one.name == "tag"]
    op.create_table(
        name,
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("campaign", sa.BigInteger(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        *more,
        sa.PrimaryKeyConstraint("day", "what", "site", "campaign", "hour", *tag, name=op.f(f"pk_{name}")),
        sqlite_with_rowid=False,
    )
    op.create_index(f"ix_{name}_site", name, ["site", "day"])
    op.create_index(f"ix_{name}_campaign", name, ["campaign", "day"])


def upgrade() -> None:
    person = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "offer_views",
        sa.Column("campaign", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("person_id", person, nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_offer_views_person_id")),
        sa.PrimaryKeyConstraint("campaign", "day", "person_id", name=op.f("pk_offer_views")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_offer_views_person_id"), "offer_views", ["person_id"])
    op.create_index(op.f("ix_offer_views_day"), "offer_views", ["day"])
    _cells(
        "analysis_cells",
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("yen", sa.BigInteger(), nullable=False),
    )
    _cells("analysis_people", sa.Column("tag", sa.BigInteger(), nullable=False))
    op.create_table(
        "analysis_touched",
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("campaign", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("what", "site", "campaign", "at_ms", name=op.f("pk_analysis_touched")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_coupons_campaign_downloaded", "coupons", ["campaign", "downloaded_ms"])
    for statement in _POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)
    op.create_table(
        "api_tokens",
        sa.Column("id", person, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.Column("used_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
    )
