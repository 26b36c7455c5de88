"""The MFRC522 over SPI: frames to the card and back. (NXP, MFRC522 data sheet rev. 3.9: 8.1.2 SPI, 9 registers, 10
commands.)

It knows bits, its buffer and its timer, nothing of cards: `type_a.py` does. Its buffer has 64 bytes; longer answers are
drained while they come. The timer is the chip's own and starts with the end of sending, so that a slow bus never
cuts an answer short. Every wait has a bound: a chip that neither answers nor times out is HUNG.
"""

from firmware import protocol as p
from firmware.faults import Garbled, ReaderFault, Silent, TwoCards

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class SpiBus(Protocol):
        """One chip on an SPI bus (mode 0, at most 10 MHz): select it, exchange, let go."""

        def transfer(self, out: bytes) -> bytes: ...

        def restart(self) -> None:
            """Pulse the chip's reset pin, where it is wired."""


_COMMAND = 0x01
_COM_IRQ = 0x04
_ERROR = 0x06
_FIFO_DATA = 0x09
_FIFO_LEVEL = 0x0A
_CONTROL = 0x0C
_BIT_FRAMING = 0x0D
_COLL = 0x0E
_MODE = 0x11
_TX_MODE = 0x12
_RX_MODE = 0x13
_TX_CONTROL = 0x14
_TX_ASK = 0x15
_RF_CONFIG = 0x26
_TIMER_MODE = 0x2A
_TIMER_PRESCALER = 0x2B
_RELOAD_HIGH = 0x2C
_RELOAD_LOW = 0x2D
_VERSION = 0x37

_IDLE = 0x00
_TRANSCEIVE = 0x0C
_SOFT_RESET = 0x0F
_IRQ_RX = 0x20
_IRQ_SET = 0x80  # only written
_IRQ_TIMER = 0x01
_START_SEND = 0x80
_ERROR_COLLISION = 0x08
_ERROR_ANY = 0x10 | 0x04 | 0x02 | 0x01  # buffer full, CRC, parity, protocol
_ANTENNA = 0x03
_GAIN_MAX = 0x70

_TICKS_PER_MS = 40  # with the prescaler 0x0A9: 13.56 MHz / (2 * 169 + 1)
POLLS_MAX = 20_000  # of the interrupt register in one exchange: some 0.4 s over a bus of 5 MHz
RESET_POLLS_MAX = 2_000
VERSIONS = (0x91, 0x92, 0x88, 0xB2)  # version 1 and 2; two clones
_FIFO_BYTES = 64
_DRAIN_BYTES = 32
_SETUP = (
    (_TIMER_MODE, 0x80),  # starts by itself at the end of sending
    (_TIMER_PRESCALER, 0xA9),
    (_TX_ASK, 0x40),  # 100 % ASK
    (_MODE, 0x3D),
    (_TX_MODE, 0x00),  # 106 kbit/s; the CRC is made here, for a four-bit answer has none
    (_RX_MODE, 0x00),
    (_RF_CONFIG, _GAIN_MAX),
    (_COLL, 0x00),  # bits after a collision read as zero
)


class Mfrc522:
    """One chip."""

    def __init__(self, bus: "SpiBus") -> None:
        self._bus = bus
        self._reload = -1
        self.last_bits = 0  # valid bits of the last byte that came; 0: all

    def start(self) -> None:
        """Reset and set up, field on. Raises ReaderFault."""
        self._reload = -1
        self._bus.restart()
        self._write(_COMMAND, _SOFT_RESET)
        for _ in range(RESET_POLLS_MAX):
            if not self._read(_COMMAND) & 0x10:  # power-down: the oscillator starts
                break
        else:
            raise ReaderFault(p.HUNG, "MFRC522 does not come out of its reset")
        version = self._read(_VERSION)
        if version not in VERSIONS:
            raise ReaderFault(p.ABSENT, f"no MFRC522: version register {version:#x}")
        for register, value in _SETUP:
            self._write(register, value)
        self._write(_TX_CONTROL, 0x80 | _ANTENNA)

    def check(self) -> None:
        """Raises ReaderFault where the chip is gone, or fell back to its defaults (a dip of its supply)."""
        if self._read(_VERSION) not in VERSIONS:
            raise ReaderFault(p.ABSENT, "MFRC522 does not answer")
        if self._read(_TX_CONTROL) & _ANTENNA != _ANTENNA or self._read(_TIMER_PRESCALER) != 0xA9:
            raise ReaderFault(p.HUNG, "MFRC522 has lost its setup")

    def exchange(self, frame: bytes, last_bits: int, wait_ms: int) -> bytes:
        """Send `frame` (of its last byte `last_bits`; 0: all) and return what comes, `last_bits` set.

        Raises Silent, Garbled, TwoCards (a collision), ReaderFault.
        """
        reload = wait_ms * _TICKS_PER_MS
        if reload != self._reload:
            self._write(_RELOAD_HIGH, reload >> 8)
            self._write(_RELOAD_LOW, reload & 0xFF)
            self._reload = reload
        self._write(_COMMAND, _IDLE)
        self._write(_COM_IRQ, 0x7F)
        self._write(_FIFO_LEVEL, 0x80)
        self._bus.transfer(bytes((_FIFO_DATA << 1,)) + frame)
        self._write(_COMMAND, _TRANSCEIVE)
        self._write(_BIT_FRAMING, _START_SEND | last_bits)
        out = b""
        for _ in range(POLLS_MAX):
            irq = self._read(_COM_IRQ)
            if irq & _IRQ_SET:
                raise ReaderFault(p.ABSENT, "a bit of the MFRC522 that always reads 0 does not")
            if irq & _IRQ_RX:
                break
            if irq & _IRQ_TIMER:
                self._write(_COMMAND, _IDLE)
                raise Silent()
            level = self._read(_FIFO_LEVEL)
            if level >= _DRAIN_BYTES:
                out += self._fifo(level)
        else:
            raise ReaderFault(p.HUNG, "MFRC522 neither received nor timed out")
        error = self._read(_ERROR)
        if error & _ERROR_COLLISION:
            raise TwoCards()
        if error & _ERROR_ANY:
            raise Garbled()
        level = self._read(_FIFO_LEVEL)
        if level:
            out += self._fifo(level)
        self.last_bits = self._read(_CONTROL) & 0x07
        return out

    def _fifo(self, count: int) -> bytes:
        if count > _FIFO_BYTES:
            raise ReaderFault(p.HUNG, "more in the MFRC522's buffer than it holds: the bus is disturbed")
        address = 0x80 | _FIFO_DATA << 1
        return self._bus.transfer(bytes((address,)) * count + b"\x00")[1:]

    def _write(self, register: int, value: int) -> None:
        self._bus.transfer(bytes((register << 1, value)))

    def _read(self, register: int) -> int:
        return self._bus.transfer(bytes((0x80 | register << 1, 0)))[1]
