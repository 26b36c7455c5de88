"""A lane as a till meets it: a real agent on virtual parts in its own thread, and its interface on a real socket."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import msgspec
from nacl.signing import SigningKey

from edge_agent.core.states import Mode
from edge_agent.panel import Panel
from edge_agent.parts import CardPoller
from edge_agent.runner import Agent
from edge_agent.settings import BrokerLogin, SiteNetwork, TillSettings, UnitSettings
from edge_agent.steps import StepLog
from edge_agent.store.store import Store
from edge_agent.till.open import open_till
from edge_agent.timekeeper import Timekeeper
from hal import backends
from hal.virtual.world import World
from loyalty.lease import POINTS, Amount, Pot
from loyalty.points import EarnRule, Programme, Rate
from tests.servers import free_port, wait_until
from tests.unit.edge_agent.agent_world import NOW_MS, world
from wire.messages import Change, PutCardKey, PutProgramme, PutRule

CENTRE = SigningKey(b"c" * 32)
CARD_KEY = b"k" * 32
HER, PROGRAMME = 11, 5
POINTS_HERE = Programme(id=PROGRAMME, name="特典ポイント", sell=Rate(1))
RULE = EarnRule(programme=PROGRAMME, site="shinjuku", per_yen=100)
GOODS = [{"gtin": "4901234567894", "yen": 1_100}, {"yen": 540, "rate_bp": 800}]

_names = count(1)


def new_id() -> str:
    """As a till makes one; told apart in a failing test."""
    return f"{next(_names):032x}"


class TillRig:
    """See the module. Close it."""

    def __init__(
        self, folder: Path, mode: Mode = Mode.LANE, changes: list[Change] | None = None, **till: object
    ) -> None:
        self.world = World()
        self.lines: list[dict[str, object]] = []
        self.store = Store(folder, "lane-1")
        self.store.start(b"e" * 16)
        with self.store.transaction():
            told: list[Change] = [PutProgramme(POINTS_HERE), PutRule(RULE), PutCardKey(1, CARD_KEY)]
            self.store.cache.apply([*world(), *told, *(changes or [])], b"i" * 16, 9)
            for pot in (Pot(POINTS, PROGRAMME, HER), Pot(POINTS, PROGRAMME)):
                self.store.parts.grant(pot, Amount(1_000), NOW_MS * 2)
        options: dict[str, object] = {"port": self.world.port()}
        time = Timekeeper(backends.open_clock("virtual", options), 0)
        panel = Panel(
            backends.open_display("virtual", options),
            backends.open_indicators("virtual", options),
            lang="ja",
            utc_offset_min=540,
            wall_ms=lambda: time.now().wall_ms,
        )
        self.port = free_port()
        plain: dict[str, object] = {"enabled": True, "port": self.port}
        self.settings = UnitSettings(
            device="lane-1",
            site="shinjuku",
            mode=mode,
            data_dir=str(folder),
            broker=BrokerLogin(port=1),
            site_network=SiteNetwork(enabled=False),
            till=TillSettings(**{**plain, **till}),  # type: ignore[arg-type]
        )
        self.agent = Agent(
            self.settings,
            store=self.store,
            panel=panel,
            time=time,
            steps=StepLog(lambda line: self.lines.append(msgspec.json.decode(line)), lambda: 0),
            keys=(SigningKey(b"d" * 32), CENTRE.verify_key),
            version="1.2.3",
        )
        self._cards = CardPoller(backends.open_card("virtual", options), self.agent.inbox.put)
        self.agent.card_writer = self._cards.ask
        self._till = open_till(self.agent, self.settings)
        self._cards.start()
        self.thread = threading.Thread(target=self.agent.run, daemon=True)
        self.thread.start()
        wait_until(lambda: any(line["event"] == "started" for line in self.lines), 20, "the agent to start")
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20)

    # --- what a till does -------------------------------------------------------------------------------

    def open(self, sale: str, lines: list[dict[str, Any]] | None = None) -> httpx.Response:
        return self.http.put(f"/v1/sales/{sale}", json={"lines": GOODS if lines is None else lines})

    def read(self, sale: str) -> httpx.Response:
        return self.http.get(f"/v1/sales/{sale}")

    def coupon(self, sale: str, text: bytes, format: str = "qr") -> httpx.Response:
        return self.http.post(f"/v1/sales/{sale}/coupons", json={"text": text.decode(), "format": format})

    def pay(self, sale: str, payment: str, **terms: object) -> httpx.Response:
        body = {"payment": payment, "tender": "cash", **terms}
        return self.http.post(f"/v1/sales/{sale}/payment", json=body)

    def cancel(self, sale: str) -> httpx.Response:
        return self.http.delete(f"/v1/sales/{sale}")

    def facts(self, of: Callable[[bytes], Any]) -> list[Any]:
        """Of the journal, read beside the running agent."""
        store = Store(self.store.folder, "lane-1", read_only=True)
        try:
            return [of(body) for (body,) in store.connection.rows("SELECT body FROM journal ORDER BY position")]
        finally:
            store.close()

    def close(self) -> None:
        self.http.close()
        self._till.close()
        self._cards.stop()
        self.agent.stop()
        self.thread.join(10)
        assert not self.thread.is_alive(), "the agent ends"
