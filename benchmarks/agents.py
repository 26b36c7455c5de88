"""The real agent in this process, with virtual parts: for benchmarks that drive it turn by turn."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from nacl.signing import SigningKey, VerifyKey

from edge_agent.panel import Panel
from edge_agent.runner import Agent
from edge_agent.settings import UnitSettings
from edge_agent.steps import StepLog
from edge_agent.store.store import Store
from edge_agent.timekeeper import Timekeeper
from hal.virtual.clock import VirtualClock
from hal.virtual.display import VirtualDisplay
from hal.virtual.indicators import VirtualIndicators
from hal.virtual.world import World


@contextlib.contextmanager
def agent(
    settings: UnitSettings,
    store: Store,
    world: World,
    keys: tuple[SigningKey, VerifyKey],
    write: Callable[[bytes], None],
) -> Iterator[Agent]:
    """The agent on `store`, not yet started; it closes the store. `keys`: the device's and the centre's public one."""
    port = world.port()
    time = Timekeeper(VirtualClock(port), 0)
    panel = Panel(
        VirtualDisplay(port),
        VirtualIndicators(port),
        lang=settings.language,
        utc_offset_min=settings.utc_offset_min,
        wall_ms=lambda: time.now().wall_ms,
    )
    unit = Agent(
        settings,
        store=store,
        panel=panel,
        time=time,
        steps=StepLog(write, lambda: 0),
        keys=keys,
        version="benchmark",
    )
    try:
        yield unit
    finally:
        unit.close()
