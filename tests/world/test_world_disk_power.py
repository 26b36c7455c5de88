"""Power cuts on the simulated disk: our settings lose nothing, and weaker ones are caught by the same witness.

The weaker settings are the controls. If one of them passes, the disk is too kind, and then it proves nothing that our
own settings pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

import pytest

from edge_agent.store.connection import StoreError
from edge_agent.store.store import FILE_NAME, IDENTITY_NAME, Store
from simulator.world import power_loss
from simulator.world.disk import Disk
from simulator.world.power_loss import Losses
from simulator.world.unsynced import Content
from simulator.world.unsynced_names import UnsyncedNames
from simulator.world.vfs import DiskVfs
from tests.world.disk_rig import Book, CentreBook, PlainBook, StoreBook, lives

OpenBook = Callable[[Path], Book]
SEEDS_TO_CATCH: Final = 8  # lives of 5 power cuts; of 200 lives no 6 in a row went by without a catch
SEEDS_TO_TRUST: Final = 20
SAFE: Final[dict[str, OpenBook]] = {
    "the unit's store": StoreBook,
    "the centre's database": CentreBook,
    "DELETE and EXTRA": partial(PlainBook, journal="DELETE", synchronous="EXTRA"),
    "TRUNCATE and FULL": partial(PlainBook, journal="TRUNCATE", synchronous="FULL"),
    "PERSIST and FULL": partial(PlainBook, journal="PERSIST", synchronous="FULL"),
}
UNSAFE: Final[dict[str, OpenBook]] = {
    "WAL and NORMAL": partial(PlainBook, journal="WAL", synchronous="NORMAL"),
    "WAL and OFF": partial(PlainBook, journal="WAL", synchronous="OFF"),
    "DELETE and FULL": partial(PlainBook, journal="DELETE", synchronous="FULL"),
    "DELETE and OFF": partial(PlainBook, journal="DELETE", synchronous="OFF"),
    "MEMORY and FULL": partial(PlainBook, journal="MEMORY", synchronous="FULL"),
    "the centre with NORMAL": lambda folder: CentreBook(folder, "synchronous=NORMAL"),
    "the centre with DELETE": lambda folder: CentreBook(folder, "journal_mode=DELETE"),
}


def wrong(open_book: OpenBook, folder: Path, seeds: range) -> dict[str, int]:
    """What the witness complains of."""
    found = lives(open_book, folder, seeds, cuts=5)
    return {what: count for what, count in found.items() if what not in ("cuts", "transactions")}


@pytest.mark.parametrize("name", SAFE)
def test_K5_what_was_acknowledged_survives_hundreds_of_power_cuts_whole_and_in_order(name: str, tmp_path: Path) -> None:
    found = lives(SAFE[name], tmp_path, range(80), cuts=5)
    assert found["cuts"] == 400
    assert found["transactions"] > 1_000
    assert set(found) == {"cuts", "transactions"}, found


@pytest.mark.parametrize("name", UNSAFE)
def test_weaker_settings_are_caught(name: str, tmp_path: Path) -> None:
    assert wrong(UNSAFE[name], tmp_path, range(SEEDS_TO_CATCH))


def nothing(*_: object, **__: object) -> None:
    """A part of the model that forgot what it is for."""


@pytest.mark.parametrize(
    ("place", "name", "planted", "accused", "caught_when"),
    [
        (Content, "take_back", nothing, "WAL and NORMAL", "nothing is found"),
        (power_loss, "lose", lambda *_: Losses(), "DELETE and OFF", "nothing is found"),
        (power_loss, "give_back", nothing, "DELETE and FULL", "nothing is found"),
        (Content, "sync", nothing, "the unit's store", "something is found"),
        (UnsyncedNames, "sync", nothing, "DELETE and EXTRA", "something is found"),
        (Disk, "exists", lambda *_: False, "DELETE and EXTRA", "something is found"),
    ],
    ids=[
        "a disk that drops no write", "a disk that loses nothing", "a disk that undoes no unlink",
        "a sync that does not", "a folder's sync that does not", "a journal that nobody finds",
    ],
)  # fmt: skip
def test_a_wrong_model_is_caught_by_the_controls(
    place: object, name: str, planted: object, accused: str, caught_when: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(place, name, planted)
    open_book = {**SAFE, **UNSAFE}[accused]
    assert bool(wrong(open_book, tmp_path, range(SEEDS_TO_TRUST))) == (caught_when == "something is found")


def test_K5_a_store_whose_power_goes_at_any_change_of_its_first_start_starts_again(tmp_path: Path) -> None:
    with DiskVfs(entropy=Random(0).randbytes) as vfs:
        for seed in range(2):
            for change in range(1, 1_000):
                folder = tmp_path / f"{seed} {change}"
                folder.mkdir()
                disk = vfs.mount(Disk(folder, Random(seed * 1_000 + change)))
                disk.watch_plain(IDENTITY_NAME)
                disk.power_cut_in(change)
                epoch, whole = started(folder)
                disk.lose_power()
                again, whole_again = started(folder)
                assert whole_again
                assert again == epoch or not whole
                vfs.unmount(disk)
                if whole:
                    break
            assert change > 30


def started(folder: Path) -> tuple[bytes, bool]:
    """The epoch that a start of the store came to, and whether it came to its end."""
    try:
        store = Store(folder, "lane-1")
        epoch = store.journal.epoch
        store.start(Random(str(folder)).randbytes(16))
        epoch = store.journal.epoch
        store.close()
    except StoreError:
        return b"", False
    return epoch, (folder / FILE_NAME).exists()


def test_every_kind_of_loss_happens(tmp_path: Path) -> None:
    sum_of = Losses()
    original = power_loss.lose

    def counting(contents: Sequence[Content], names: UnsyncedNames, rng: Random) -> Losses:
        losses = original(contents, names, rng)
        for what, count in vars(losses).items():
            setattr(sum_of, what, getattr(sum_of, what) + count)
        return losses

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(power_loss, "lose", counting)
        lives(UNSAFE["DELETE and OFF"], tmp_path, range(40), cuts=5)
    assert all(count > 0 for what, count in vars(sum_of).items() if what != "plain_undone"), sum_of
