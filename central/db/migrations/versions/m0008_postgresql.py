"""PostgreSQL holds by itself what SQLite was told before, and that one serial has one use.

On SQLite nothing changes: writers never run side by side there.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    # What was reported stays as it was reported.
    op.execute(
        "CREATE FUNCTION facts_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'facts are append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER facts_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON facts "
        "FOR EACH STATEMENT EXECUTE FUNCTION facts_refuse()"
    )
    # Locks see to it that two workers never clear the same serial; this would catch them if they did.
    op.execute(
        "CREATE UNIQUE INDEX uq_redemptions_use ON redemptions (campaign, serial) "
        "WHERE serial <> 0 AND state IN ('cleared', 'late')"
    )
