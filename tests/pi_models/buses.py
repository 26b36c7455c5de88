"""The buses of a Pi, where Python ends: `smbus2.SMBus` and `spidev.SpiDev`, with a display's model at the other end.

Everything above is the real code (ours, luma.core's and, for an SPI display's lines, rpi-lgpio's). The bytes are
counted as they lie on the wires: an I2C transfer has one for the address.
"""

from __future__ import annotations

import errno
import os
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest
import smbus2

from tests.pi_models.oled import Oled


class Wires:
    """What both buses share: the display, the count, and what can go wrong."""

    def __init__(self, display: Oled) -> None:
        self.display = display
        self.sent: list[bytes] = []  # each transfer, with I2C's address byte and without
        self.bytes_sent = 0
        self.error = 0  # errno of every transfer from now on
        self.fail_after: int | None = None  # so many transfers still go through
        self.there = True
        self.opened = self.closed = 0

    def carry(self, wire: bytes, deliver: Callable[[], None]) -> None:
        if self.fail_after is not None:
            self.fail_after -= 1
            if self.fail_after < 0:
                self.error = errno.EREMOTEIO
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        self.sent.append(wire)
        self.bytes_sent += len(wire)
        deliver()

    def open(self, path: str) -> None:
        if not self.there:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        self.opened += 1


def plug_i2c(patch: pytest.MonkeyPatch, wires: Wires, address: int = 0x3C) -> None:
    """A display at `address` of /dev/i2c-1."""

    class SMBus:
        def __init__(self, bus: int | str | None = None, force: bool = False) -> None:
            wires.open(f"/dev/i2c-{bus}")

        def write_i2c_block_data(
            self, i2c_addr: int, register: int, data: list[int], force: bool | None = None
        ) -> None:
            self._write(i2c_addr, bytes([register, *data]), block_max=33)

        def i2c_rdwr(self, *messages: Any) -> None:
            for message in messages:
                self._write(message.addr, bytes(message), block_max=4097)

        def _write(self, i2c_addr: int, payload: bytes, block_max: int) -> None:
            assert len(payload) <= block_max, "more than the kernel takes at once"
            if i2c_addr != address:
                raise OSError(errno.EREMOTEIO, os.strerror(errno.EREMOTEIO))
            wires.carry(bytes([i2c_addr << 1]) + payload, lambda: wires.display.i2c(payload))

        def close(self) -> None:
            wires.closed += 1

    patch.setattr(smbus2, "SMBus", SMBus)


def plug_spi(patch: pytest.MonkeyPatch, wires: Wires, level_of_dc: Callable[[], int]) -> None:
    """A display on /dev/spidev0.0; `level_of_dc`: whether the line says data (1) or command (0)."""

    class SpiDev:
        mode = 0
        max_speed_hz = 0

        def open(self, bus: int, device: int) -> None:
            wires.open(f"/dev/spidev{bus}.{device}")

        def writebytes(self, values: list[int]) -> None:
            payload = bytes(values)
            assert 1 <= len(payload) <= 4096, "spidev takes 4096 bytes at once"
            to = wires.display.data if level_of_dc() else wires.display.commands
            wires.carry(payload, lambda: to(payload))

        def close(self) -> None:
            wires.closed += 1

    module = types.ModuleType("spidev")
    module.SpiDev = SpiDev  # type: ignore[attr-defined]
    patch.setitem(sys.modules, "spidev", module)
