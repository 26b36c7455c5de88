"""A provider's campaigns and a shop's redemptions are found by an index; providers are taken from the bodies."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("provider", sa.Text(), server_default="", nullable=False))
    campaigns = sa.table(
        "campaigns", sa.column("id", sa.BigInteger), sa.column("body", sa.LargeBinary), sa.column("provider", sa.Text)
    )
    connection = op.get_bind()
    for number, body in connection.execute(sa.select(campaigns.c.id, campaigns.c.body)).all():
        try:
            provider = str(msgspec.msgpack.decode(body)["provider"])
        except (msgspec.DecodeError, KeyError, TypeError):
            continue  # nobody can read it: nobody's
        connection.execute(sa.update(campaigns).where(campaigns.c.id == number).values(provider=provider))
    op.create_index(op.f("ix_campaigns_provider"), "campaigns", ["provider"])
    op.create_index(op.f("ix_redemptions_site"), "redemptions", ["site", "at_ms"])
