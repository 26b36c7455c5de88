"""What `machine` offers, over one function that carries requests to a `bench.Bench`. MicroPython subset: it runs
there too.

Requests, by their first byte: S chip select, bytes -> bytes.  W address, bytes -> 0 or 1.  R address, count (2) ->
0, bytes or 1. D pin, duty (2).  Q pin, hertz (4).  X pin: it was pulsed low.  I milliseconds (2), fed -> inputs.  L
place -> bytes.  V place, bytes.
"""

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Call = Callable[[bytes], bytes]


class _Pin:
    def __init__(self, shim: "Machine", number: int) -> None:
        self.number = number
        self._shim = shim
        self._level = 1

    def __call__(self, level: int) -> None:
        if self._level and not level:
            self._shim.fell(self.number)
        self._level = level
        self._shim.levels[self.number] = level

    def value(self) -> int:
        return self._shim.inputs >> self.number & 1 ^ 1


class _Pins:
    OUT, IN, PULL_UP, OPEN_DRAIN = 1, 0, 1, 2

    def __init__(self, shim: "Machine") -> None:
        self._shim = shim

    def __call__(self, number: int, mode: int = 0, pull: int = 0, value: int = 1) -> _Pin:
        self._shim.levels[number] = value
        return _Pin(self._shim, number)


class _Spi:
    def __init__(self, shim: "Machine") -> None:
        self._shim = shim

    def write_readinto(self, out: bytes, into: bytearray) -> None:
        low = [number for number, level in self._shim.levels.items() if not level]
        assert len(low) == 1, "exactly one chip is selected"
        into[:] = self._shim.call(b"S" + bytes((low[0],)) + out)


class _I2c:
    def __init__(self, call: "Call") -> None:
        self._call = call

    def writeto(self, address: int, data: bytes) -> None:
        if self._call(b"W" + bytes((address,)) + data) != b"\x00":
            raise OSError(5)

    def readfrom(self, address: int, count: int) -> bytes:
        answer = self._call(b"R" + bytes((address,)) + count.to_bytes(2, "little"))
        if answer[:1] != b"\x00":
            raise OSError(5)
        return answer[1:]


class _Pwm:
    def __init__(self, call: "Call", pin: _Pin) -> None:
        self._call = call
        self._pin = pin.number

    def freq(self, hertz: int) -> None:
        self._call(b"Q" + bytes((self._pin,)) + hertz.to_bytes(4, "little"))

    def duty_u16(self, duty: int) -> None:
        self._call(b"D" + bytes((self._pin,)) + duty.to_bytes(2, "little"))


class _Watchdog:
    def __init__(self, shim: "Machine") -> None:
        self._shim = shim

    def feed(self) -> None:
        self._shim.fed = 1


class Machine:
    """A module `machine` with a clock, as `firmware.hardware` takes one; and the flash."""

    def __init__(self, call: "Call") -> None:
        self.call = call
        self.inputs = 0  # buttons that are pressed, by pin
        self.fed = 0
        self.levels: dict[int, int] = {}
        self.Pin = _Pins(self)

    def fell(self, number: int) -> None:
        self.call(b"X" + bytes((number,)))

    def SPI(self, number: int, baudrate: int, polarity: int, phase: int, sck: _Pin, mosi: _Pin, miso: _Pin) -> _Spi:
        assert (polarity, phase) == (0, 0), "the MFRC522 speaks mode 0"
        assert baudrate <= 10_000_000, "the MFRC522 takes 10 Mbit/s at most"
        for pin in (sck, mosi, miso):
            self.levels.pop(pin.number, None)
        return _Spi(self)

    def I2C(self, number: int, sda: _Pin, scl: _Pin, freq: int) -> _I2c:
        assert freq <= 400_000
        return _I2c(self.call)

    def PWM(self, pin: _Pin) -> _Pwm:
        self.levels.pop(pin.number, None)
        return _Pwm(self.call, pin)

    def WDT(self, timeout: int) -> _Watchdog:
        assert timeout <= 8388, "the RP2040's watchdog counts no further"
        return _Watchdog(self)

    def sleep_ms(self, ms: int) -> None:
        self.idle(ms)

    def ticks_ms(self) -> int:
        if hasattr(time, "ticks_ms"):  # MicroPython
            ticks: int = time.ticks_ms()
            return ticks
        return time.monotonic_ns() // 1_000_000

    def ticks_diff(self, later: int, earlier: int) -> int:
        return time.ticks_diff(later, earlier) if hasattr(time, "ticks_diff") else later - earlier

    # -- the line waits here, so that a byte ends the wait

    def idle(self, ms: int) -> None:
        answer = self.call(b"I" + ms.to_bytes(2, "little") + bytes((self.fed,)))
        self.fed = 0
        self.inputs = int.from_bytes(answer, "little")

    # -- the flash

    def load(self, place: int) -> bytes:
        return self.call(b"L" + bytes((place,)))

    def save(self, place: int, data: bytes) -> None:
        self.call(b"V" + bytes((place,)) + data)
