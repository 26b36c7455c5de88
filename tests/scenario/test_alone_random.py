"""Random lives of lanes and centre, seed by seed: what shoppers were shown stays within the limits that were set.

The bound is computed from what was shown and from what was done to disks, never from lease tables.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from loyalty.campaign import Campaign, Kind, Policy
from simulator.world.lanes import Lane, World

CAP, BUDGET_YEN = 30, 2_000
SERIAL = Campaign(id=1, name="先着", kind=Kind.AMOUNT, policy=Policy.LEASE, provider="s", amount_yen=100, cap=CAP)
PLAIN = Campaign(
    id=2, name="総額", kind=Kind.AMOUNT, policy=Policy.LEASE, provider="s", amount_yen=100, serials=False,
    budget_yen=BUDGET_YEN,
)  # fmt: skip
ONE = Campaign(id=3, name="一名様", kind=Kind.AMOUNT, policy=Policy.LEASE, provider="s", amount_yen=100, cap=1)
HOME = Campaign(id=4, name="発行店", kind=Kind.GIFT, policy=Policy.HOME, provider="s", gift="珈琲")
LANES = {"lane-1": "ginza", "lane-2": "ginza", "lane-3": "shibuya", "lane-4": "ueno"}
STEPS = 160
QUICK_SEEDS = range(6)
SLOW_SEEDS = range(100, 260)


class Life:
    """One random life of the world."""

    def __init__(self, folder: Path, seed: int, *, disks: bool) -> None:
        self.rng = Random(seed * 7 + 1)
        self.disks = disks
        self.world = World(folder, seed, (SERIAL, PLAIN, ONE, HOME), LANES)
        self.codes = [self.world.give(number).text for number in (1, 2, 3) for _ in range(12)]
        self.codes += [self.world.give(4, home=site).text for site in ("ginza", "shibuya") for _ in range(8)]
        self.images: list[tuple[str, Path]] = []
        self.backups: list[Path] = []
        for _ in range(60):
            self.world.turn()

    def lane(self) -> Lane:
        return self.rng.choice(list(self.world.lanes.values()))

    def step(self) -> None:
        rng, world, lane = self.rng, self.world, self.lane()
        luck = rng.random()
        if luck < 0.55:
            lane.scan(rng.choice(self.codes))
        elif luck < 0.63:
            lane.cut()
        elif luck < 0.73 and not lane.link_up:
            lane.connect()
        elif luck < 0.75:
            lane.restart()
        elif luck < 0.77:
            (lane.leave if lane.lan_up else lane.join)()
        elif luck < 0.80:
            lane.clock_off_ms = rng.choice((0, -NOW_OFF_MS, NOW_OFF_MS))
        elif luck < 0.82:
            world.restart_centre()
        elif luck < 0.84:
            self.backups.append(world.backup())
        elif luck < 0.86 and self.backups:
            world.restore_centre(rng.choice(self.backups))
        elif luck < 0.88 and self.disks:
            self.images.append((lane.where.device, lane.image()))
        elif luck < 0.90 and self.images:
            world.restore_lane(*rng.choice(self.images))
        elif luck < 0.91 and self.disks:
            world.write_off(lane.where.device)
        for _ in range(rng.randrange(1, 12)):
            world.turn(rng.choice((50, 100, 500)))

    def run(self) -> None:
        for _ in range(STEPS):
            self.step()
        self.world.settle()


NOW_OFF_MS = 40 * 365 * 86_400_000


def check(life: Life) -> None:
    world = life.world
    beyond = world.restored_parts + world.written_off
    assert world.shown_of(1) <= CAP + beyond
    assert world.shown_of(3) <= 1 + beyond
    assert world.shown_of(2) * 100 <= BUDGET_YEN + 100 * beyond
    for lane in world.lanes.values():
        for pot, account in lane.store.parts.accounts():
            known = world.granted(lane, pot)
            assert account.granted.least(known) == account.granted, "the centre knows of all that it granted"
    if not life.disks:
        for (campaign, serial), count in world.shown().items():
            assert count == 1 or not serial or campaign == 1, (campaign, serial, count)
        for campaign in (1, 2, 3, 4):
            assert world.booked_of(campaign) == world.shown_of(campaign)
        for campaign, cap in ((1, CAP), (3, 1)):
            at_hand = sum(lane.left(campaign) for lane in world.lanes.values())
            assert world.shown_of(campaign) + at_hand <= world.promised(campaign) <= cap


@pytest.mark.parametrize("seed", QUICK_SEEDS)
def test_caps_budgets_and_homes_hold_whatever_is_cut_killed_or_restored_at_the_centre(
    seed: int, tmp_path: Path
) -> None:
    life = Life(tmp_path, seed, disks=False)
    life.run()
    check(life)
    life.world.close()


@pytest.mark.parametrize("seed", QUICK_SEEDS)
def test_old_disks_and_written_off_units_cost_at_most_what_they_held(seed: int, tmp_path: Path) -> None:
    life = Life(tmp_path, seed, disks=True)
    life.run()
    check(life)
    life.world.close()


@pytest.mark.slow
@pytest.mark.parametrize("disks", [False, True])
def test_many_random_lives(disks: bool, tmp_path: Path) -> None:
    for seed in SLOW_SEEDS:
        life = Life(tmp_path / str(seed), seed, disks=disks)
        life.run()
        check(life)
        life.world.close()
