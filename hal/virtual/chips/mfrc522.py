"""An MFRC522 behind its SPI pins. (NXP, MFRC522 data sheet rev. 3.9: 8.1.2 SPI, 8.3 FIFO, 8.5 timer, 9 registers, 10
commands.)

Modelled: the registers that a reader of type A needs, the FIFO of 64 bytes, Idle, Transceive and SoftReset, the
timer with TAuto, 106 kbit/s without the chip's own CRC. Everything else that is touched is a ModelError. Time passes
with the polls of the driver: an answer comes in AIR_BYTES_PER_POLL pieces, the timer runs out after as many polls as
its reload has milliseconds.

Not verified against a chip: how long the oscillator needs after a reset (here 2 polls), and the value of bits that
the data sheet calls reserved (here zero).
"""

from __future__ import annotations

from typing import Final

from hal.virtual.chips import ModelError
from hal.virtual.chips.air import Air, Frame

VERSION: Final = 0x92
FIFO_BYTES: Final = 64
AIR_BYTES_PER_POLL: Final = 8
_DEFAULTS: Final = {  # 9.2, table 20: reset values
    0x01: 0x20, 0x02: 0x80, 0x03: 0x00, 0x04: 0x14, 0x05: 0x00, 0x06: 0x00, 0x0A: 0x00, 0x0C: 0x10, 0x0D: 0x00,
    0x0E: 0x00, 0x11: 0x3F, 0x12: 0x00, 0x13: 0x00, 0x14: 0x80, 0x15: 0x00, 0x24: 0x26, 0x26: 0x48, 0x2A: 0x00,
    0x2B: 0x00, 0x2C: 0x00, 0x2D: 0x00, 0x37: VERSION,
}  # fmt: skip
_FIFO: Final = 0x09
_READ_ONLY: Final = (0x06, 0x37)
_IDLE, _TRANSCEIVE, _SOFT_RESET = 0x00, 0x0C, 0x0F
_RX, _IDLE_IRQ, _ERR, _TIMER = 0x20, 0x10, 0x02, 0x01


