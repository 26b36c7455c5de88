"""The whole house over a network that loses, doubles, reorders and lies, and from old images of disks."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from sqlalchemy import text

from central.office import Office
from edge_agent.store.store import Store
from tests.chaos import Chaos, Faults
from tests.scenario.house import DEVICE, SIGNED, House
from tests.servers import Mosquitto, wait_until


def test_K6_messages_dropped_doubled_reordered_and_acknowledged_in_vain(tmp_path: Path, mosquitto: Mosquitto) -> None:
    chaos = Chaos(mosquitto.port, seed=3)
    house = House(tmp_path / "house", mosquitto, port=chaos.port)
    try:
        house.start()
        chaos.up = Faults(drop=0.1, lie=0.2, double=0.2, reorder=0.1)
        chaos.down = Faults(drop=0.1, lie=0.2, double=0.2, reorder=0.1)
        for serial in range(1, 16):
            house.scan(house.code(SIGNED, serial))
        chaos.calm()
        wait_until(lambda: sorted(house.booked()) == list(range(1, 16)), 120, "all of them to be booked")
        assert all(chaos.counts[f"up {fault}"] for fault in ("lie", "double"))
        assert any(chaos.counts[f"down {fault}"] for fault in ("drop", "lie", "double", "reorder"))
    finally:
        house.close()
        chaos.close()


def test_K6_a_unit_from_an_old_image_that_goes_on_redeeming_is_found_by_the_chain(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    house = House(tmp_path / "house", mosquitto)
    try:
        unit = house.start()
        house.scan(house.code(SIGNED, 1))
        wait_until(lambda: house.booked() == [1], 20, "the first")
        unit.end()
        image = tmp_path / "image"
        shutil.copytree(house.folder / "unit", image)
        unit = house.start_unit()
        house.scan(house.code(SIGNED, 2))
        wait_until(lambda: sorted(house.booked()) == [1, 2], 20, "the second")
        unit.kill()
        shutil.rmtree(house.folder / "unit")
        shutil.copytree(image, house.folder / "unit")
        house.line.cut()  # it redeems before anybody can tell it
        unit = house.start_unit()
        house.scan(house.code(SIGNED, 3))
        assert house.scan(house.code(SIGNED, 2))["reason"] == "ok"  # the old disk does not know; the centre will
        house.line.heal()
        wait_until(lambda: sorted(house.booked()) == [1, 2, 2, 3], 60, "every fact, once")
        assert flagged(house) == 3  # both histories after the fork
        assert epochs(house) == 2
    finally:
        house.close()


def test_K6_a_centre_from_an_older_backup_gets_again_what_it_forgot(tmp_path: Path, mosquitto: Mosquitto) -> None:
    house = House(tmp_path / "house", mosquitto)
    try:
        house.start()
        assert house.centre is not None
        house.scan(house.code(SIGNED, 1))
        wait_until(lambda: house.booked() == [1], 20, "the first")
        house.centre.end()
        database = house.folder / "centre" / "centre.db"
        shutil.copy(database, tmp_path / "backup.db")
        house.start_centre()
        house.scan(house.code(SIGNED, 2))
        wait_until(lambda: sorted(house.booked()) == [1, 2], 30, "the second")
        house.centre.end()
        for suffix in ("-wal", "-shm"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)
        shutil.copy(tmp_path / "backup.db", database)
        assert house.booked() == [1]
        house.start_centre()
        wait_until(lambda: sorted(house.booked()) == [1, 2], 60, "what it forgot")
        store = Store(house.folder / "unit", DEVICE, read_only=True)
        assert len(store.retired) == 1
        store.close()
    finally:
        house.close()


def test_K5_frames_of_refused_scans_are_kept_only_where_the_shop_turned_it_on(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    for kept_s, expected in ((0, 0), (600, 1)):
        house = House(tmp_path / f"house-{kept_s}", mosquitto, unit_settings=f"keep_refused_frames_s = {kept_s}")
        try:
            house.start()
            house.scan(house.code(SIGNED, 1))
            house.scan("not a coupon at all")
            frames = house.folder / "unit" / "frames"
            if expected:
                wait_until(partial(one_picture, frames), 10, "the frame")
            assert house.unit is not None
            house.unit.end()
            assert len(list(frames.glob("*.png"))) == expected
        finally:
            house.close()


def one_picture(folder: Path) -> bool:
    return len(list(folder.glob("*.png"))) == 1


def flagged(house: House) -> int:
    return _count(house, "SELECT count(*) FROM redemptions WHERE flags <> 0 AND state <> 'void'")


def epochs(house: House) -> int:
    return _count(house, "SELECT count(*) FROM epochs")


def _count(house: House, query: str) -> int:
    office = Office(house.settings)
    try:
        with office.database.read() as connection:
            return int(connection.execute(text(query)).scalar_one())
    finally:
        office.close()
