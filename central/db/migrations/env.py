"""Alembic's entry: the schema changes in one transaction of the database that `central.db.migrate` hands in."""

from __future__ import annotations

from alembic import context

from central.db.database import Database
from central.db.schema import metadata

database: Database = context.config.attributes["database"]
with database.write() as connection:
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=False)
    context.run_migrations()
