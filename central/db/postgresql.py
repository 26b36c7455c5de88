"""What is PostgreSQL's own: how a connection is set up, the writers' lock, and what its errors mean.

Every transaction that writes takes the writers' lock first: alone (nobody else writes until it ends: what a `write`
of SQLite is), or shared, beside other units, which then take what they decide about (`central.db.locks`). READ
COMMITTED is what makes a lock worth something here: each statement after it sees what its last holder committed.
Under the stricter levels the transaction would go on seeing the database as it was before it waited.
"""

from __future__ import annotations

from typing import Final, cast

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, exc

BUSY_TIMEOUT_MS: Final = 10_000  # as on SQLite
CONNECT_TIMEOUT_S: Final = 10
SERVER_SILENCE_MS: Final = 15_000
SILENCE_MAX_S: Final = 60  # of a centre in the middle of a transaction: then the server undoes it and frees its locks
POOL_SIZE: Final = 5
POOL_OVERFLOW: Final = 15
HOLDS: Final = "tokuten_holds"
ALONE: Final = "alone"
BESIDE: Final = "beside"
WRITERS_LOCK: Final = 0x746F6B7574656E00  # "tokuten"; it and the seven numbers after it are ours
LINK_LOCK: Final = WRITERS_LOCK + 1  # held by the one centre that speaks with the broker

_SESSION: Final = {
    "lock_timeout": BUSY_TIMEOUT_MS,
    "idle_in_transaction_session_timeout": SILENCE_MAX_S * 1000,
    # a machine that is gone without a word holds its locks no longer than this
    "tcp_keepalives_idle": 15,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "client_min_messages": "warning",
}
_BUSY: Final = frozenset({"55P03", "57014", "53000", "53200", "53300", "53400"})
_FULL: Final = frozenset({"53100", "58030"})
Raw = psycopg.Connection[tuple[object, ...]]
_RACE: Final = frozenset({"40001", "40P01"})
_STANDING_BY: Final = frozenset({"55000", "25006"})  # it is being recovered, or follows another server


def engine(url: URL) -> Engine:
    """Connections that keep their promises, checked for life each time they are taken from the pool."""
    options = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    made = create_engine(
        url.set(drivername="postgresql+psycopg"),
        isolation_level="READ COMMITTED",
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "client_encoding": "utf8",
            "application_name": "tokuten",
            "options": options,
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": SERVER_SILENCE_MS,  # of a server whose machine is gone without a word
            **url.query,
        },
    )
    event.listen(made, "connect", _prepare)
    event.listen(made, "begin", _begin)
    return made


def reason_of(error: exc.SQLAlchemyError) -> str:
    """The word of a `StorageReason`; empty: this is not an error of PostgreSQL."""
    cause = getattr(error, "orig", None)
    if not isinstance(cause, psycopg.Error):
        return ""
    state = cause.sqlstate or ""
    if state in _RACE:
        return "race"
    if state in _BUSY:
        return "busy"
    if state in _FULL:
        return "full"
    if state.startswith("23"):
        return "conflict"
    if state.startswith("XX"):
        return "corrupt"
    lost = isinstance(cause, psycopg.OperationalError) and not state
    gone = lost or state.startswith(("08", "57P")) or state == "25P03" or state in _STANDING_BY
    return "gone" if gone else "other"


_SERVER: Final = (
    "SELECT concat_ws(' ', (SELECT system_identifier FROM pg_control_system()), "
    "substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), "  # the timeline that is written now
    "(SELECT oid FROM pg_database WHERE datname = current_database()))"
)
_META: Final = "SELECT key, value FROM meta WHERE key IN ('mark', 'incarnation')"


def server(connection: Connection) -> str:
    """The server's system identifier, its timeline, and the number of the database there."""
    return str(connection.exec_driver_sql(_SERVER).scalar_one())


def looked_at(connection: Raw) -> tuple[str, dict[str, bytes]] | None:
    """What a new connection finds: the server, and what `meta` says of this life; None: it has no tables of ours."""
    kept = connection.autocommit
    connection.autocommit = True
    try:
        (name,) = connection.execute(_SERVER).fetchone() or ("",)
        if connection.execute("SELECT to_regclass('meta')").fetchone() == (None,):
            return None
        found = connection.execute(_META).fetchall()
    finally:
        connection.autocommit = kept
    return str(name), {str(key): bytes(cast(bytes, value)) for key, value in found}


def _prepare(connection: Raw, _record: object) -> None:
    """A server may be set to acknowledge commits that are not on disk: not to us."""
    kept = connection.autocommit
    connection.autocommit = True
    (wait,) = connection.execute("SHOW synchronous_commit").fetchone() or ("off",)
    if wait == "off":
        connection.execute("SET synchronous_commit = on")
    connection.autocommit = kept


def holding(engine: Engine, lock: int) -> Connection | None:
    """A connection whose session holds `lock` as long as it lives; None: another session has it."""
    session = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        if session.exec_driver_sql(f"SELECT pg_try_advisory_lock({lock})").scalar_one():
            return session
    except BaseException:
        session.close()
        raise
    session.close()
    return None


def _begin(connection: Connection) -> None:
    held = connection.get_execution_options().get(HOLDS)
    if held is not None:
        shared = "_shared" if held == BESIDE else ""
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock{shared}({WRITERS_LOCK})")