class Mfrc522Model:
    """One chip."""

    def __init__(self, air: Air) -> None:
        self._air = air
        self.transfers = 0  # on the bus
        self.absent = False  # the wire is broken: all reads are 0xFF
        self.hung = False  # registers answer, and nothing is ever finished
        self.hang_outlasts_reset = False
        self.garbage = 0  # so many of the next reads are wrong
        self.reset()

    def reset(self) -> None:
        """Power on, or SoftReset."""
        self._registers = dict(_DEFAULTS)
        self._fifo = bytearray()
        self._coming: Frame | None = None
        self._come = 0
        self._timer_polls: int | None = None
        self._starting = 2
        self._lied = False  # a reading was garbage since the reset
        self._dipped = False
        self._air.switch(on=False)

    def dip(self) -> None:
        """The supply was gone for a moment: all that was set up is lost, and nobody was told."""
        self.reset()
        self._dipped = True

    def restart(self) -> None:
        """The reset pin was pulsed."""
        if not self.hang_outlasts_reset:
            self.hung = False
        self.reset()

    def transfer(self, out: bytes) -> bytes:
        """One selection of the chip: address byte, then data (8.1.2)."""
        self.transfers += 1
        if len(out) < 2:
            raise ModelError("a transfer has an address and at least one byte")
        if self.absent:
            return b"\xff" * len(out)
        if out[0] & 0x80:
            answer = b"\x00" + bytes(self._load(address) for address in out[:-1])
            if out[-1]:
                raise ModelError("a reading ends with the address 0x00")
            if self.garbage:
                self.garbage -= 1
                self._lied = True
                return bytes(byte ^ 0x5A for byte in answer)
            return answer
        register = self._register(out[0])
        for value in out[1:]:
            self._store(register, value)
        return bytes(len(out))

    def _register(self, address: int) -> int:
        if address & 1:
            raise ModelError(f"the lowest bit of an address is 0, not {address:#04x}")
        register = address >> 1 & 0x3F
        if register != _FIFO and register not in _DEFAULTS:
            raise ModelError(f"register {register:#04x} is reserved, or not modelled")
        return register

    def _load(self, address: int) -> int:
        if not address & 0x80:
            raise ModelError("reading and writing in one transfer")
        register = self._register(address)
        if register == _FIFO:
            if not self._fifo:
                if self._lied:
                    return 0  # whoever reads too much was told so
                raise ModelError("the FIFO is empty")
            return self._fifo.pop(0)
        if register == 0x01:
            if self._starting:
                self._starting -= 1
                return self._registers[0x01] | 0x10
            return self._registers[0x01]
        if register == 0x0A:
            return len(self._fifo)
        if register == 0x04:
            self._pass_time()
        return self._registers[register]

    def _store(self, register: int, value: int) -> None:
        if register in _READ_ONLY:
            raise ModelError(f"register {register:#04x} is read-only")
        if register == _FIFO:
            if len(self._fifo) >= FIFO_BYTES:
                self._registers[0x06] |= 0x10
                raise ModelError("more than 64 bytes for the FIFO")
            self._fifo.append(value)
        elif register == 0x0A:
            if value & 0x80:
                self._fifo.clear()
                self._registers[0x06] &= ~0x10
        elif register == 0x04:
            self._registers[0x04] = self._registers[0x04] | value if value & 0x80 else self._registers[0x04] & ~value
        elif register == 0x01:
            self._command(value)
        elif register == 0x0D:
            self._registers[0x0D] = value & 0x7F
            if value & 0x80:
                self._send(value & 0x07)
        elif register in (0x12, 0x13) and value:
            raise ModelError("only 106 kbit/s without the chip's CRC is modelled")
        else:
            self._registers[register] = value
            if register == 0x14:
                self._air.switch(on=value & 0x03 == 0x03)

    def _command(self, value: int) -> None:
        command = value & 0x0F
        if command == _SOFT_RESET:
            hung = self.hung
            self.reset()
            self.hung = hung
            return
        if command not in (_IDLE, _TRANSCEIVE):
            raise ModelError(f"command {command:#03x} is not modelled")
        self._registers[0x01] = value & 0x3F
        self._coming, self._timer_polls = None, None

    def _send(self, last_bits: int) -> None:
        if self._registers[0x01] & 0x0F != _TRANSCEIVE:
            raise ModelError("StartSend without Transceive")
        if not self._fifo:
            raise ModelError("nothing to send")
        if self._registers[0x04] & (_RX | _TIMER):
            raise ModelError("the interrupt bits of the last exchange were not cleared")
        if self._dipped and not self._registers[0x2A] & 0x80:
            return  # the driver can't know; no answer comes, and no timer runs
        if not self._registers[0x2A] & 0x80:
            raise ModelError("no TAuto: an answer that does not come would be waited for without an end")
        if not self._registers[0x15] & 0x40:
            raise ModelError("type A needs 100 % ASK (TxASKReg)")
        frame = Frame(bytes(self._fifo), last_bits)
        self._fifo.clear()
        self._registers[0x06] = 0
        if self.hung:
            return
        heard = self._air.send(frame)
        if heard.frame is None:
            prescaler = (self._registers[0x2A] & 0x0F) << 8 | self._registers[0x2B]
            reload = self._registers[0x2C] << 8 | self._registers[0x2D]
            self._timer_polls = max(1, round((reload + 1) * (2 * prescaler + 1) / 13_560))
            return
        self._coming, self._come = heard.frame, 0
        self._registers[0x06] = (0x08 if heard.collision else 0) | (0x02 if heard.damaged else 0)

    def _pass_time(self) -> None:
        """A poll of ComIrqReg: some 20 us on a bus of 5 MHz, in which the air carries a bit or two; here, a few
        bytes."""
        if self._timer_polls is not None:
            self._timer_polls -= 1
            if self._timer_polls == 0:
                self._registers[0x04] |= _TIMER
                self._timer_polls = None
        if self._coming is None:
            return
        piece = self._coming.data[self._come : self._come + AIR_BYTES_PER_POLL]
        self._come += len(piece)
        room = FIFO_BYTES - len(self._fifo)
        if len(piece) > room:
            self._registers[0x06] |= 0x10
        self._fifo += piece[:room]
        if self._come == len(self._coming.data):
            self._registers[0x0C] = 0x10 | self._coming.last_bits
            self._registers[0x04] |= _RX | (_ERR if self._registers[0x06] else 0)
            self._coming = None
