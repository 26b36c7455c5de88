"""A unit that an operator gave up is known to be: what it is said to have been given later is not waited for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("given_up", sa.Boolean(), server_default=sa.false(), nullable=False))
