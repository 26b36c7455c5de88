"""The real agent as a process, SIGKILLed at random while coupons are held before its camera.

Where each kill fell is judged by what was seen outside and by what lies on the unit's disk, never by what was intended.
"""

from __future__ import annotations

import logging
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from pathlib import Path
from random import Random
from time import monotonic, sleep
from typing import Any, Final

import pytest

from edge_agent.store.store import Store
from hal.indicators import Light
from hal.virtual.world import Lit, Shown, WorldEvent
from tests.scenario.house import DEVICE, SIGNED, House
from tests.servers import Mosquitto, wait_until

SPREAD_S: Final = 0.1  # on a busy machine a scan is decided, stored and shown within this; on an idle one in a tenth
SCAN_S: Final = 20.0
say = logging.getLogger(__name__)


class Aim(StrEnum):
    """When the kill is sent."""

    SOON = "a random time after the code was read"
    AT_THE_PICTURE = "while the unit waits for its display"
    AT_THE_LIGHT = "while the unit waits for its light"
    AFTER_SENT = "when the fact is on its way"


AIMS: Final = (Aim.SOON, Aim.SOON, Aim.SOON, Aim.AT_THE_PICTURE, Aim.AT_THE_LIGHT, Aim.AFTER_SENT)


class Fell(StrEnum):
    """Where the kill fell, by the evidence."""

    BEFORE_COMMIT = "nothing is on disk"
    BEFORE_SHOWN = "on disk, and the light was not green"
    BEFORE_MARKED = "green, and 'shown' is not on disk"
    MARKED = "'shown' is on disk, the fact was not sent"
    SENT = "the fact was sent"


@pytest.fixture
def house(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[House]:
    made = House(tmp_path / "house", mosquitto)
    yield made
    made.close()


def test_K5_K6_a_unit_that_is_killed_again_and_again_loses_and_doubles_nothing(house: House) -> None:
    house.start()
    kills = Kills(house, Random(1))
    for _ in range(6):
        kills.one()
    kills.judge()


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_K5_K6_a_unit_killed_200_times_with_broker_and_centre_killed_in_between(house: House) -> None:
    house.start()
    dice = Random(2)
    kills = Kills(house, dice)
    for turn in range(1, 201):
        kills.one()
        if turn % 10 == 0 and dice.random() < 0.5:
            house.broker.kill()
            house.broker.start()
        if turn % 10 == 0 and dice.random() < 0.5 and house.centre is not None:
            house.centre.kill()
            house.start_centre()
    kills.judge()
    say.info("kills: %s", ", ".join(f"{where}: {count}" for where, count in kills.fell.items()))
    assert set(kills.fell) == set(Fell), f"no kill fell on one of the instants: {kills.fell}"


class Kills:
    """Scans coupons and kills the unit in the middle of one; keeps what shoppers saw."""

    def __init__(self, house: House, dice: Random) -> None:
        self._house, self._dice = house, dice
        self._serial = 0
        self._shown: list[int] = []
        self.fell: Counter[Fell] = Counter()

    def one(self) -> None:
        """Some coupons, then one that the unit does not survive; then it comes again."""
        for _ in range(self._dice.randrange(3)):
            self._scan_whole(self._next(), "ok")
        serial, greens = self._next(), self._house.greens
        self._kill_while_it_scans(serial)
        green = self._house.greens > greens
        fell = self._where(serial, green)
        self.fell[fell] += 1
        if green:
            self._shown.append(serial)
        self._house.start_unit()
        again = {Fell.BEFORE_COMMIT: "ok", Fell.BEFORE_SHOWN: "ok_again", Fell.BEFORE_MARKED: "ok_again"}
        self._scan_whole(serial, again.get(fell, "used"))

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def _scan_whole(self, serial: int, reason: str) -> None:
        decided = self._house.scan(self._house.code(SIGNED, serial))
        assert decided["reason"] == reason, f"serial {serial}: {decided}, kills so far: {self.fell}"
        if decided["accepted"] and serial not in self._shown:
            self._shown.append(serial)

    def _kill_while_it_scans(self, serial: int) -> None:
        house, unit = self._house, self._house.unit
        assert unit is not None
        aim, since, pid = self._dice.choice(AIMS), len(unit.lines), unit.popen.pid

        def seen(event: WorldEvent) -> None:  # the unit waits for the answer to what it sent to its part
            wanted = Shown if aim is Aim.AT_THE_PICTURE else Lit
            if isinstance(event, wanted) and not (isinstance(event, Lit) and event.light is not Light.GREEN):
                os.killpg(pid, signal.SIGKILL)

        at_a_part = aim in (Aim.AT_THE_PICTURE, Aim.AT_THE_LIGHT)
        unwatch = house.world.observe(seen) if at_a_part else None
        house.hold_up(house.code(SIGNED, serial))
        if at_a_part:
            wait_until(lambda: unit.popen.poll() is not None, SCAN_S, aim)
        elif aim is Aim.AFTER_SENT:
            wait_until(partial(reached, unit.lines, "sent", since), SCAN_S, aim)
        else:
            spin_until(partial(reached, unit.lines, "decoded", since), aim)
            end_s = monotonic() + SPREAD_S * self._dice.random() ** 2  # the first moments are the fullest
            spin_until(lambda: monotonic() > end_s, aim)
        unit.kill()
        if unwatch is not None:
            unwatch()
        house.world.show_nothing()

    def _where(self, serial: int, green: bool) -> Fell:
        """By the evidence; asserts what promise 1 forbids."""
        unit = self._house.unit
        assert unit is not None
        kept = on_disk(self._house)
        if serial not in kept:
            assert not green, f"serial {serial} was shown, and is not on disk"
            return Fell.BEFORE_COMMIT
        if not green:
            assert not kept[serial], f"serial {serial} is marked as shown, and was not"
            return Fell.BEFORE_SHOWN
        if not kept[serial]:
            return Fell.BEFORE_MARKED
        return Fell.SENT if any(line.get("step") == "sent" for line in unit.lines[-2:]) else Fell.MARKED

    def judge(self) -> None:
        """Every yes is on the unit's disk once and at the centre once, and nothing that nobody held up."""
        kept = self._house.journal()
        assert kept == sorted(self._shown), "each yes was shown in the end, and no other"
        wait_until(lambda: sorted(self._house.booked()) == kept, 30, "the centre to book each of them once")


def spin_until(condition: Callable[[], bool], what: str) -> None:
    """As `wait_until`, without pauses: these instants are shorter than those."""
    end_s = monotonic() + SCAN_S
    while not condition():
        sleep(0)  # other threads see to the unit's parts meanwhile
        assert monotonic() < end_s, f"waited {SCAN_S:g} s in vain for {what}"


def reached(lines: list[dict[str, Any]], step: str, since: int) -> bool:
    return any(line.get("step") == step for line in lines[since:])


def on_disk(house: House) -> dict[int, bool]:
    """The serials that the unit's disk holds, and whether they are marked as shown."""
    store = Store(house.folder / "unit", DEVICE, read_only=True)
    try:
        return {serial: bool(shown) for serial, shown in store.connection.rows("SELECT serial, shown FROM own")}
    finally:
        store.close()
