"""Full, failing and dead disks under the production code, and what else can happen to a machine."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random

import pytest

from central.db.database import StorageError, StorageReason
from edge_agent.store.connection import Connection, StoreUnwritable
from edge_agent.store.store import FILE_NAME, IDENTITY_NAME, Store
from simulator.world import sqlite_abi
from simulator.world.disk import Disk
from simulator.world.sqlite_abi import SqliteNotReachable
from simulator.world.unsynced import Content
from simulator.world.vfs import DiskModelFault, DiskVfs, _plumbing
from tests.world.disk_rig import CentreBook, Statement, StoreBook

TABLE: Statement = ("CREATE TABLE IF NOT EXISTS a (b BLOB)", ())
ROW: Statement = ("INSERT INTO a VALUES (randomblob(5000))", ())


@pytest.fixture
def vfs() -> Iterator[DiskVfs]:
    with DiskVfs(entropy=Random(0).randbytes) as vfs:
        yield vfs


@pytest.fixture
def disk(vfs: DiskVfs, tmp_path: Path) -> Disk:
    folder = tmp_path / "disk"
    folder.mkdir()
    return vfs.mount(Disk(folder, Random(1)))


def disks(vfs: DiskVfs, folder: Path, how_many: int) -> Iterator[Disk]:
    """One after the other, each with a seed of its own."""
    for seed in range(how_many):
        (folder / str(seed)).mkdir()
        yield vfs.mount(Disk(folder / str(seed), Random(seed)))


def count(book: StoreBook | CentreBook) -> object:
    assert book.rows("PRAGMA integrity_check") == [("ok",)]
    return book.rows("SELECT count(*) FROM a")[0][0]


# --- full ------------------------------------------------------------------------------------------------------


def test_a_unit_on_a_full_disk_keeps_what_it_has_and_goes_on_when_there_is_room(disk: Disk) -> None:
    book = StoreBook(disk.folder)
    book.write([TABLE, ROW])
    disk.full = True
    for _ in range(3):
        with pytest.raises(StoreUnwritable, match="full"):
            book.write([ROW])
    assert count(book) == 1
    disk.full = False
    book.write([ROW])
    disk.lose_power()
    assert count(StoreBook(disk.folder)) == 2


def test_the_centre_on_a_full_disk_says_so_and_goes_on(disk: Disk) -> None:
    book = CentreBook(disk.folder)
    book.write([TABLE, ROW])
    disk.full = True
    with pytest.raises(StorageError) as caught:
        book.write([ROW])
    assert caught.value.reason is StorageReason.FULL
    disk.full = False
    book.write([ROW])
    assert count(book) == 2


def until_full(book: StoreBook) -> int:
    """How many rows there was room for."""
    for written in range(100):
        try:
            book.write([ROW])
        except StoreUnwritable as error:
            assert "full" in str(error)  # noqa: PT017  # which one it is that fails is the question
            return written
    raise AssertionError("it never was full")


def test_room_is_used_up_by_what_grows_and_given_back_by_what_is_cut_off(disk: Disk) -> None:
    book = StoreBook(disk.folder)
    book.write([TABLE])
    disk.room_bytes = 100_000
    written = until_full(book)
    assert 5 < written < 20
    assert disk.room_bytes < 4096  # of a last write, what fitted was written
    before = sum(path.stat().st_size for path in disk.folder.iterdir())
    disk.room_bytes = 10_000_000
    book.checkpoint()
    after = sum(path.stat().st_size for path in disk.folder.iterdir())
    assert disk.room_bytes == 10_000_000 - (after - before)
    assert count(book) == written


# --- failing ---------------------------------------------------------------------------------------------------


def test_K5_a_unit_on_a_failing_disk_keeps_every_transaction_that_it_acknowledged(vfs: DiskVfs, tmp_path: Path) -> None:
    refused = 0
    for disk in disks(vfs, tmp_path, 20):
        folder = disk.folder
        book = StoreBook(folder)
        book.write([("CREATE TABLE n (i INTEGER PRIMARY KEY)", ())])
        kept = set()
        disk.failing = 0.05
        for number in range(60):
            try:
                book.write([("INSERT INTO n VALUES (?)", (number,))])
                kept.add(number)
            except StoreUnwritable:
                refused += 1
        disk.failing = 0
        book.write([("INSERT INTO n VALUES (1000)", ())])
        disk.lose_power()
        book = StoreBook(folder)
        found = {row[0] for row in book.rows("SELECT i FROM n")}
        assert book.rows("PRAGMA integrity_check") == [("ok",)]
        assert found == kept | {1000}
        vfs.unmount(disk)
    assert refused > 50


def test_what_a_failed_sync_did_not_sync_may_be_lost(vfs: DiskVfs, tmp_path: Path) -> None:
    lost = 0
    for disk in disks(vfs, tmp_path, 20):
        folder = disk.folder
        book = StoreBook(folder)
        book.write([TABLE])
        disk.failing = 1
        with pytest.raises(StoreUnwritable):
            book.write([ROW])
        size = (folder / "store.db-wal").stat().st_size
        lost += disk.lose_power().dropped > 0 or (folder / "store.db-wal").stat().st_size < size
        assert count(StoreBook(folder)) == 0
        vfs.unmount(disk)
    assert lost


def test_a_transaction_whose_commit_failed_is_gone_for_the_process_and_may_be_back_after_a_restart(
    vfs: DiskVfs, tmp_path: Path
) -> None:
    """SQLite's own behaviour: the log holds all of it, and a failed sync does not take it out again."""
    back = 0
    for seed, disk in enumerate(disks(vfs, tmp_path, 60)):
        folder = disk.folder
        book = StoreBook(folder)
        book.write([TABLE])
        disk.failing = 0.2
        try:
            book.write([ROW])
        except StoreUnwritable:
            disk.failing = 0
            assert count(book) == 0
            disk.kill() if seed % 2 else disk.lose_power()
            back += count(StoreBook(folder)) == 1
        disk.failing = 0
        vfs.unmount(disk)
    assert back


