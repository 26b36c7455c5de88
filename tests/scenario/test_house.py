"""The whole house as processes: a picture before the lens becomes a yes, a fact, and a row at the centre; and
what happens to them when the power, the network, the disk, the clock or the broker fails."""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from PIL import Image, ImageDraw

from edge_agent.store.store import FILE_NAME, Store
from hal.virtual.lens import Pose
from tests.scenario.house import DEVICE, ONLINE, OPEN, SIGNED, House
from tests.servers import EmbeddedBroker, Mosquitto, wait_until

DAY_MS = 86_400_000


@pytest.fixture
def house(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[House]:
    made = House(tmp_path / "house", mosquitto)
    yield made
    made.close()


def booked_is(house: House, *serials: int) -> None:
    wait_until(lambda: sorted(house.booked()) == sorted(serials), 30, f"the centre to book {serials}")


def test_K5_K6_a_coupon_before_the_camera_is_decided_shown_and_booked_on_either_broker(
    tmp_path: Path, broker: Mosquitto | EmbeddedBroker
) -> None:
    house = House(tmp_path / "house", broker)
    try:
        unit = house.start()
        first = house.scan(house.code(SIGNED, 11))
        assert first["reason"] == "ok"
        assert house.greens == 1
        booked_is(house, 11)
        wait_until(lambda: any(line.get("step") == "booked" for line in unit.lines), 10, "the acknowledgement")
        steps = [line["step"] for line in unit.lines if line.get("scan") == first["scan"]]
        assert steps == ["seen", "decoded", "decided", "on_disk", "shown", "sent", "booked"]
        house.long_enough_away()
        assert house.scan(house.code(SIGNED, 11))["reason"] == "used"
        assert house.scan(house.code(OPEN))["reason"] == "ok"  # K8
        assert "TK1:" in json.dumps(unit.lines)
        assert house.code(SIGNED, 11) not in json.dumps(unit.lines)  # codes are logged as a prefix only
    finally:
        house.close()


def test_K5_a_power_cut_between_commit_and_green_gives_the_same_yes_once(house: House) -> None:
    unit = house.start()
    house.scan(house.code(SIGNED, 1))
    unit.kill()
    # What the power cut leaves behind: the fact is on disk, and that it was shown is not.
    store = Store(house.folder / "unit", DEVICE)
    with store.transaction():
        store.connection.execute("UPDATE own SET shown = 0")
    store.close()
    house.start_unit()
    assert house.scan(house.code(SIGNED, 1))["reason"] == "ok_again"
    house.long_enough_away()
    assert house.scan(house.code(SIGNED, 1))["reason"] == "used"
    booked_is(house, 1)


def reached(lines: list[dict[str, Any]], step: str, since: int) -> bool:
    return any(line.get("step") == step for line in lines[since:])


def test_K5_without_the_network_a_signed_coupon_counts_and_an_online_one_is_not_now(house: House) -> None:
    unit = house.start()
    house.line.cut()
    wait_until(lambda: any(x["event"] == "link" and not x["up"] for x in unit.lines), 60, "the unit to notice")
    assert house.scan(house.code(SIGNED, 5))["reason"] == "ok"
    assert house.scan(house.code(ONLINE, 6))["reason"] == "not_now"
    assert house.booked() == []
    house.line.heal()
    booked_is(house, 5)


def test_K6_a_broker_and_a_centre_that_are_killed_lose_nothing(house: House) -> None:
    house.start()
    assert house.centre is not None
    house.scan(house.code(SIGNED, 1))
    house.broker.kill()
    house.scan(house.code(SIGNED, 2))
    house.centre.kill()
    house.scan(house.code(SIGNED, 3))
    house.broker.start()
    house.start_centre()
    house.scan(house.code(SIGNED, 4))
    booked_is(house, 1, 2, 3, 4)


def test_K5_a_full_disk_is_out_of_service_and_heals_by_itself(house: House) -> None:
    unit = house.start()
    house.scan(house.code(SIGNED, 1))
    soft, hard = resource.prlimit(unit.popen.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(unit.popen.pid, resource.RLIMIT_FSIZE, (1, hard))
    house.hold_up(house.code(SIGNED, 2))
    wait_until(lambda: any(x["event"] == "store" and not x["ok"] for x in unit.lines), 20, "out of service")
    house.world.show_nothing()
    assert house.greens == 1
    resource.prlimit(unit.popen.pid, resource.RLIMIT_FSIZE, (soft, hard))
    wait_until(lambda: any(x["event"] == "store" and x["ok"] for x in unit.lines), 20, "the unit to recover")
    house.long_enough_away()
    assert house.scan(house.code(SIGNED, 2))["reason"] == "ok"
    booked_is(house, 1, 2)


def test_K5_a_corrupt_store_is_set_aside_salvaged_and_the_centre_is_told(house: House) -> None:
    unit = house.start()
    house.line.cut()
    for serial in (1, 2, 3):
        house.scan(house.code(SIGNED, serial))
    unit.kill()
    store = Store(house.folder / "unit", DEVICE)
    store.connection.checkpoint()  # or the write-ahead log would heal what is damaged here
    store.close()
    file = house.folder / "unit" / FILE_NAME
    file.write_bytes(Random(1).randbytes(4096) + file.read_bytes()[4096:])
    house.line.heal()
    again = house.start_unit()
    assert any(line["event"] == "salvaged" and line["facts"] == 3 for line in again.lines)
    booked_is(house, 1, 2, 3)
    wait_until(house.told, 20, "the cache to be filled again")
    assert house.scan(house.code(SIGNED, 2))["reason"] == "used"
    assert (house.folder / "unit" / "damaged-1" / FILE_NAME).exists()


def test_K5_a_clock_that_jumps_to_1970_and_back_keeps_the_unit_at_work(house: House) -> None:
    house.start()
    house.world.set_synchronised(False)
    house.world.set_clock_offset(-57 * 365 * DAY_MS)
    assert house.scan(house.code(SIGNED, 1))["reason"] == "ok"
    house.world.set_clock_offset(0)
    house.world.set_synchronised(True)
    assert house.scan(house.code(SIGNED, 2))["reason"] == "ok"
    booked_is(house, 1, 2)


def test_K5_a_camera_process_that_is_killed_comes_back(house: House) -> None:
    import psutil

    unit = house.start()
    house.scan(house.code(SIGNED, 1))
    (camera,) = psutil.Process(unit.popen.pid).children()
    camera.send_signal(signal.SIGKILL)
    wait_until(lambda: any(x["event"] == "part" and x["ok"] for x in unit.lines), 30, "the camera to come back")
    assert house.scan(house.code(SIGNED, 2))["reason"] == "ok"


def test_K5_twenty_pictures_that_are_not_ours_are_never_a_yes(house: House) -> None:
    unit = house.start()
    rng = Random(7)
    foreign = ["https://example.com/menu", "0123456789", "WIFI:T:WPA;S:shop;P:secret;;", "TK1:", "TK1:0000", "[]"]
    for number in range(20):
        before = len(unit.lines)
        if number % 2:
            house.hold_up(f"{rng.choice(foreign)}{number}")
        else:
            noise = Image.frombytes("L", (320, 240), rng.randbytes(320 * 240))
            ImageDraw.Draw(noise).rectangle((40, 40, 200, 160), fill=rng.randrange(256))
            house.world.show_picture(noise)
        if number % 2:
            wait_until(partial(reached, unit.lines, "shown", before), 20, "an answer")
    house.world.show_nothing()
    assert house.greens == 0
    assert house.journal() == []


def test_K5_a_code_that_is_tilted_and_blurred_still_scans(house: House) -> None:
    unit = house.start()
    house.hold_up(house.code(SIGNED, 9), Pose(rotate_deg=17, tilt_x_deg=18, blur_px=1.0))
    wait_until(lambda: any(x.get("reason") == "ok" for x in unit.lines), 20, "the tilted code to be read")
