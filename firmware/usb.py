"""The board's own line (USB, through MicroPython's standard streams), its clock, and its flash. Only on the board."""

import gc
import select
import sys
import time

import machine

_RECEIVE_MAX = 256  # bytes in one turn

sleep_ms = time.sleep_ms
ticks_ms = time.ticks_ms
ticks_diff = time.ticks_diff
Pin, PWM, SPI, I2C, WDT = machine.Pin, machine.PWM, machine.SPI, machine.I2C, machine.WDT


class Usb:
    """A `hardware.Line`. When nobody reads, what is sent is dropped by MicroPython after a moment; the link sends it
    again."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN)
        self._buffer = bytearray(_RECEIVE_MAX)
        self._one = memoryview(self._buffer)

    def receive(self) -> bytes:
        count = 0
        while count < _RECEIVE_MAX and self._poll.poll(0):
            sys.stdin.buffer.readinto(self._one[count : count + 1])
            count += 1
        return bytes(self._one[:count])

    def send(self, data: bytes) -> None:
        sys.stdout.buffer.write(data)

    def idle(self, ms: int) -> None:
        self._poll.poll(ms)


class Flash:
    """A `witness.Store` in the file system."""

    def load(self, place: int) -> bytes:
        with open("witness%d.bin" % place, "rb") as file:
            return file.read()

    def save(self, place: int, data: bytes) -> None:
        with open("witness%d.bin" % place, "wb") as file:
            file.write(data)


def heap_used() -> int:
    gc.collect()
    return gc.mem_alloc()
