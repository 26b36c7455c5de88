"""kill -9 between the commit and the answer: the till says it again, and is told what had been decided (promise 1)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from edge_agent.store.store import Store
from tests.servers import free_port, listens, wait_until
from tests.unit.edge_agent.agent_world import SIGNED, code
from tests.unit.till.till_rig import GOODS, new_id
from wire.facts import Redeemed, decode_fact


class Killed:
    """The lane's process, and a till's connection to it."""

    def __init__(self, folder: Path, *, kill: bool) -> None:
        port = free_port()
        command = [sys.executable, "-m", "tests.unit.till.till_killed", str(folder), str(port), str(int(kill))]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_until(lambda: listens(port), 60, "the lane to listen")
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)

    def pay(self, sale: str, payment: str) -> httpx.Response:
        return self.http.post(f"/v1/sales/{sale}/payment", json={"payment": payment, "tender": "cash"})

    def close(self) -> None:
        self.http.close()
        self.process.kill()
        self.process.wait(10)


def test_B6_K6_a_payment_whose_answer_was_lost_by_a_kill_is_told_again_and_redeems_once(tmp_path: Path) -> None:
    folder, sale, payment = tmp_path / "unit", new_id(), new_id()
    first = Killed(folder, kill=True)
    try:
        first.http.put(f"/v1/sales/{sale}", json={"lines": GOODS})
        first.http.post(f"/v1/sales/{sale}/coupons", json={"text": code(SIGNED, serial=7).decode()})
        with pytest.raises(httpx.TransportError):
            first.pay(sale, payment)
        assert first.process.wait(10) == -9
    finally:
        first.close()
    second = Killed(folder, kill=False)
    try:
        for _ in range(2):
            answer = second.pay(sale, payment)
            assert (answer.status_code, answer.json()["state"], answer.json()["paid"]["yen"]) == (200, "paid", 640)
            assert answer.json()["coupons"][0]["discount_yen"] == 1_000
        assert second.pay(sale, new_id()).json()["reason"] == "sale_paid"
    finally:
        second.close()
    store = Store(folder, "lane-1", read_only=True)
    try:
        facts = [decode_fact(body) for (body,) in store.connection.rows("SELECT body FROM journal")]
    finally:
        store.close()
    assert [fact.serial for fact in facts if isinstance(fact, Redeemed)] == [7]
