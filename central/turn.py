"""Whose turn it is to speak with the broker, where several centres work on one database.

What waits for others to answer, and who is there to be told, is in the memory of the one that speaks (`central.desk`),
so it is one at a time: the one whose session holds a lock of the database server. The lock is free as soon as that
session is gone, however its process ended, and the next centre that asks has it. For the moment in which the old one
has not noticed yet, both may book: the database's own locks see to it that nothing counts twice. All log in to the
broker under one client id, so it throws the old one out when the new one comes.

With SQLite there is but one centre (`central.office.alone`), and it is always its turn.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from sqlalchemy import Connection, exc

from central.db import postgresql
from central.db.database import Database

LOOK_EVERY_S: Final = 1.0  # whether the session that holds the lock still lives
_log = logging.getLogger(__name__)


class Turn:
    """One centre's turn. Used by one thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._session: Connection | None = None
        self._looked = 0.0

    def mine(self) -> bool:
        """Whether it is this centre's turn, now or still. False, too, where the server can't be reached."""
        if not self._database.on_server:
            return True
        now = time.monotonic()
        if self._session is not None and now - self._looked < LOOK_EVERY_S:
            return True
        self._looked = now
        try:
            if self._session is None:
                self._session = postgresql.holding(self._database.engine, postgresql.LINK_LOCK)
                if self._session is not None:
                    _log.info("it is this centre's turn to speak with the broker")
            else:
                self._session.exec_driver_sql("SELECT 1")
        except exc.SQLAlchemyError as error:
            _log.warning("the database: %s", getattr(error, "orig", error))
            self.close()
        return self._session is not None

    def close(self) -> None:
        """Lets another centre have it."""
        session, self._session = self._session, None
        if session is not None:
            session.invalidate()  # the lock goes with the server's session, so that must end
            session.close()
