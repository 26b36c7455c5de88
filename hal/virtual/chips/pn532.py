"""A PN532 behind its I2C pins. (NXP, UM0701-02 PN532 User Manual: 6.2.1 frames, 6.2.4 I2C, 7.1 errors, 7.2 and 7.3
commands.)

Modelled: GetFirmwareVersion, SAMConfiguration, RFConfiguration (MaxRetries), InListPassiveTarget (one target, type A),
InDataExchange with the WRITE of an Ultralight, InCommunicateThru. Any other command, and any before SAMConfiguration
that needs the field, is a ModelError; a damaged frame is not acknowledged, as the manual says.

Not verified against a chip: which error a four-bit NAK is reported with (here 0x13, 'RF protocol error'), and how
the chip wakes a card that was selected before (here its first try of two sends the card to sleep, the second wakes
it).
"""

from __future__ import annotations

from typing import Final

from hal.virtual.chips import ModelError
from hal.virtual.chips.air import ACK, SELECT, Air, Frame, crc_a

ADDRESS: Final = 0x24
_ACK_FRAME: Final = bytes.fromhex("0000ff00ff00")
_NAK_STATUS: Final = 0x13
_TIMEOUT: Final = 0x01
_DAMAGED: Final = 0x02


class Pn532Model:
    """One chip."""

    def __init__(self, air: Air) -> None:
        self._air = air
        self.transfers = 0
        self.absent = False
        self.stuck = False  # something holds the data line: nothing is acknowledged until nine clocks came
        self.hung = False  # acknowledges, and never answers
        self.hang_outlasts_reset = False
        self.garbage = 0  # so many of the next answers are damaged
        self.reset()

    def reset(self) -> None:
        self._out: list[bytes] = []  # what waits to be read: acknowledgement, answer
        self._ready_after = 0
        self._sam = False
        self._retries = 0xFF
        self._target = False
        self._clocks = 0
        self._air.switch(on=False)

    def restart(self) -> None:
        """The reset pin was pulsed."""
        if not self.hang_outlasts_reset:
            self.hung = False
        self.reset()

    def clocked(self) -> None:
        """The clock line fell outside of a transfer: nine of that let a slave finish its byte and let go of the data
        line."""
        self._clocks += 1
        if self._clocks >= 9:
            self.stuck, self._clocks = False, 0

    def write(self, address: int, data: bytes) -> bool:
        """False: nobody acknowledged."""
        self.transfers += 1
        if address != ADDRESS or self.absent or self.stuck:
            return False
        if data == _ACK_FRAME:  # the host ends the command
            self._out.clear()
            return True
        if len(data) < 9 or data[:3] != b"\x00\x00\xff" or (data[3] + data[4]) & 0xFF or len(data) != data[3] + 7:
            raise ModelError(f"no frame: {data.hex()}")
        body = data[5:-2]
        if (sum(body) + data[-2]) & 0xFF or data[-1] or body[0] != 0xD4:
            raise ModelError(f"a frame with a wrong checksum or direction: {data.hex()}")
        if self._out:
            raise ModelError("a command before the answer of the last one was read")
        self._out = [_ACK_FRAME]
        answer = self._answer(body[1], body[2:])
        if not self.hung:
            inside = bytes((0xD5, body[1] + 1)) + answer
            self._out.append(
                b"\x00\x00\xff" + bytes((len(inside), -len(inside) & 0xFF)) + inside + bytes((-sum(inside) & 0xFF, 0))
            )
        self._ready_after = 1
        return True

    def read(self, address: int, count: int) -> bytes | None:
        """None: nobody acknowledged."""
        self.transfers += 1
        if address != ADDRESS or self.absent or self.stuck:
            return None
        if not self._out or self._ready_after:
            self._ready_after = max(0, self._ready_after - 1)
            if count > 1:
                raise ModelError("read before the chip was ready")
            return b"\x00"
        if count == 1:
            return b"\x01"
        frame = self._out.pop(0)
        self._ready_after = 1
        if self.garbage and frame != _ACK_FRAME:
            self.garbage -= 1
            frame = frame[:5] + bytes((frame[5] ^ 0x10,)) + frame[6:]
        if count - 1 < len(frame):
            raise ModelError(f"a frame of {len(frame)} bytes is read in one go, not {count - 1}")
        return b"\x01" + frame.ljust(count - 1, b"\x00")

    def _answer(self, command: int, arguments: bytes) -> bytes:
        match command, arguments:
            case 0x02, b"":
                return b"\x32\x01\x06\x07"
            case 0x14, _ if arguments[:1] == b"\x01":
                self._sam = True
                return b""
            case 0x32, _ if arguments[:1] == b"\x05" and len(arguments) == 4:
                self._retries = arguments[3]
                return b""
            case 0x4A, b"\x01\x00":
                return self._list()
            case 0x40, _ if arguments[:2] == b"\x01\xa2" and len(arguments) == 7:
                return self._exchange(arguments[1:])
            case 0x42, _ if arguments:
                return self._exchange(arguments)
            case _:
                raise ModelError(f"command {command:#04x} with {arguments.hex()} is not modelled")

    def _list(self) -> bytes:
        if not self._sam:
            raise ModelError("the field is used before SAMConfiguration")
        if self._retries == 0xFF:
            raise ModelError("without MaxRetries the chip waits for a card for ever")
        self._air.switch(on=True)
        self._target = False
        for _ in range(self._retries + 1):
            found = self._activate()
            if found is not None:
                self._target = True
                return found
        return b"\x00"

    def _activate(self) -> bytes | None:
        atqa = self._air.send(Frame(b"\x52", 7))
        if atqa.frame is None:
            return None
        uid = b""
        for level in SELECT:
            part = self._air.send(Frame(bytes((level, 0x20))))
            if part.frame is None or part.damaged or len(part.frame.data) != 5:
                return None
            select = bytes((level, 0x70)) + part.frame.data
            sak = self._air.send(Frame(select + crc_a(select)))
            if sak.frame is None or sak.damaged or crc_a(sak.frame.data[:1]) != sak.frame.data[1:]:
                return None
            if not sak.frame.data[0] & 0x04:
                uid += part.frame.data[:4]
                head = b"\x01\x01" + atqa.frame.data[::-1]  # SENS_RES is told most significant byte first
                return head + sak.frame.data[:1] + bytes((len(uid),)) + uid
            uid += part.frame.data[1:4]
        return None

    def _exchange(self, data: bytes) -> bytes:
        if not self._target:
            return bytes((_TIMEOUT,))
        heard = self._air.send(Frame(data + crc_a(data)))
        if heard.frame is None:
            return bytes((_TIMEOUT,))
        if heard.frame.last_bits:
            return b"\x00" if heard.frame.data[0] == ACK and not heard.damaged else bytes((_NAK_STATUS,))
        if heard.damaged or crc_a(heard.frame.data[:-2]) != heard.frame.data[-2:]:
            return bytes((_DAMAGED,))
        return b"\x00" + heard.frame.data[:-2]
