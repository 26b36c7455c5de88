"""What the checkers found, as stories of their own."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from random import Random

from edge_agent.store.connection import StoreError
from edge_agent.store.store import Store
from simulator.world.disk import Disk
from simulator.world.vfs import DiskVfs
from tests.shops import Shops
from tests.world.story import CAMPAIGNS
from wire.facts import Redeemed, Stamp


def test_a_restored_centre_stops_waiting_for_a_unit_whose_disk_is_old_too(tmp_path: Path) -> None:
    """Its journal forks on the very connection on which it hears of the restore (`nothing-waits`)."""
    with Shops(tmp_path, CAMPAIGNS, {"lane-1": "ginza", "lane-2": "ueno"}) as shops:
        codes = [shops.coupon(4) for _ in range(6)]
        shops.scan("lane-1", codes[0])
        shops.run(1_000)
        image = shops.image("lane-1")
        for code in codes[1:3]:
            shops.scan("lane-1", code)
            shops.run(1_000)
        backup = shops.backup()
        shops.cut("lane-1")
        shops.restore_disk("lane-1", image)
        for code in codes[3:]:
            shops.scan("lane-1", code)
            shops.run(100)
        shops.restore_centre(backup)
        shops.cut(*shops.lanes)
        shops.mend(*shops.lanes)
        shops.run(60_000)
        shops.scan("lane-2", shops.coupon(1))
        shops.run(5_000)
        verdict = shops.answer("lane-2")
        assert verdict is not None
        assert verdict.accepted, verdict
        shops.judge()


def _decide(store: Store, serial: int) -> None:
    stamp = Stamp(serial, serial, b"b" * 8, True)
    with store.transaction():
        store.journal.append([Redeemed(stamp, 4, serial, 0, 1, "signed", "ginza", 0, 0, 1)])


def test_K5_a_yes_said_again_after_a_kill_survives_the_power_cut_that_follows(tmp_path: Path) -> None:
    """A process killed between the write of a commit and its flush leaves a decision that is there, but not for good.

    The unit that comes up again says that yes again, and writes nothing for it (`shown-is-on-disk`).
    """
    said_again = 0
    for last_write, seed in product(range(6, 13), range(10)):
        folder = tmp_path / f"{last_write}-{seed}"
        folder.mkdir()
        with DiskVfs() as vfs:
            disk = vfs.mount(Disk(folder, Random(seed)))
            store = Store(folder, "lane-1")
            store.start(b"e" * 16)
            _decide(store, 1)
            disk.power_cut_in(last_write)
            try:
                _decide(store, 2)
                continue
            except StoreError:
                disk.kill()
            if not _unseen(Store(folder, "lane-1"), 2):
                continue
            said_again += 1
            disk.die()
            disk.lose_power()
            assert _unseen(Store(folder, "lane-1"), 2), (last_write, seed)
    assert said_again, "some kill came just after the write"


def _unseen(store: Store, serial: int) -> bool:
    return store.connection.row("SELECT 1 FROM own WHERE serial = ? AND shown = 0", (serial,)) is not None