# --- dead, killed, restored ------------------------------------------------------------------------------------


def test_a_dead_disk_changes_nothing_whatever_is_asked_of_it(disk: Disk) -> None:
    book = StoreBook(disk.folder)
    book.write([TABLE, ROW])
    disk.power_cut_in(1)
    with pytest.raises(StoreUnwritable):
        book.write([ROW])
    assert disk.dead
    before = {path.name: path.read_bytes() for path in disk.folder.iterdir()}
    anything: list[Callable[[], object]] = [
        lambda: book.write([ROW]), book.checkpoint, lambda: StoreBook(disk.folder), lambda: count(book)
    ]  # fmt: skip
    for again in anything:
        with pytest.raises(StoreUnwritable):
            again()
    book.close()
    assert {path.name: path.read_bytes() for path in disk.folder.iterdir()} == before
    disk.lose_power()
    assert count(StoreBook(disk.folder)) == 1


def test_connections_from_before_a_power_loss_can_neither_read_nor_write_after_it(disk: Disk) -> None:
    old = StoreBook(disk.folder)
    old.write([TABLE, ROW])
    disk.lose_power()
    new = StoreBook(disk.folder)
    new.write([ROW])
    with pytest.raises(StoreUnwritable):
        old.write([ROW])
    old.close()
    new.write([ROW])
    assert count(new) == 3


def test_a_killed_process_loses_nothing_that_it_wrote_and_its_locks(disk: Disk) -> None:
    book = StoreBook(disk.folder)
    book.write([TABLE, ROW])
    book.sql.execute("BEGIN IMMEDIATE")
    disk.kill()
    again = StoreBook(disk.folder)
    again.write([ROW])
    assert count(again) == 2


def test_one_of_two_workers_is_killed_in_a_transaction_and_the_other_one_goes_on(disk: Disk) -> None:
    disk.owner = "worker-1"
    first = CentreBook(disk.folder)
    first.write([TABLE, ROW])
    disk.owner = "worker-2"
    second = CentreBook(disk.folder)
    second.write([ROW])
    disk.power_cut_in(3)  # in the middle of what follows
    with pytest.raises(StorageError):
        first.write([ROW, ROW])
    disk.kill("worker-1")
    second.write([ROW])
    with pytest.raises(StorageError):
        first.write([ROW])
    assert count(second) == 3


