"""The board's parts from `machine`, by the configuration. `machine` and the line are arguments: on a PC a shim
stands for them."""

from firmware.mfrc522 import Mfrc522
from firmware.pn532 import Pn532
from firmware.type_a import TypeA

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from firmware.reader import Reader
    from firmware.signals import Lamp
    from firmware.witness import Store

    class Line(Protocol):
        """The serial line to the host."""

        def receive(self) -> bytes: ...

        def send(self, data: bytes) -> None: ...

        def idle(self, ms: int) -> None: ...


DEFAULT = {
    "reader": "mfrc522",  # or pn532
    "spi": 0, "sck": 18, "mosi": 19, "miso": 16, "cs": 17,
    "i2c": 0, "sda": 4, "scl": 5,
    "reset": 20,  # the reader chip's reset pin; -1: not wired
    "red": 10, "green": 11, "blue": 12, "buzzer": 13,
    "button_a": 14, "button_b": 15,
    "watchdog_ms": 8000,
}  # fmt: skip
SPI_HERTZ = 5_000_000
I2C_HERTZ = 100_000
PWM_HERTZ = 1_000
_CLOCKS = 9  # that free a data line which a slave holds


class _SpiBus:
    def __init__(self, machine: "Any", config: "dict[str, Any]") -> None:
        pin = machine.Pin
        self._select = pin(config["cs"], pin.OUT, value=1)
        self._spi = machine.SPI(
            config["spi"], baudrate=SPI_HERTZ, polarity=0, phase=0, sck=pin(config["sck"]), mosi=pin(config["mosi"]),
            miso=pin(config["miso"]),
        )  # fmt: skip
        self._reset = pin(config["reset"], pin.OUT, value=1) if config["reset"] >= 0 else None
        self._sleep_ms = machine.sleep_ms

    def transfer(self, out: bytes) -> bytes:
        into = bytearray(len(out))
        self._select(0)
        self._spi.write_readinto(out, into)
        self._select(1)
        return bytes(into)

    def restart(self) -> None:
        if self._reset is not None:
            self._reset(0)
            self._sleep_ms(1)
            self._reset(1)
            self._sleep_ms(2)


class _I2cBus:
    def __init__(self, machine: "Any", config: "dict[str, Any]") -> None:
        self._machine = machine
        self._config = config
        self._reset = machine.Pin(config["reset"], machine.Pin.OUT, value=1) if config["reset"] >= 0 else None
        self._open()

    def _open(self) -> None:
        pin, config = self._machine.Pin, self._config
        self._i2c = self._machine.I2C(config["i2c"], sda=pin(config["sda"]), scl=pin(config["scl"]), freq=I2C_HERTZ)

    def write(self, address: int, data: bytes) -> None:
        self._i2c.writeto(address, data)

    def read(self, address: int, count: int) -> bytes:
        into: bytes = self._i2c.readfrom(address, count)
        return into

    def restart(self) -> None:
        pin = self._machine.Pin
        clock = pin(self._config["scl"], pin.OPEN_DRAIN, value=1)
        for _ in range(_CLOCKS):
            clock(0)
            clock(1)
        if self._reset is not None:
            self._reset(0)
            self._machine.sleep_ms(1)
            self._reset(1)
            self._machine.sleep_ms(5)
        self._open()


class _Lamp:
    def __init__(self, machine: "Any", config: "dict[str, Any]") -> None:
        self._colours = [machine.PWM(machine.Pin(config[name])) for name in ("red", "green", "blue")]
        for colour in self._colours:
            colour.freq(PWM_HERTZ)
            colour.duty_u16(0)
        self._buzzer = machine.PWM(machine.Pin(config["buzzer"]))
        self._buzzer.duty_u16(0)

    def light(self, red: int, green: int, blue: int) -> None:
        for colour, duty in zip(self._colours, (red, green, blue)):
            colour.duty_u16(duty)

    def tone(self, hertz: int) -> None:
        if hertz:
            self._buzzer.freq(hertz)
        self._buzzer.duty_u16(32768 if hertz else 0)


class Parts:
    """An `app.Hardware`."""

    buttons = 2

    def __init__(self, machine: "Any", config: "dict[str, Any]", line: "Line", store: "Any", heap_used: "Any") -> None:
        """Raises ValueError for a reader that is none of ours."""
        self.lamp: Lamp = _Lamp(machine, config)  # first: dark and silent, whatever the pins did before
        self.store: Store = store
        self.reader: Reader
        if config["reader"] == "mfrc522":
            self.reader = TypeA(Mfrc522(_SpiBus(machine, config)))
        elif config["reader"] == "pn532":
            self.reader = Pn532(_I2cBus(machine, config), machine.sleep_ms)
        else:
            raise ValueError("reader")
        pin = machine.Pin
        self._buttons = [pin(config[name], pin.IN, pin.PULL_UP) for name in ("button_a", "button_b")]
        self._ticks_ms = machine.ticks_ms
        self._ticks_diff = machine.ticks_diff
        self._ticks = self._ticks_ms()
        self._now_ms = 0
        self.receive = line.receive
        self.send = line.send
        self.idle = line.idle
        self.heap_used = heap_used
        self.feed = machine.WDT(timeout=config["watchdog_ms"]).feed

    def pressed(self, button: int) -> bool:
        return not self._buttons[button].value()  # to ground

    def now_ms(self) -> int:
        """MicroPython's ticks wrap; this does not, as long as it is asked more often than they do (6 days)."""
        ticks = self._ticks_ms()
        self._now_ms += self._ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        return self._now_ms
