"""The simulated disk without SQLite: what a power loss may leave of a file, sector by sector, and of names."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from edge_agent.store.connection import StoreCorrupt
from edge_agent.store.salvage import salvage
from edge_agent.store.store import FILE_NAME, Store
from simulator.world import sqlite_abi as sql
from simulator.world.disk import Disk
from simulator.world.file_locks import reserved
from simulator.world.open_file import OpenFile
from simulator.world.unsynced import SECTOR_BYTES
from simulator.world.vfs import DiskVfs
from wire.facts import Cancelled, Stamp

SYNCED_SECTORS = 20
SEEDS = 300


def opened(disk: Disk, name: str, kind: int = 0x100) -> OpenFile:
    handle = disk.open(str(disk.folder / name), sql.OPEN_READWRITE | sql.OPEN_CREATE | kind)
    assert isinstance(handle, OpenFile)
    return handle


def put(handle: OpenFile, data: bytes, offset: int) -> int:
    source = ctypes.create_string_buffer(data, len(data))
    return handle.write(ctypes.addressof(source), len(data), offset)


def sectors(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), SECTOR_BYTES):
        yield data[start : start + SECTOR_BYTES]


def test_after_a_power_loss_every_sector_is_old_or_new_and_what_was_synced_is_there(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        rng = Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        disk = Disk(folder, rng)
        handle = opened(disk, "a.db")
        old = rng.randbytes(SYNCED_SECTORS * SECTOR_BYTES)
        put(handle, old, 0)
        disk.sync(handle)
        disk.settle()
        versions: list[set[bytes]] = [{sector} for sector in sectors(old)]
        for _ in range(rng.randint(1, 6)):
            first, count = rng.randrange(SYNCED_SECTORS + 4), rng.randint(1, 8)
            new = rng.randbytes(count * SECTOR_BYTES)
            put(handle, new, first * SECTOR_BYTES)
            for number, sector in enumerate(sectors(new), first):
                while len(versions) <= number:
                    versions.append({bytes(SECTOR_BYTES)})
                versions[number].add(sector)
        before = (folder / "a.db").read_bytes()
        losses = disk.lose_power()
        after = (folder / "a.db").read_bytes()
        assert len(old) <= len(after) <= len(before)
        for number, sector in enumerate(sectors(after)):
            beyond = number >= SYNCED_SECTORS
            assert sector in versions[number] or (beyond and losses.dropped), f"seed {seed}, sector {number}"
            seen["rubbish"] += sector not in versions[number]
        changed = sum(a != b for a, b in zip(sectors(old), sectors(after), strict=False))
        seen["nothing"] += after == old
        seen["everything"] += after == before
        seen["something"] += changed > 0 and after not in (old, before)
        seen["torn"] += losses.torn
        seen["its length lost"] += len(after) == len(old) < len(before)
        seen["longer"] += len(after) > len(old) and losses.kept == losses.torn == 0
    kinds = ("nothing", "everything", "something", "torn", "its length lost", "longer", "rubbish")
    assert all(seen[kind] > 3 for kind in kinds), seen


def test_the_moment_of_the_cut_may_tear_its_write_at_a_sector_alone(tmp_path: Path) -> None:
    found: Counter[str] = Counter()
    old, new = b"a" * 4096, b"b" * 4096
    for seed in range(60):
        folder = tmp_path / str(seed)
        folder.mkdir()
        disk = Disk(folder, Random(seed))
        handle = opened(disk, "a.db")
        put(handle, old, 0)
        disk.power_cut_in(1)
        assert put(handle, new, 0) == sql.IOERR_WRITE
        assert put(handle, new, 0) == sql.IOERR_WRITE
        assert disk.dead
        left = (folder / "a.db").read_bytes()
        assert all(sector in (b"a" * SECTOR_BYTES, b"b" * SECTOR_BYTES) for sector in sectors(left))
        found["whole" if left == new else "not at all" if left == old else "torn"] += 1
    assert all(found[what] > 8 for what in ("whole", "not at all", "torn")), found


def test_a_cut_off_file_may_come_back_as_it_was(tmp_path: Path) -> None:
    found = set()
    for seed in range(40):
        folder = tmp_path / str(seed)
        folder.mkdir()
        disk = Disk(folder, Random(seed))
        handle = opened(disk, "a.db")
        put(handle, b"a" * 10_000, 0)
        disk.settle()
        disk.truncate(handle.content, 100)
        disk.lose_power()
        found.add((folder / "a.db").read_bytes())
    assert found == {b"a" * 100, b"a" * 10_000}


@pytest.mark.parametrize(("syncs", "left"), [(False, {"old", "new", "none"}), (True, {"none", "new"})])
def test_a_name_stands_for_any_of_what_it_stood_for_since_its_folder_was_synced(
    tmp_path: Path, syncs: bool, left: set[str]
) -> None:
    found = set()
    for seed in range(60):
        folder = tmp_path / str(seed)
        folder.mkdir()
        disk = Disk(folder, Random(seed))
        journal = opened(disk, "a-journal", 0x800)
        put(journal, b"old", 0)
        disk.sync(journal)
        disk.close_file(journal)
        disk.delete(str(folder / "a-journal"), sync_folder=syncs)
        again = opened(disk, "a-journal", 0x100)
        put(again, b"new", 0)
        disk.sync(again)
        disk.lose_power()
        path = folder / "a-journal"
        found.add(path.read_bytes().decode() if path.exists() else "none")
    assert found == left


@pytest.mark.parametrize("name", ["a", "b"])
def test_of_two_names_either_may_be_there_alone(tmp_path: Path, name: str) -> None:
    found = set()
    for seed in range(200):
        folder = tmp_path / str(seed)
        folder.mkdir()
        disk = Disk(folder, Random(seed))
        opened(disk, "a")
        opened(disk, "b")
        disk.lose_power()
        found.add("".join(sorted(path.name for path in folder.iterdir())))
    assert found >= {name, "ab", ""}


def test_a_file_that_somebody_else_put_under_a_name_is_left_alone(tmp_path: Path) -> None:
    for seed in range(40):
        folder = tmp_path / str(seed)
        folder.mkdir()
        disk = Disk(folder, Random(seed))
        put(opened(disk, "made"), b"ours", 0)
        handle = opened(disk, "deleted")
        disk.settle()
        put(opened(disk, "replaced"), b"ours", 0)
        disk.close_file(handle)
        disk.delete(str(folder / "deleted"), sync_folder=False)
        for name in ("replaced", "deleted"):
            (folder / "new").write_bytes(b"theirs")
            (folder / "new").replace(folder / name)
        disk.lose_power()
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
            "made": (folder / "made").read_bytes(), "replaced": b"theirs", "deleted": b"theirs"
        }  # fmt: skip


def test_what_waits_too_long_is_written_back_oldest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.world.unsynced.UNSYNCED_BYTES_MAX", 20 * SECTOR_BYTES)
    lost = set()
    for seed in range(40):
        folder = tmp_path / str(seed)
        folder.mkdir()
        disk = Disk(folder, Random(seed))
        handle = opened(disk, "a.db")
        disk.settle()
        for number in range(50):
            put(handle, bytes([number + 1]) * SECTOR_BYTES, number * SECTOR_BYTES)
        disk.lose_power()
        after = list(sectors((folder / "a.db").read_bytes()))
        lost |= {n for n in range(50) if n >= len(after) or after[n] != bytes([n + 1]) * SECTOR_BYTES}
    assert min(lost) >= 50 - 20
    assert max(lost) == 49


def test_the_folders_sync_makes_the_rename_of_a_plain_file_last(tmp_path: Path) -> None:
    for seed in range(20):
        folder = tmp_path / str(seed)
        folder.mkdir()
        disk = Disk(folder, Random(seed))
        disk.watch_plain("identity")
        (folder / "identity").write_bytes(b"new")
        disk.sync(opened(disk, "a-wal", 0x80000))
        disk.lose_power()
        assert (folder / "identity").read_bytes() == b"new"


def test_a_stale_file_gives_nothing_and_takes_nothing(tmp_path: Path) -> None:
    disk = Disk(tmp_path, Random(1))
    handle = opened(disk, "a.db")
    put(handle, b"a" * 10, 0)
    room = ctypes.create_string_buffer(10)
    assert handle.read(ctypes.addressof(room), 10, 0) == sql.OK
    disk.kill()
    assert handle.read(ctypes.addressof(room), 10, 0) == sql.IOERR_READ
    assert put(handle, b"b", 0) == sql.IOERR_WRITE
    assert (tmp_path / "a.db").read_bytes() == b"a" * 10


def test_one_means_to_write_and_everybody_sees_it(tmp_path: Path) -> None:
    disk = Disk(tmp_path, Random(1))
    one, other = opened(disk, "a.db"), opened(disk, "a.db")
    assert one.lock(sql.LOCK_SHARED) == other.lock(sql.LOCK_SHARED) == sql.OK
    assert not reserved(other)
    assert one.lock(sql.LOCK_RESERVED) == sql.OK
    assert reserved(one)
    assert reserved(other)
    assert other.lock(sql.LOCK_RESERVED) == sql.BUSY


def test_a_file_that_must_be_new_is_not_opened_when_it_is_there(tmp_path: Path) -> None:
    disk = Disk(tmp_path, Random(1))
    opened(disk, "a")
    new = sql.OPEN_READWRITE | sql.OPEN_CREATE | sql.OPEN_EXCLUSIVE
    assert disk.open(str(tmp_path / "a"), new) == sql.CANTOPEN
    assert isinstance(disk.open(str(tmp_path / "b"), new), OpenFile)
    assert disk.open(str(tmp_path / "c"), sql.OPEN_READWRITE) == sql.CANTOPEN


def test_a_damaged_store_is_set_aside_and_salvaged_on_it(tmp_path: Path) -> None:
    """Plain renames under the disk's feet: what is set aside keeps its content, the new store loses nothing."""
    at = Stamp(1_800_000_000_000, 1, b"8 bytes.", True)
    with DiskVfs(entropy=Random(0).randbytes) as vfs:
        for seed in range(10):
            folder = tmp_path / str(seed)
            folder.mkdir()
            disk = vfs.mount(Disk(folder, Random(seed)))
            store = Store(folder, "lane-1")
            store.start(bytes(16))
            with store.transaction():
                store.journal.append([Cancelled(at, b"16 bytes long...", 1, 0)])
            store.connection.checkpoint()
            disk.kill()
            disk.settle()
            with (folder / FILE_NAME).open("r+b") as file:
                file.write(b"rubbish")
            with pytest.raises(StoreCorrupt):
                Store(folder, "lane-1")
            damaged = (folder / FILE_NAME).read_bytes()
            salvage(folder, "lane-1", b"\1" * 16, at)
            disk.lose_power()
            store = Store(folder, "lane-1")
            assert store.journal.epoch == b"\1" * 16
            assert store.journal.last == 2  # the epoch's opening, and what was carried over
            assert (folder / "damaged-1" / FILE_NAME).read_bytes() == damaged
            vfs.unmount(disk)
