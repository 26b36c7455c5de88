"""The real agent on a folder, its parts in memory, its broker not there: what loses its power, and what wakes up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from nacl.signing import SigningKey

from edge_agent.panel import Panel
from edge_agent.runner import Agent
from edge_agent.settings import BrokerLogin, SiteNetwork, UnitSettings
from edge_agent.start import open_store
from edge_agent.steps import StepLog
from edge_agent.timekeeper import Timekeeper
from hal import backends
from hal.indicators import Light
from hal.virtual.world import Lit, World, WorldEvent
from tests.unit.edge_agent.agent_world import SIGNED, code, scanned, world

DEVICE: Final = "lane-1"
UNIT: Final = "unit"  # its folder on the disk


def nobody(serial: int) -> None:
    """Sees the yes and says nothing."""


class Lane:
    """See the module. `seen` is called with the serial as soon as the light is green. Close it."""

    def __init__(self, folder: Path, seen: Callable[[int], None] = nobody) -> None:
        """Opens the store as `tokuten unit` does. Raises StoreError."""
        self.lines: list[dict[str, object]] = []
        self._seen, self._serial = seen, 0
        here = World()
        here.observe(self._happened)
        options: dict[str, object] = {"port": here.port()}
        settings = UnitSettings(
            device=DEVICE, site="shinjuku", data_dir=str(folder), broker=BrokerLogin(port=1),
            site_network=SiteNetwork(enabled=False),
        )  # fmt: skip
        clock = backends.open_clock("virtual", options)
        steps = StepLog(self._line, lambda: 0)
        self.store = open_store(settings, clock, steps)
        if not self.store.cache.campaigns_count():
            with self.store.transaction():
                self.store.cache.apply(world(), b"i" * 16, 5)  # what the centre told, while it was there
        time = Timekeeper(clock, int(self.store.cache.meta("floor_ms", 0)))
        panel = Panel(
            backends.open_display("virtual", options),
            backends.open_indicators("virtual", options),
            lang="ja",
            utc_offset_min=540,
            wall_ms=lambda: time.now().wall_ms,
        )
        self._agent = Agent(
            settings, store=self.store, panel=panel, time=time, steps=steps,
            keys=(SigningKey(b"d" * 32), SigningKey(b"c" * 32).verify_key), version="power cut",
        )  # fmt: skip
        self._agent.start()

    def _line(self, line: bytes) -> None:
        self.lines.append(msgspec.json.decode(line))

    def _happened(self, event: WorldEvent) -> None:
        if isinstance(event, Lit) and event.light is Light.GREEN:
            self._seen(self._serial)

    @property
    def salvaged(self) -> bool:
        return any(line["event"] == "salvaged" for line in self.lines)

    def scan(self, serial: int) -> str:
        """Put the coupon into the inbox, as the camera does, and let the agent work; the reason it gave."""
        self._serial = serial
        del self.lines[:]
        self._agent.inbox.put(scanned(code(SIGNED, serial)))
        self._agent.turn(0.0)
        (reason,) = [line["reason"] for line in self.lines if line.get("step") == "decided"]
        return str(reason)

    def close(self) -> None:
        self._agent.close()