def test_a_machine_that_dies_soon_after_a_process_can_still_lose_what_was_not_synced(
    vfs: DiskVfs, tmp_path: Path
) -> None:
    lost = 0
    for disk in disks(vfs, tmp_path, 20):
        folder = disk.folder
        book = StoreBook(folder)
        book.write([TABLE])
        book.sql.execute("PRAGMA synchronous=OFF")
        book.write([ROW])
        disk.kill()
        with closing(sqlite3.connect(folder / FILE_NAME)) as sql:  # our own connection would flush what it finds
            assert sql.execute("SELECT count(*) FROM a").fetchone() == (1,)
            disk.kill()
        disk.lose_power()
        lost += count(StoreBook(folder)) == 0
        vfs.unmount(disk)
    assert 0 < lost < 20


def test_an_old_image_of_the_disk_is_put_back_with_plain_copies(disk: Disk) -> None:
    book = StoreBook(disk.folder)
    book.write([TABLE, ROW])
    disk.kill()
    disk.settle()
    image = {path: path.read_bytes() for path in disk.folder.iterdir()}
    book = StoreBook(disk.folder)
    book.write([ROW])
    disk.kill()
    disk.settle()
    for path in list(disk.folder.iterdir()):
        path.unlink()
    for path, content in image.items():
        path.write_bytes(content)
    assert count(StoreBook(disk.folder)) == 1
    disk.lose_power()
    assert count(StoreBook(disk.folder)) == 1


def test_the_last_rename_of_a_plain_file_may_be_lost(vfs: DiskVfs, tmp_path: Path) -> None:
    found = set()
    for disk in disks(vfs, tmp_path, 12):
        folder = disk.folder
        disk.watch_plain(IDENTITY_NAME)
        store = Store(folder, "lane-1")
        store.start(bytes(16))
        disk.lose_power()
        found.add((folder / IDENTITY_NAME).exists())
        store = Store(folder, "lane-1")
        assert store.journal.epoch == bytes(16)
        vfs.unmount(disk)
    assert found == {True, False}


# --- the seam to SQLite ----------------------------------------------------------------------------------------


def test_paths_that_lie_elsewhere_go_to_the_real_disk(disk: Disk, tmp_path: Path) -> None:
    disk.full = True
    elsewhere = sqlite3.connect(tmp_path / "elsewhere.db")
    for mode in ("WAL", "DELETE"):
        elsewhere.execute(f"PRAGMA journal_mode={mode}")
        elsewhere.execute(f"CREATE TABLE {mode}_ (b)")
        elsewhere.execute(f"INSERT INTO {mode}_ VALUES (1)")
        elsewhere.commit()
    elsewhere.execute("VACUUM")
    elsewhere.close()
    assert disk.writes == 0


def test_databases_below_the_folder_and_attached_ones_are_simulated(disk: Disk, tmp_path: Path) -> None:
    below = disk.folder / "below"
    below.mkdir()
    link = tmp_path / "link"
    link.symlink_to(disk.folder)
    sql = sqlite3.connect(below / "a.db", isolation_level=None)
    sql.execute("ATTACH ? AS other", (str(link / "b.db"),))
    sql.execute("BEGIN")
    sql.execute("CREATE TABLE main.a (b)")
    sql.execute("CREATE TABLE other.a (b)")
    sql.execute("COMMIT")  # with a super-journal
    writes = disk.writes
    assert writes
    sql.execute("VACUUM INTO ?", (str(disk.folder / "c.db"),))
    assert disk.writes > writes
    with sqlite3.connect(disk.folder / "d.db") as copy:
        sql.backup(copy)
    assert copy.execute("SELECT name FROM sqlite_schema").fetchall() == [("a",)]


