"""Bringing a database to this version's schema, and telling one that is newer than we are."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from central.db.database import Database

_FOLDER: Final = Path(__file__).parent / "migrations"


class SchemaTooNew(Exception):
    """The database was written by a newer version of this program."""


def _config(database: Database) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["database"] = database
    return config


def head() -> str:
    """The revision that this version of the program writes."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    newest = ScriptDirectory.from_config(config).get_current_head()
    assert newest is not None
    return newest


def revision(database: Database) -> str | None:
    """The revision of the database; None: it has no tables of ours."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database, to: str = "head") -> None:
    """Brings the schema up to date (or to an older revision, for tests), in one transaction.

    It is alone: of several that start at once, one does it. Raises SchemaTooNew, StorageError.
    """
    if revision(database) == head():
        return
    try:
        command.upgrade(_config(database), to)
    except CommandError as error:
        raise SchemaTooNew(f"the database is of a version that this program does not know: {error}") from error
