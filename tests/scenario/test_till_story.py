"""A till at a lane of a whole house: a sale is paid, the lane is killed before and after, the centre books it once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.scenario.house import SIGNED, House
from tests.servers import EmbeddedBroker, free_port, wait_until


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def house(tmp_path: Path, port: int) -> Iterator[House]:
    broker = EmbeddedBroker(tmp_path)
    broker.start()
    lane = f'mode = "lane"\n[unit.till]\nenabled = true\nport = {port}'
    made = House(tmp_path / "house", broker, unit_settings=lane)
    yield made
    made.close()
    broker.stop()


def test_K5_K6_B6_a_till_sells_at_a_lane_that_is_killed_and_the_centre_books_it_once(house: House, port: int) -> None:

    unit = house.start()
    sale, payment, lines = "5a" * 16, "b1" * 16, {"lines": [{"yen": 2_160, "gtin": "4901234567894"}]}
    code = house.code(SIGNED, serial=77)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as till:
        assert till.put(f"/v1/sales/{sale}", json=lines).json()["total_yen"] == 2_160
        assert house.scan(code)["reason"] == "reserved", "held to the lane's own camera"
        assert till.get(f"/v1/sales/{sale}").json()["total_yen"] == 1_160
        unit.kill()
        house.start_unit()
        assert till.get(f"/v1/sales/{sale}").json()["reason"] == "unknown_sale"
        till.put(f"/v1/sales/{sale}", json=lines)
        assert till.post(f"/v1/sales/{sale}/coupons", json={"text": code}).json()["coupon"]["counts"]
        body = {"payment": payment, "tender": "cash"}
        paid = till.post(f"/v1/sales/{sale}/payment", json=body).json()
        assert (paid["state"], paid["paid"]["yen"]) == ("paid", 1_160)
        assert house.unit is not None
        house.unit.kill()
        house.start_unit()
        assert till.post(f"/v1/sales/{sale}/payment", json=body).json() == paid
    wait_until(lambda: house.booked() == [77], 30, "the centre to book it")
    assert house.journal() == [77]
