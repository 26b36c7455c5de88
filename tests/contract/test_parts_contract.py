"""What every clock promises (hal/clock.py), and what a world tells of a whole unit.

Cards, displays, indicators and cameras have suites of their own beside this one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from hal.display import HEIGHT_PX, WIDTH_PX
from hal.indicators import LONGEST_MS, Light, Sound
from hal.virtual.tag import Tag
from hal.virtual.world import DARK, CardMoved, Lit, Played, Shown, WorldEvent
from tests.contract.parts_rig import RIGS, Rig, open_rig
from tests.servers import wait_until

UID = bytes.fromhex("04a1b2c3d4e5f6")


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with open_rig(request.param, tmp_path) as opened:
        yield opened


def _picture() -> Image.Image:
    picture = Image.new("1", (WIDTH_PX, HEIGHT_PX))
    ImageDraw.Draw(picture).rectangle((3, 5, 60, 20), fill=1)
    return picture


# -- a world's whole unit


def test_observers_are_told_of_pictures_lights_and_sounds_in_order(rig: Rig) -> None:
    told: list[WorldEvent] = []
    stop = rig.world.observe(told.append)
    rig.display.show(_picture())
    rig.indicators.signal(Light.RED, Sound.NO, 500)
    rig.world.insert_card(Tag(UID))
    stop()
    rig.world.remove_card()
    assert told == [Shown(_picture().tobytes()), Lit(Light.RED, 500), Played(Sound.NO), CardMoved(UID)]


def test_a_power_cut_leaves_everything_dark(rig: Rig) -> None:
    rig.display.show(_picture())
    rig.indicators.signal(Light.GREEN, Sound.YES, LONGEST_MS)
    rig.world.cut_power()
    assert rig.world.look()[:2] == (DARK, Light.OFF)


# -- the clock


def test_the_clock_shows_the_worlds_offset_and_trust(rig: Rig) -> None:
    rig.world.set_clock_offset(-86_400_000)
    rig.world.set_synchronised(False)
    before = time.time_ns() // 1_000_000
    reading = rig.clock.read()
    after = time.time_ns() // 1_000_000
    assert before <= reading.wall_ms + 86_400_000 <= after
    assert not reading.synchronised
    rig.world.set_synchronised(True, error_ms=35)
    assert rig.clock.read()[2:] == (True, 35)


def test_a_frozen_clock_stands_still_while_monotonic_time_goes_on(rig: Rig) -> None:
    rig.world.set_clock_rate(-1_000_000)
    first = rig.clock.read()
    wait_until(lambda: rig.clock.read().mono_ms >= first.mono_ms + 60, 2, "60 ms of monotonic time")
    second = rig.clock.read()
    assert abs(second.wall_ms - first.wall_ms) <= 2  # the real clock is read a moment before the monotonic one


def test_a_drifting_clock_does_not_jump_when_the_drift_begins(rig: Rig) -> None:
    rig.world.set_clock_offset(5_000)
    rig.world.set_clock_rate(500_000)
    ahead_ms = rig.clock.read().wall_ms - time.time_ns() // 1_000_000
    assert 4_990 <= ahead_ms <= 6_000


def test_the_boot_has_one_name_of_eight_bytes(rig: Rig) -> None:
    assert len(rig.clock.boot) == 8
    assert rig.clock.boot == rig.clock.boot
