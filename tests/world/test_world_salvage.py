"""A damaged store is salvaged once, whatever happens meanwhile: on the simulated disk, cut off at each change."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from edge_agent.settings import UnitSettings
from edge_agent.start import on_store, open_store
from edge_agent.steps import StepLog
from edge_agent.store.connection import StoreCorrupt, StoreError
from edge_agent.store.salvage import UNFINISHED
from edge_agent.store.store import FILE_NAME, Store
from hal.clock import Reading
from simulator.world.disk import Disk
from simulator.world.vfs import DiskVfs
from wire.facts import Cancelled, Stamp, decode_fact

AT = Stamp(1_800_000_000_000, 1, b"8 bytes.", True)
QUESTIONS = [bytes([number]) * 16 for number in range(1, 8)]
CUTS = 60


class At:
    """A clock that stands still."""

    boot = b"8 bytes."

    def read(self) -> Reading:
        return Reading(AT.wall_ms, 1, True, 50)


@pytest.fixture
def vfs() -> Iterator[DiskVfs]:
    with DiskVfs(entropy=Random(0).randbytes) as made:
        yield made


def opened(folder: Path) -> Store:
    settings = UnitSettings(device="lane-1", site="ginza", data_dir=str(folder))
    return open_store(settings, At(), StepLog(lambda line: None, lambda: 0))


def damage_header(folder: Path) -> None:
    with (folder / FILE_NAME).open("r+b") as file:
        file.write(b"rubbish")


def damage_meta(folder: Path) -> None:
    """A page that is read only once the file is open and found to be a database."""
    with (folder / FILE_NAME).open("r+b") as file:
        file.seek(4096)
        file.write(b"rubbish!" * 512)


DAMAGE = {"header": damage_header, "meta": damage_meta}


def a_damaged_store(disk: Disk, damage: Callable[[Path], None]) -> None:
    """Facts that wait: some in the file, some in its log, which nobody moved into it."""
    store = opened(disk.folder)
    with store.transaction():
        store.journal.append([Cancelled(AT, question, 1, 0) for question in QUESTIONS[:4]])
    store.connection.checkpoint()
    with store.transaction():
        store.journal.append([Cancelled(AT, question, 1, 0) for question in QUESTIONS[4:]])
    disk.kill()
    disk.settle()
    damage(disk.folder)


def carried(store: Store) -> list[bytes]:
    rows = store.connection.rows("SELECT body FROM journal ORDER BY position")
    facts = [decode_fact(body) for (body,) in rows]
    return [fact.question for fact in facts if isinstance(fact, Cancelled)]


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_salvage_that_is_cut_off_at_any_change_is_taken_up_again_and_loses_nothing(
    tmp_path: Path, vfs: DiskVfs, damage: Callable[[Path], None]
) -> None:
    interrupted = 0
    for cut in range(1, CUTS):
        folder = tmp_path / str(cut)
        folder.mkdir()
        disk = vfs.mount(Disk(folder, Random(cut)))
        a_damaged_store(disk, damage)
        disk.power_cut_in(cut)
        try:
            opened(folder).close()
        except (StoreError, OSError):
            assert disk.dead
            interrupted += 1
        disk.lose_power()
        store = opened(folder)
        assert carried(store) == QUESTIONS
        assert [path.name for path in folder.glob("damaged-*")] == ["damaged-1"]
        assert not (folder / "damaged-1" / UNFINISHED).exists()
        store.close()
        vfs.unmount(disk)
    assert interrupted > 10


def test_damage_that_shows_only_when_the_agent_is_built_on_the_store_is_salvaged_too(
    tmp_path: Path, vfs: DiskVfs
) -> None:
    vfs.mount(Disk(tmp_path, Random(1)))
    settings = UnitSettings(device="lane-1", site="ginza", data_dir=str(tmp_path))
    built: list[Store] = []

    def build(store: Store) -> Store:
        built.append(store)
        if len(built) == 1:
            with store.transaction():
                store.journal.append([Cancelled(AT, question, 1, 0) for question in QUESTIONS])
            raise StoreCorrupt("a page that only the agent reads")
        return store

    store = on_store(settings, At(), StepLog(lambda line: None, lambda: 0), build)
    assert carried(store) == QUESTIONS
    assert len(built) == 2


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_the_damaged_store_is_closed_before_its_successor_has_a_log_that_it_could_take_along(
    tmp_path: Path, vfs: DiskVfs, damage: Callable[[Path], None]
) -> None:
    """SQLite deletes the log of a file by its name when its last connection goes."""
    disk = vfs.mount(Disk(tmp_path, Random(1)))
    a_damaged_store(disk, damage)
    store = opened(tmp_path)
    with store.transaction():
        store.journal.append([Cancelled(AT, b"after the salvage", 1, 0)])
    gc.collect()
    assert (tmp_path / (FILE_NAME + "-wal")).exists()
    disk.kill()
    assert carried(opened(tmp_path)) == [*QUESTIONS, b"after the salvage"]
