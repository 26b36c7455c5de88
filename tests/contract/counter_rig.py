"""What lies on the counter (card reader, lights, buttons) on each backend, with a hand on the world around it.

The boards run the firmware, in CPython's thread or in MicroPython's process, over a pty and the models of the chips.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

from hal.backends import Options, open_card, open_indicators
from hal.board.card import BoardCardReader
from hal.card import CardReader
from hal.indicators import Indicators, Light
from hal.virtual.chips.bench import Bench
from hal.virtual.chips.thread_board import ThreadBoard
from hal.virtual.link import serve
from hal.virtual.tag import Tag
from hal.virtual.world import World
from tests.micropython_board import MicroPythonBoard
from tests.servers import wait_until

BOARDS = ("board-cpython-mfrc522", "board-cpython-pn532", "board-micropython-mfrc522", "board-micropython-pn532")
COUNTER_RIGS = ("virtual-memory", "virtual-link", *BOARDS)
NOTICE_S = 3.0
HOLD_S = 0.06  # three times what the board takes for steady
HOLD_S = 0.06  # three times what the board takes for steady


class Hand(Protocol):
    """What a person does; each call returns when the unit can have noticed."""

    def insert_card(self, tag: Tag) -> None: ...

    def remove_card(self) -> None: ...

    def tear_card(self, after_bytes: int = 2, *, after_writes: int = 0) -> None: ...

    def refuse_card(self, calls: int = 1) -> None: ...

    def press_button(self, button: int) -> None: ...

    def light(self) -> Light: ...


class CounterRig(NamedTuple):
    hand: Hand
    card: CardReader
    indicators: Indicators


class WorldHand:
    """A hand on a virtual world, where everything is noticed at once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.insert_card = world.insert_card
        self.remove_card = world.remove_card
        self.tear_card = world.tear_card
        self.refuse_card = world.refuse_card
        self.press_button = world.press_button

    def light(self) -> Light:
        return self._world.look().light


class BenchHand:
    """A hand on the chips around a board."""

    def __init__(self, bench: Bench, reader: BoardCardReader) -> None:
        self._bench, self._reader = bench, reader
        self.tear_card = bench.tear_card
        self.refuse_card = bench.refuse_card

    def insert_card(self, tag: Tag) -> None:
        self._bench.insert_card(tag)
        wait_until(lambda: self._reader.present == tag.uid, NOTICE_S, "the card to be seen")

    def remove_card(self) -> None:
        self._bench.remove_card()
        wait_until(lambda: self._reader.present is None, NOTICE_S, "the card to be missed")

    def press_button(self, button: int) -> None:
        for down in (True, False):
            self._bench.hold_button(button, down=down)
            wait_until(partial(_passed, time.monotonic() + HOLD_S), NOTICE_S, "a finger's time")

    def light(self) -> Light:
        return self._bench.light


def _passed(until_s: float) -> bool:
    return time.monotonic() >= until_s


@contextmanager
def open_counter(name: str, folder: Path) -> Iterator[CounterRig]:
    with ExitStack() as stack:
        if name in BOARDS:
            _, runtime, chip = name.split("-")
            bench = Bench()
            stack.callback(bench.close)
            kind = ThreadBoard if runtime == "cpython" else MicroPythonBoard
            board = kind(bench, f'{{"reader": "{chip}"}}')
            stack.callback(board.stop)
            options: Options = {"device": bench.device}
            card, indicators = open_card("board", options), open_indicators("board", options)
            assert isinstance(card, BoardCardReader)
            wait_until(lambda: bench.light is Light.OFF, NOTICE_S, "the board to be in service")
            rig = CounterRig(BenchHand(bench, card), card, indicators)
        else:
            world = World(lens_seed=7)
            if name == "virtual-link":
                stack.enter_context(serve(world, folder / "world"))

            def virtual() -> Options:
                return {"socket": str(folder / "world")} if name == "virtual-link" else {"port": world.port()}

            rig = CounterRig(WorldHand(world), open_card("virtual", virtual()), open_indicators("virtual", virtual()))
        stack.callback(rig.card.close)
        stack.callback(rig.indicators.close)
        yield rig
