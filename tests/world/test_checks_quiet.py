"""The checkers find nothing where all is well: on real lives of lanes and centre, quiet ones and troubled ones."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from simulator.world.observe import Green, Refused
from tests.world.watched_world import World

QUICK_SEEDS = range(4)
SLOW_SEEDS = range(100, 160)
STEPS = 90


def test_a_day_without_trouble_breaks_no_promise(tmp_path: Path) -> None:
    world = World(tmp_path)
    for campaign in (1, 2, 3, 4, 5, 6):
        code = world.coupon(campaign, home="ginza" if campaign == 2 else "")
        world.scan("lane-1", code)
        world.scan("lane-2", code)
    assert sum(isinstance(seen, Green) for seen in world.seen) == 8  # two for each campaign without serials
    assert sum(isinstance(seen, Refused) for seen in world.seen) == 4
    world.judge()
    world.close()


class Life:
    """A random life, as in tests/scenario/test_alone_random.py, with shoppers who look and plugs that are pulled."""

    def __init__(self, folder: Path, seed: int, *, disks: bool) -> None:
        self.rng, self.disks = Random(seed * 11 + 3), disks
        self.world = World(folder, seed, loss=0.1)
        self.codes = [self.world.coupon(number) for number in (1, 3, 4, 5, 6) for _ in range(6)]
        self.codes += [self.world.coupon(2, home=site) for site in ("ginza", "shibuya", "") for _ in range(3)]
        self.images: list[tuple[str, Path]] = []
        self.backups: list[Path] = []

    def step(self) -> None:
        rng, world = self.rng, self.world
        device = rng.choice(list(world.lanes))
        lane, luck = world.lane(device), rng.random()
        if luck < 0.50:
            lane.scan(rng.choice(self.codes))
        elif luck < 0.58:
            lane.cut()
        elif luck < 0.68 and not lane.link_up:
            lane.connect()
        elif luck < 0.71:
            world.went_down(lane)
        elif luck < 0.75:
            lane.dies_unseen = True
        elif luck < 0.77:
            lane.dies_unmarked = True
        elif luck < 0.80:
            (lane.leave if lane.lan_up else lane.join)()
        elif luck < 0.83:
            world.restart_centre()
        elif luck < 0.86:
            self.backups.append(world.backup())
        elif luck < 0.88 and self.backups:
            world.restore_centre(rng.choice(self.backups))
        elif luck < 0.91 and self.disks:
            self.images.append((device, world.image_of(device)))
        elif luck < 0.94 and self.images:
            world.restore_lane(*rng.choice(self.images))
        elif luck < 0.95 and self.disks:
            world.write_off(device)
        for _ in range(rng.randrange(1, 10)):
            world.turn(rng.choice((50, 100, 500)))

    def run(self) -> None:
        for _ in range(STEPS):
            self.step()
        for lane in self.world.lanes:
            self.world.lane(lane).dies_unseen = self.world.lane(lane).dies_unmarked = False
        self.world.judge()
        self.world.close()


@pytest.mark.parametrize("disks", [False, True])
@pytest.mark.parametrize("seed", QUICK_SEEDS)
def test_a_troubled_life_breaks_no_promise(seed: int, disks: bool, tmp_path: Path) -> None:
    Life(tmp_path, seed, disks=disks).run()


@pytest.mark.slow
@pytest.mark.parametrize("disks", [False, True])
def test_many_troubled_lives(disks: bool, tmp_path: Path) -> None:
    for seed in SLOW_SEEDS:
        Life(tmp_path / str(seed), seed, disks=disks).run()
