"""SQLite gives the same answers on the simulated disk as on a real one, and leaves the same files."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from central.db.database import Database
from central.db.migrate import upgrade
from edge_agent.store.connection import Connection
from edge_agent.store.schema import prepare
from simulator.world import file_locks
from simulator.world.disk import Disk
from simulator.world.file_locks import SharedMemory
from simulator.world.open_file import OpenFile
from simulator.world.vfs import DiskVfs

CONNECTIONS = 3
STEPS = 250
CHECKPOINTS = ("PASSIVE", "FULL", "RESTART", "TRUNCATE")
Answer = object


def of_a_unit(folder: Path) -> None:
    connection = Connection(folder / "store.db")
    prepare(connection)
    connection.close()


def of_the_centre(folder: Path) -> None:
    database = Database(f"sqlite:///{folder / 'store.db'}")
    upgrade(database)
    database.close()


def value(kind: str, rng: Random) -> object:
    if "INT" in kind:
        return rng.choice((rng.randint(-5, 40), rng.randint(0, 2**62)))
    if "BLOB" in kind:
        return rng.randbytes(rng.choice((0, 8, 16, 200, 5_000)))
    return rng.choice(("", "lane-1", "特典", "x" * rng.randint(1, 3_000), str(rng.randint(0, 30))))


def statement(tables: dict[str, list[tuple[str, str]]], rng: Random) -> tuple[str, tuple[object, ...]]:
    table = rng.choice(sorted(tables))
    columns = tables[table]
    name, kind = rng.choice(columns)
    what = rng.choice(("INSERT", "INSERT", "INSERT", "REPLACE", "UPDATE", "DELETE", "SELECT", "SELECT"))
    if what in ("INSERT", "REPLACE"):
        marks = ", ".join("?" for _ in columns)
        return f'INSERT OR {"ABORT" if what == "INSERT" else what} INTO "{table}" VALUES ({marks})', tuple(
            value(kind, rng) for _, kind in columns
        )
    if what == "UPDATE":
        other, other_kind = rng.choice(columns)
        where = f'WHERE "{other}" >= ? OR rowid % 3 = 0' if rng.random() < 0.2 else f'WHERE "{other}" >= ?'
        return f'UPDATE "{table}" SET "{name}" = ? {where}', (value(kind, rng), value(other_kind, rng))
    if what == "DELETE":
        return f'DELETE FROM "{table}" WHERE "{name}" < ?', (value(kind, rng),)
    return f'SELECT * FROM "{table}" WHERE "{name}" >= ? ORDER BY 1, 2 LIMIT 20', (value(kind, rng),)


def control(journal: str, rng: Random) -> str:
    """What is not about rows."""
    return rng.choice((
        "BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE", "COMMIT", "COMMIT", "COMMIT", "ROLLBACK",
        "SAVEPOINT a", "RELEASE a", "ROLLBACK TO a", "VACUUM", "PRAGMA integrity_check", "PRAGMA quick_check",
        f"PRAGMA wal_checkpoint({rng.choice(CHECKPOINTS)})", f"PRAGMA wal_checkpoint({rng.choice(CHECKPOINTS)})",
        "PRAGMA page_count", "PRAGMA freelist_count", "PRAGMA incremental_vacuum", f"PRAGMA journal_mode={journal}",
    ))  # fmt: skip


def opened(folder: Path, journal: str) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / "store.db", isolation_level=None, timeout=0)
    for pragma in (f"journal_mode={journal}", "cache_size=20", "cache_spill=10", "journal_size_limit=100000"):
        with suppress(sqlite3.OperationalError):  # others may be busy; then it stays as they have it
            connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def answers(folder: Path, make: Callable[[Path], None], journal: str, seed: int) -> Iterator[Answer]:
    """Every answer, refusals included, and the files' sizes after each."""
    rng = Random(seed)
    make(folder)
    connections = [opened(folder, journal) for _ in range(CONNECTIONS)]
    names = [str(row[0]) for row in connections[0].execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    tables = {
        name: [(str(row[1]), str(row[2])) for row in connections[0].execute(f'PRAGMA table_info("{name}")')]
        for name in names
        if not name.startswith("sqlite_")
    }
    assert len(tables) > 5
    for _ in range(STEPS):
        place = rng.randrange(CONNECTIONS)
        if rng.random() < 0.02:
            connections[place].close()
            connections[place] = opened(folder, journal)
        words, values = (control(journal, rng), ()) if rng.random() < 0.4 else statement(tables, rng)
        try:
            yield words, connections[place].execute(words, values).fetchall()
        except sqlite3.Error as error:
            yield words, error.sqlite_errorname, str(error)
        yield sizes(folder), [connection.in_transaction for connection in connections]
    for connection in connections:
        connection.close()
    yield sizes(folder), (folder / "store.db").read_bytes()


def sizes(folder: Path) -> dict[str, int]:
    """Shared memory is a file of its own on a real disk only."""
    return {path.name: path.stat().st_size for path in folder.iterdir() if not path.name.endswith("-shm")}


def compare(tmp_path: Path, make: Callable[[Path], None], journal: str, seed: int) -> int:
    """Raises AssertionError at the first difference; returns how many answers were the same."""
    for name in ("real", "simulated"):
        (tmp_path / name).mkdir()
    real = list(answers(tmp_path / "real", make, journal, seed))
    with DiskVfs() as vfs:
        disk = vfs.mount(Disk(tmp_path / "simulated", Random(seed)))
        for number, answer in enumerate(answers(tmp_path / "simulated", make, journal, seed)):
            assert answer == real[number], f"answer {number}"
        assert disk.fault is None
        assert disk.writes > 50
    return number


@pytest.mark.parametrize(
    ("make", "journal", "seed"),
    [
        (of_a_unit, "wal", 1), (of_a_unit, "wal", 2), (of_a_unit, "delete", 3), (of_a_unit, "truncate", 4),
        (of_a_unit, "persist", 5), (of_the_centre, "wal", 6), (of_the_centre, "delete", 7),
    ],
)  # fmt: skip
def test_answers_and_files_are_the_same_as_on_a_real_disk(
    make: Callable[[Path], None], journal: str, seed: int, tmp_path: Path
) -> None:
    assert compare(tmp_path, make, journal, seed) >= 2 * STEPS


def test_a_reader_keeps_its_snapshot_while_another_connection_writes_and_checkpoints(tmp_path: Path) -> None:
    with DiskVfs() as vfs:
        vfs.mount(Disk(tmp_path, Random(1)))
        of_a_unit(tmp_path)
        reader, writer = opened(tmp_path, "wal"), opened(tmp_path, "wal")
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM meta").fetchone()
        writer.execute("INSERT INTO meta VALUES ('new', 1)")
        assert writer.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0] == 1  # the reader is in the way
        assert reader.execute("SELECT count(*) FROM meta").fetchone() == before
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM meta").fetchone() == (before[0] + 1,)
        assert writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        assert (tmp_path / "store.db-wal").stat().st_size == 0
        reader.close()
        writer.close()
        assert not (tmp_path / "store.db-wal").exists()


def granted(handle: OpenFile, level: int) -> int:
    handle.level = max(handle.level, level)
    return 0


@pytest.mark.parametrize(
    ("place", "name", "wrong"),
    [
        (file_locks, "lock", granted),
        (SharedMemory, "lock", lambda *_: 0),
    ],
    ids=["a lock that everybody gets", "slots that everybody gets"],
)
def test_a_wrong_model_gives_other_answers(
    place: object, name: str, wrong: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, name, wrong)
    with pytest.raises((AssertionError, sqlite3.Error)):
        compare_some(tmp_path)


def compare_some(tmp_path: Path) -> None:
    for seed in range(3):
        for journal in ("wal", "delete"):
            folder = tmp_path / f"{seed} {journal}"
            folder.mkdir()
            compare(folder, of_a_unit, journal, seed)
