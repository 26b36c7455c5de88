"""One unit's parts on each backend, with a hand on the world around them, for the contract suite.

`virtual-memory` and `virtual-link` are driven through the World's controls. A rig for real hardware asks a
person, and comes with the real parts (`--hardware`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hal.backends import Options, open_camera, open_card, open_clock, open_display, open_indicators
from hal.camera import Camera
from hal.card import CardReader
from hal.clock import Clock
from hal.display import Display
from hal.indicators import Indicators
from hal.virtual.link import serve
from hal.virtual.world import World

RIGS = ("virtual-memory", "virtual-link")


@dataclass(frozen=True)
class Rig:
    world: World
    display: Display
    indicators: Indicators
    card: CardReader
    clock: Clock
    camera: Camera


@contextmanager
def open_rig(name: str, folder: Path) -> Iterator[Rig]:
    world = World(lens_seed=7)
    with ExitStack() as stack:
        if name == "virtual-link":
            stack.enter_context(serve(world, folder / "world"))

        def options() -> Options:
            return {"socket": str(folder / "world")} if name == "virtual-link" else {"port": world.port()}

        rig = Rig(
            world=world,
            display=open_display("virtual", options()),
            indicators=open_indicators("virtual", options()),
            card=open_card("virtual", options()),
            clock=open_clock("virtual", options()),
            camera=stack.enter_context(open_camera("virtual", options())),
        )
        for part in (rig.display, rig.indicators, rig.card):
            stack.callback(part.close)
        yield rig