def test_afterwards_sqlite_is_as_it_was(tmp_path: Path) -> None:
    with DiskVfs(entropy=lambda count: bytes(count)) as vfs:
        vfs.mount(Disk(tmp_path, Random(1)))
        same = sqlite3.connect(":memory:").execute("SELECT random()").fetchone()
    with DiskVfs(entropy=lambda count: bytes(count)):
        assert sqlite3.connect(":memory:").execute("SELECT random()").fetchone() == same
    assert sqlite3.connect(":memory:").execute("SELECT random()").fetchone() != same
    connection = Connection(tmp_path / "store.db")
    connection.execute("CREATE TABLE a (b)")
    assert (tmp_path / "store.db-shm").exists()


def test_a_wait_for_a_lock_is_slept_on_the_clock_that_is_handed_in(tmp_path: Path) -> None:
    slept: list[int] = []
    with DiskVfs(sleep_us=slept.append) as vfs:
        vfs.mount(Disk(tmp_path, Random(1)))
        first, second = Connection(tmp_path / "store.db"), Connection(tmp_path / "store.db")
        first.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnwritable, match="locked"):
            second.execute("BEGIN IMMEDIATE")
    assert 1_900_000 < sum(slept) < 2_100_000


def test_a_second_disk_system_and_overlapping_disks_are_refused(vfs: DiskVfs, disk: Disk) -> None:
    with pytest.raises(RuntimeError, match="in use already"), DiskVfs():
        pass
    (disk.folder / "below").mkdir()
    with pytest.raises(ValueError, match="can't lie in another"):
        vfs.mount(Disk(disk.folder / "below", Random(1)))
    assert CentreBook(disk.folder).rows("SELECT 1") == [(1,)]


def test_an_error_of_the_model_is_told_apart_from_one_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*_: object) -> None:
        raise ZeroDivisionError("planted")

    block = ExitStack()
    disk = block.enter_context(DiskVfs()).mount(Disk(tmp_path, Random(1)))
    book = StoreBook(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Content, "write", bug)
        with pytest.raises(StoreUnwritable):
            book.write([TABLE])
    assert isinstance(disk.fault, ZeroDivisionError)
    with pytest.raises(DiskModelFault, match="planted"):
        block.close()
    with DiskVfs():  # the next one is not harmed
        pass


def test_while_the_interpreter_ends_every_call_fails(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    book = StoreBook(disk.folder)
    book.write([TABLE])
    writes = disk.writes
    with monkeypatch.context() as patch:
        patch.setattr(_plumbing(), "_ended", True)
        with pytest.raises(StoreUnwritable):
            book.write([ROW])
    assert disk.writes == writes
    assert disk.fault is None


def test_shared_memory_ends_with_its_last_user(disk: Disk) -> None:
    for _ in range(3):
        book = StoreBook(disk.folder)
        book.sql.execute("PRAGMA synchronous=OFF")  # so that the disk remembers the file after it is closed
        book.write([TABLE, ROW])
        rows = count(book)
        assert any(content.memory for content in disk._contents.values())
        book.close()
        assert not any(content.memory for content in disk._contents.values())
    assert rows == 3


def test_a_python_with_sqlite_built_in_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite_abi.library.cache_clear()
    monkeypatch.setattr(sys.modules["_sqlite3"], "__file__", "/nowhere.so")
    with pytest.raises(SqliteNotReachable, match="libsqlite3-dev"):
        sqlite_abi.library()


def test_unsynced_changes_are_bounded(vfs: DiskVfs, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.world.unsynced.UNSYNCED_BYTES_MAX", 100_000)
    sql = sqlite3.connect(disk.folder / "a.db", isolation_level=None)
    sql.execute("PRAGMA synchronous=OFF")
    sql.execute("CREATE TABLE a (b)")
    for _ in range(200):
        sql.execute("INSERT INTO a VALUES (randomblob(3000))")
        assert all(content.unsynced_bytes <= 100_000 for content in disk._contents.values())
    assert len(disk._names.entries) <= 64
    assert len(disk._contents) <= 70
    losses = disk.lose_power()
    assert losses.kept + losses.dropped + losses.torn < 200
