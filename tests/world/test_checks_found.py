"""What the checkers found, as stories of their own."""

from __future__ import annotations

from pathlib import Path

from simulator.world.observe import Green, Issued
from tests.world.watched_world import World


def test_a_restored_centre_stops_waiting_for_a_unit_whose_disk_is_old_too(tmp_path: Path) -> None:
    """Its journal forks on the very connection on which it hears of the restore (`nothing-waits`)."""
    world = World(tmp_path, names={"lane-1": "ginza", "lane-2": "ueno"})
    codes = [world.coupon(4) for _ in range(6)]
    world.scan("lane-1", codes[0], 20)
    image = world.image_of("lane-1")
    world.scan("lane-1", codes[1], 20)
    world.scan("lane-1", codes[2], 20)
    backup = world.backup()
    world.lane("lane-1").cut()
    world.restore_lane("lane-1", image)
    for code in codes[3:]:
        world.scan("lane-1", code, 2)
    world.restore_centre(backup)
    for device in ("lane-1", "lane-2"):
        world.lane(device).cut()
        world.lane(device).connect()
    for _ in range(60):
        world.turn(1_000)
    world.scan("lane-2", world.coupon(1), 100)
    last = [seen for seen in world.seen if not isinstance(seen, Issued)][-1]
    assert isinstance(last, Green), last
    world.judge()
    world.close()
