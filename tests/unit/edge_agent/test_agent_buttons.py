"""A kiosk's buttons reach the agent's inbox, in order, also after they were gone for a while (M12)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edge_agent.buttons import ButtonPoller
from hal.errors import HalReason, PartFailed
from hal.events import ButtonPressed
from hal.virtual.indicators import VirtualIndicators
from hal.virtual.world import World
from tests.servers import wait_until

PATIENCE_S = 10.0


class Shaky(VirtualIndicators):
    """Buttons behind a loose contact."""

    failures = 0

    def buttons(self) -> list[ButtonPressed]:
        if self.failures > 0:
            self.failures -= 1
            raise PartFailed(HalReason.NO_ANSWER, "a loose contact")
        return super().buttons()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def shaky(world: World) -> Shaky:
    return Shaky(world.port())


@pytest.fixture
def pressed(shaky: Shaky) -> Iterator[list[int]]:
    found: list[int] = []
    poller = ButtonPoller(shaky, lambda event: found.append(event.button))
    poller.start()
    yield found
    poller.stop()


def test_M12_what_is_pressed_arrives_in_order(world: World, pressed: list[int]) -> None:
    for button in (0, 1, 1, 0):
        world.press_button(button)
    wait_until(lambda: pressed == [0, 1, 1, 0], PATIENCE_S, "four presses")


def test_M12_buttons_that_were_gone_are_asked_again(world: World, shaky: Shaky, pressed: list[int]) -> None:
    shaky.failures = 2
    world.press_button(1)
    wait_until(lambda: pressed == [1], PATIENCE_S, "the press after the loose contact")
