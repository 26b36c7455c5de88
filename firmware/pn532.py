"""The PN532 over I2C. (NXP, UM0701-02 PN532 User Manual: 6.2 frames, 6.2.4 I2C, 7.2 and 7.3 commands.)

The chip does the selection and the CRC itself. It resolves a collision silently, so two cards at once are not seen
here: one of them is taken, and its UID guards the other. A four-bit NAK is reported without its code.
"""

from firmware import protocol as p
from firmware.faults import NAK_UNKNOWN, Garbled, Nak, ReaderFault, Silent
from firmware.reader import Found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class I2cBus(Protocol):
        """Raises OSError where nobody acknowledges, or the bus is stuck."""

        def write(self, address: int, data: bytes) -> None: ...

        def read(self, address: int, count: int) -> bytes: ...

        def restart(self) -> None:
            """Clock a slave out that holds the data line, and pulse the chip's reset pin where it is wired."""


ADDRESS = 0x24
_READY = 0x01
_ACK = b"\x00\x00\xff\x00\xff\x00"
_START = b"\x00\x00\xff"
_TO_CHIP = 0xD4
_FROM_CHIP = 0xD5
_GET_FIRMWARE = 0x02
_SAM_CONFIGURATION = 0x14
_RF_CONFIGURATION = 0x32
_IN_DATA_EXCHANGE = 0x40
_IN_COMMUNICATE_THRU = 0x42
_IN_LIST_PASSIVE_TARGET = 0x4A
_WRITE = 0xA2
_IC = 0x32
_FRAME_MAX = 262
POLLS_MAX = 60  # of 1 ms: the longest exchange with a card takes 30
_OVERHEAD = 8  # 00 00 FF LEN LCS ... DCS 00, and the byte that says ready
# errors in answers of the chip (7.1)
_TIMEOUT = 0x01
_DAMAGED = (0x02, 0x03, 0x05, 0x06, 0x07, 0x09, 0x0B)  # CRC, parity, framing, collision bit, buffer, overflow, protocol


class Pn532:
    """A `reader.Reader`."""

    def __init__(self, bus: "I2cBus", sleep_ms: "Callable[[int], None]") -> None:
        self._bus = bus
        self._sleep_ms = sleep_ms
        self.transfers = 0

    def start(self) -> None:
        self._bus.restart()
        try:
            self._bus.write(ADDRESS, _ACK)  # ends whatever it was doing, and wakes it
        except OSError:
            pass  # asleep: it acknowledges its address only when it is awake
        self._sleep_ms(2)
        self.check()
        self._call(_SAM_CONFIGURATION, b"\x01\x14\x01", 0)
        # how often it tries to find a card: twice (the first wakes one that was in use), or it would wait for ever
        self._call(_RF_CONFIGURATION, b"\x05\xff\x01\x01", 0)

    def check(self) -> None:
        if self._call(_GET_FIRMWARE, b"", 4)[:1] != bytes((_IC,)):
            raise ReaderFault(p.ABSENT, "what answers is no PN532")

    def select(self) -> "Found | None":
        self.transfers += 5  # as ISO 14443-3 asks of the chip for seven bytes
        answer = self._call(_IN_LIST_PASSIVE_TARGET, b"\x01\x00", 40)
        if not answer or answer[0] == 0:
            return None
        if len(answer) < 6 or len(answer) < 6 + answer[5]:
            raise Garbled()
        return Found(answer[6 : 6 + answer[5]], answer[4])

    def command(self, data: bytes, wait_ms: int, answer_bytes: int) -> bytes:
        self.transfers += 1
        if data[0] == _WRITE:  # the one answer of four bits: the chip judges it itself
            answer = self._call(_IN_DATA_EXCHANGE, b"\x01" + data, 1)
        else:
            answer = self._call(_IN_COMMUNICATE_THRU, data, 1 + answer_bytes)
        status = answer[0] & 0x3F if answer else 0x3F
        if status == _TIMEOUT:
            raise Silent()
        if status in _DAMAGED:
            raise Garbled()
        if status:
            raise Nak(NAK_UNKNOWN)
        if len(answer) - 1 != answer_bytes:
            raise Garbled()
        return answer[1:]

    def _call(self, command: int, arguments: bytes, expected_bytes: int) -> bytes:
        """What the chip answers, without its head. Raises ReaderFault, Garbled."""
        body = bytes((_TO_CHIP, command)) + arguments
        size = len(body)
        frame = _START + bytes((size, -size & 0xFF)) + body + bytes((-sum(body) & 0xFF, 0))
        try:
            self._bus.write(ADDRESS, frame)
            if self._ready(len(_ACK)) != _ACK:
                raise ReaderFault(p.HUNG, "PN532 did not acknowledge a command")
            answer = self._ready(min(_FRAME_MAX, expected_bytes + 2 + _OVERHEAD - 1))
        except OSError:
            raise ReaderFault(p.ABSENT, "PN532 does not answer") from None
        size = answer[3]
        if answer[:3] != _START or (size + answer[4]) & 0xFF or size < 2 or 5 + size >= len(answer):
            raise Garbled()
        inside = answer[5 : 5 + size]
        if (sum(inside) + answer[5 + size]) & 0xFF or inside[0] != _FROM_CHIP or inside[1] != command + 1:
            raise Garbled()
        return inside[2:]

    def _ready(self, count: int) -> bytes:
        for _ in range(POLLS_MAX):
            if self._bus.read(ADDRESS, 1)[0] & _READY:
                return self._bus.read(ADDRESS, count + 1)[1:]
            self._sleep_ms(1)
        raise ReaderFault(p.HUNG, "PN532 acknowledges and never answers")
