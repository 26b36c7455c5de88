"""A PostgreSQL server for tests: in a folder of its own, on a free port of the loopback, never as root.

It is started once for each process that runs tests, and ended by the pid that was started. Each test has a database
of its own, copied from one that the migrations made (some tens of milliseconds).
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Final, LiteralString

import psycopg
from psycopg import sql

from central.db import migrate
from central.db.database import Database
from tests.servers import START_S, _Process, wait_until

OWNER: Final = "tokuten"
ACCOUNTS: Final = ("postgres", "nobody")  # the server refuses to run as root
MISSING: Final = "PostgreSQL is not installed: run scripts/install_system.sh"
TEMPLATE: Final = "migrated"
_BLOCKED: Final = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event IN ('tuple', 'transactionid')"
_NUMBERS: Final = itertools.count(1)


def programs() -> Path | None:
    """The folder of the newest PostgreSQL here; None: there is none."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


class Postgres(_Process):
    """One server. `durable`: it waits for the disk, as it must outside of tests."""

    def __init__(self, *, durable: bool = False, connections: int = 60) -> None:
        found = programs()
        assert found is not None, MISSING
        self.bin, self.connections, self._durable = found, connections, durable
        super().__init__(Path(tempfile.mkdtemp(prefix="tokuten-pg-")))
        self.data = self.folder / "data"
        if os.geteuid() == 0:
            shutil.chown(self.folder, self._account)
        self._as_owner("initdb", "-D", str(self.data), "-U", OWNER, "-A", "trust", "--no-sync", "--encoding=UTF8",
                       "--locale=C")  # fmt: skip

    @property
    def _account(self) -> str:
        known = {entry.pw_name for entry in pwd.getpwall()}
        return next(name for name in ACCOUNTS if name in known)

    @property
    def _prefix(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        entry = pwd.getpwnam(self._account)
        return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]

    def _as_owner(self, program: str, *words: str) -> str:
        command = [*self._prefix, str(self.bin / program), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=self.folder, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": str(self.connections),
            "shared_buffers": "64MB",
            "log_min_messages": "warning",
            "deadlock_timeout": "200ms",
            "restore_command": "false",  # for `recover`: there is no archive
        }
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [*self._prefix, str(self.bin / "postgres"), "-D", str(self.data), "-p", str(self.port), *words]

    def listens(self, pid: int) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:  # it listens before it has recovered what was killed
            return False
        return True

    def crash(self) -> None:
        """As if the power went, but for what the operating system still writes: no goodbye, no checkpoint."""
        self._end(signal.SIGQUIT)

    def recover(self) -> None:
        """Started anew as after a recovery to a point in time: with all it had, on a timeline of its own."""
        self.stop()
        signal_file = self.data / "recovery.signal"
        signal_file.touch()
        if os.geteuid() == 0:
            shutil.chown(signal_file, self._account)
        self.start()
        wait_until(self._writes, START_S, "the recovery to end")

    def _writes(self) -> bool:
        with self.connect() as connection:
            row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
        return row == (False,)

    def stop(self) -> None:
        """At once and in order: whoever is connected is thrown out (SIGTERM would wait for them)."""
        self._end(signal.SIGINT)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self._address(database), autocommit=True, connect_timeout=int(START_S))

    def _address(self, database: str) -> str:
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/{database}"

    def url(self, database: str) -> str:
        """As the centre's settings name it."""
        return self._address(database).replace("postgresql", "postgresql+psycopg", 1)

    def make_template(self) -> None:
        """The database that `fresh` copies: this version's tables, and nothing in them."""
        self.empty(TEMPLATE)
        database = Database(self.url(TEMPLATE))
        migrate.upgrade(database)
        database.close()

    def empty(self, name: str) -> str:
        """A database without tables; gives its URL."""
        self._tell("CREATE DATABASE {} TEMPLATE template0", name)
        return self.url(name)

    def fresh(self) -> str:
        """A database of its own, with this version's tables; gives its name."""
        name = f"centre_{next(_NUMBERS)}"
        self.copy(TEMPLATE, name)
        return name

    def copy(self, source: str, name: str) -> None:
        """A database as another one is now. Nobody may be connected to that one."""
        with self.connect() as connection:
            make = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
            connection.execute(make.format(sql.Identifier(name), sql.Identifier(source)))

    def drop(self, name: str) -> None:
        self._tell("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def throw_out(self, name: str) -> int:
        """Ends every connection to a database, wherever it is; gives how many there were."""
        with self.connect() as connection:
            where = "FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
            rows = connection.execute(f"SELECT pg_terminate_backend(pid) {where}", (name,)).fetchall()
        return len(rows)

    def wait_for_waiters(self, count: int) -> None:
        """Until so many transactions wait for a lock of ours."""
        self._wait_for("FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", count)

    def wait_until_blocked(self, count: int) -> None:
        """Until so many transactions wait for rows that another one holds."""
        self._wait_for(_BLOCKED, count)

    def end_blocked(self) -> int:
        """Ends the sessions that wait for rows; gives how many there were."""
        with self.connect() as connection:
            return len(connection.execute(f"SELECT pg_terminate_backend(pid) {_BLOCKED}").fetchall())

    def _wait_for(self, which: LiteralString, count: int) -> None:
        with self.connect() as connection:

            def enough() -> bool:
                row = connection.execute(f"SELECT count(*) {which}").fetchone()
                return row is not None and isinstance(row[0], int) and row[0] >= count

            wait_until(enough, 10, f"{count} transactions to wait for others")

    def _tell(self, statement: LiteralString, name: str) -> None:
        with self.connect() as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
