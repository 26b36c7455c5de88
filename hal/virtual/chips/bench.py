"""One board's surroundings: the chips, the air, the lights, the buttons, the flash, a pty for its USB; and a hand
over them.

`serve` answers the requests of `shim.Machine` (by direct call from a board in CPython, over pipes from one in
MicroPython). The controls have the names of `hal.virtual.world.World`. Safe to call from several threads.

What can fail: ModelError in `serve` is kept in `errors`, and raised there; a test that forgets to look is told by
`close`.
"""

from __future__ import annotations

import os
import select
import threading
import time
import tty
from collections.abc import Callable
from typing import Final

from hal.indicators import Light
from hal.virtual.chips import ModelError
from hal.virtual.chips.air import Air, Foreign, TagMemory
from hal.virtual.chips.mfrc522 import Mfrc522Model
from hal.virtual.chips.pn532 import Pn532Model
from hal.virtual.tag import Tag

CS, RED, GREEN, BLUE, BUZZER, BUTTONS = 17, 10, 11, 12, 13, (14, 15)
RESET, SCL = 20, 5
WATCHDOG_S: Final = 8.0
_IDLE_MAX_MS: Final = 1_000
TONES_MAX: Final = 256  # that are remembered


class Bench:
    """See the module."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.air = Air()
        self.mfrc522 = Mfrc522Model(self.air)
        self.pn532 = Pn532Model(self.air)
        self.errors: list[ModelError] = []
        self.flash: dict[int, bytes] = {}
        self.tones: list[int] = []  # Hz that were begun
        self.spoil: Callable[[bytes], bytes] = (
            bytes  # what the cable does to what goes through, both ways (`ThreadBoard`)
        )
        self.fed_s = time.monotonic()
        self.lights: list[Light] = []  # that were shown, in turn
        self._duty: dict[int, int] = {}
        self._hertz = 0
        self._inputs = 0
        self._memory: TagMemory | None = None
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        self.device = os.ttyname(self._slave)

    def close(self) -> None:
        """Raises the first ModelError that there was."""
        os.close(self.master)
        os.close(self._slave)
        if self.errors:
            raise self.errors[0]

    # -- what the board asks

    def serve(self, request: bytes) -> bytes:
        """One request of the shim. Raises ModelError."""
        if request[:1] == b"I":
            return self._idle(int.from_bytes(request[1:3], "little"), fed=bool(request[3]))
        with self.lock:
            try:
                return self._serve(request[:1], request[1:])
            except ModelError as error:
                self.errors.append(error)
                raise

    def _serve(self, kind: bytes, rest: bytes) -> bytes:
        match kind:
            case b"S":
                if rest[0] != CS:
                    raise ModelError(f"pin {rest[0]} is nobody's chip select")
                return self.mfrc522.transfer(rest[1:])
            case b"W":
                return b"\x00" if self.pn532.write(rest[0], rest[1:]) else b"\x01"
            case b"R":
                read = self.pn532.read(rest[0], int.from_bytes(rest[1:], "little"))
                return b"\x01" if read is None else b"\x00" + read
            case b"D":
                self._pwm(rest[0], int.from_bytes(rest[1:], "little"))
            case b"Q":
                self._hertz = int.from_bytes(rest[1:], "little")
            case b"X":
                self._fell(rest[0])
            case b"L":
                return self.flash.get(rest[0], b"")
            case b"V":
                self.flash[rest[0]] = rest[1:]
            case _:
                raise ModelError(f"no request is {kind!r}")
        return b""

    def _pwm(self, pin: int, duty: int) -> None:
        if pin == BUZZER:
            if duty and len(self.tones) < TONES_MAX:
                self.tones.append(self._hertz)
            return
        self._duty[pin] = duty
        if pin == BLUE and len(self.lights) < TONES_MAX:  # the last of the three that are set
            self.lights.append(self.light)

    def _fell(self, pin: int) -> None:
        if pin == RESET:
            self.mfrc522.restart()
            self.pn532.restart()
        elif pin == SCL:
            self.pn532.clocked()

    def _idle(self, ms: int, *, fed: bool) -> bytes:
        if fed:
            self.fed_s = time.monotonic()
        select.select([self.master], [], [], min(ms, _IDLE_MAX_MS) / 1000)
        return self._inputs.to_bytes(4, "little")

    # -- the hand

    @property
    def light(self) -> Light:
        with self.lock:
            red, green, blue = (self._duty.get(pin, 0) for pin in (RED, GREEN, BLUE))
        if red and green:
            return Light.AMBER
        return Light.RED if red else Light.GREEN if green else Light.BLUE if blue else Light.OFF

    def insert_card(self, tag: Tag) -> None:
        """Raises ValueError when a card is in the slot already."""
        with self.lock:
            if self.card is not None:
                raise ValueError("there is a card in the slot already")
            self._memory = TagMemory(tag)
            self.air.put(self._memory)

    def put(self, card: Foreign | TagMemory) -> None:
        """A card of another kind, or one more."""
        with self.lock:
            self.air.put(card)

    def take(self, card: Foreign | TagMemory) -> None:
        with self.lock:
            self.air.take(card)

    @property
    def card(self) -> TagMemory | None:
        with self.lock:
            if self._memory is not None and self._memory.torn is not None:
                self._memory = None
            return self._memory

    def remove_card(self) -> None:
        with self.lock:
            memory = self.card
            if memory is None:
                raise ValueError("there is no card in the slot")
            self.air.take(memory)
            self._memory = None

    def tear_card(self, after_bytes: int = 2, *, after_writes: int = 0) -> None:
        with self.lock:
            assert self.card is not None
            self.card.tear = (after_writes, after_bytes)

    def refuse_card(self, calls: int = 1) -> None:
        with self.lock:
            assert self.card is not None
            self.card.naks = calls

    def hold_button(self, button: int, *, down: bool) -> None:
        bit = 1 << BUTTONS[button]
        with self.lock:
            self._inputs = self._inputs | bit if down else self._inputs & ~bit

    def power_on(self) -> None:
        """The board was reset: its outputs are dark, the chips keep their supply."""
        with self.lock:
            self._duty.clear()
        self.fed_s = time.monotonic()
