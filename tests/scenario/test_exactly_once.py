"""Exactly once, end to end: loss, doubling, reordering, old images of the unit's disk, old backups of the centre."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import SystemRandom

import pytest

from central.office import Office
from tests.postgres import Postgres
from tests.scenario.exactly_once_world import World, serials

Make = Callable[[int, float], World]


class Server:
    """The centre's databases lie on a server, and are copied and put back there."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self.names: list[str] = []

    def url(self, _folder: Path) -> str:
        self.names.append(self._server.fresh())
        return self._server.url(self.names[-1])

    def backup(self, office: Office, name: str) -> str:
        source = str(office.database.url.database)
        copy = f"{source}_{name}"
        self._server.throw_out(source)
        self._server.drop(copy)
        self._server.copy(source, copy)
        self.names.append(copy)
        return copy

    def put_back(self, office: Office, backup: str) -> None:
        name = str(office.database.url.database)
        self._server.drop(name)
        self._server.copy(backup, name)

    def close(self) -> None:
        for name in self.names:
            self._server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    made: list[World] = []
    keeper = Server(request.getfixturevalue("postgres")) if request.param == "postgresql" else None

    def world(seed: int, loss: float) -> World:
        made.append(World(tmp_path / str(seed), seed, loss, keeper))
        return made[-1]

    yield world
    for each in made:
        each.close()
    if keeper is not None:
        keeper.close()


def test_K6_facts_are_booked_once_over_a_network_that_loses_doubles_and_reorders(make: Make) -> None:
    for seed in range(6):
        world = make(seed, 0.3)
        for _ in range(60):
            world.redeem(world.rng.randrange(4))
            world.pass_time(world.rng.randrange(3_000))
            world.deliver()
        world.settle()
        assert world.booked() == sorted(serials(world.journal()))


def test_K6_a_unit_restored_from_an_old_image_forks_and_every_fact_is_booked_once(make: Make) -> None:
    world = make(100, 0.0)
    before = world.redeem(5)
    image = world.image()
    lost_with_the_disk = world.redeem(7)
    world.settle()
    world.restore_unit(image)
    after = world.redeem(3)  # the numbers 6, 7 and 8 a second time, with other facts
    world.settle()
    assert world.booked() == sorted(before + lost_with_the_disk + after)
    assert len(world.store.journal.epochs()) == 2


def test_K6_an_old_image_that_redeemed_nothing_since_still_gets_a_new_epoch(make: Make) -> None:
    world = make(101, 0.0)
    world.redeem(5)
    world.settle()
    image = world.image()
    world.redeem(7)
    world.settle()
    world.restore_unit(image)
    world.settle()
    assert len(world.store.journal.epochs()) == 2
    world.redeem(1)
    world.settle()
    assert world.booked() == list(range(1, 14))


def test_K6_a_centre_restored_from_a_backup_gets_again_what_it_forgot(make: Make) -> None:
    world = make(102, 0.0)
    world.redeem(20)
    world.settle()
    backup = world.backup()
    world.redeem(30)
    world.settle()
    gone = world.incarnation
    world.restore_centre(backup)
    assert world.incarnation != gone
    assert len(world.booked()) == 20
    world.settle()
    world.settle()
    assert world.booked() == list(range(1, 51))
    assert world.store.retired == [gone]


def test_K6_facts_that_two_images_carry_into_two_epochs_are_booked_once(make: Make) -> None:
    """Seed 1009 of the search: the second image held facts that the first one had carried already."""
    world = make(103, 0.0)
    world.redeem(2)
    first = world.image()
    world.redeem(4)
    world.settle()
    world.restore_unit(first)
    world.redeem(3)
    second = world.image()  # before the fork is known, with facts of the fork in it
    world.settle()
    world.restore_unit(second)
    world.settle()
    assert world.booked() == list(range(1, 10))


def test_K6_an_old_image_and_an_empty_backup_together_book_a_fact_once(make: Make) -> None:
    """Seed 455433024 of the search: the restored centre did not know the epoch that the image spoke in."""
    world = make(105, 0.0)
    empty, first = world.backup(), world.image()
    world.redeem(2)
    world.settle()
    world.restore_unit(first)
    world.redeem(3)
    second = world.image()  # with facts of the fork, before the fork is known
    world.settle()
    world.restore_centre(empty)
    world.settle()
    world.restore_unit(second)
    world.settle()
    world.settle()
    booked = world.booked()
    assert len(booked) == len(set(booked))
    assert {3, 4, 5} <= set(booked)


def test_K6_while_a_backlog_drains_the_cursor_may_lag_and_a_restart_costs_no_fact(make: Make) -> None:
    world = make(104, 0.0)
    world.redeem(6_000)
    world.reconnect()
    for _ in range(4):  # where the journal ends, and the first three batches
        world.pass_time(1)
        world.deliver()
    told, written = world.unit.uplink.epochs[0].acked, world.store.journal.epochs()[0].acked
    assert 0 < told < 6_000
    assert written < told, "the cursor was written for each acknowledgement"
    world.restart_unit()
    world.settle()
    assert world.booked() == list(range(1, 6_001))
    assert world.store.journal.epochs()[0].acked == 6_000


def test_K6_all_of_it_together_for_many_seeds(make: Make) -> None:
    for seed in range(200, 208):
        _lives_and_settles(make, seed)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_K6_all_of_it_together_for_new_seeds(make: Make) -> None:
    first = SystemRandom().randrange(10**9)
    for seed in range(first, first + 150):
        _lives_and_settles(make, seed)


def _lives_and_settles(make: Make, seed: int) -> None:
    world = make(seed, 0.15)
    _live(world, 120)
    world.settle()
    world.settle()  # a second time: what the first one's answers brought about
    booked = world.booked()
    assert len(booked) == len(set(booked)), f"seed {seed}: a fact was booked twice"
    assert set(serials(world.journal())) <= set(booked), f"seed {seed}: a fact of the journal was not booked"
    world.close()  # before the next one: many of them would use up the descriptors


def _live(world: World, steps: int) -> None:
    images, backups = [world.image()], [world.backup()]
    for _ in range(steps):
        luck = world.rng.random()
        if luck < 0.02:
            images.append(world.image())
        elif luck < 0.04:
            backups.append(world.backup())
        elif luck < 0.06:
            world.restore_unit(world.rng.choice(images))
        elif luck < 0.07:
            world.restore_centre(world.rng.choice(backups))
        elif luck < 0.10:
            world.restart_unit()
        elif luck < 0.13:
            world.reconnect()
        world.redeem(world.rng.randrange(3))
        world.pass_time(world.rng.randrange(4_000))
        world.deliver()
