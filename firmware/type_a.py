"""ISO/IEC 14443-3 type A over an MFRC522: wake, anticollision, selection through the cascade, and commands with CRC.

No bit of a collision is resolved: two cards at once are nobody's card, and are left alone (TwoCards).
"""

from firmware.faults import Garbled, Nak, Silent, TwoCards
from firmware.mfrc522 import Mfrc522
from firmware.reader import Found

_WUPA = b"\x52"  # seven bits; wakes what sleeps in HALT too
_CASCADE = (0x93, 0x95, 0x97)
_CASCADE_TAG = 0x88
_MORE = 0x04  # of the SAK: the UID goes on
_ACK = 0x0A
_NAKS = (0x0, 0x1, 0x4, 0x5)
SHORT_MS = 2  # the answer time of requests and selection is 91 us; a timer below a millisecond gains nothing
_HALT = b"\x50\x00"


def crc_a(data: bytes) -> bytes:
    """ISO/IEC 14443-3, 6.2.4: initial 0x6363, least significant byte first."""
    crc = 0x6363
    for byte in data:
        byte ^= crc & 0xFF
        byte = (byte ^ (byte << 4)) & 0xFF
        crc = (crc >> 8) ^ (byte << 8) ^ (byte << 3) ^ (byte >> 4)
    return bytes((crc & 0xFF, crc >> 8 & 0xFF))


class TypeA:
    """A `reader.Reader`."""

    def __init__(self, chip: Mfrc522) -> None:
        self._chip = chip
        self._selected = False
        self.transfers = 0

    def start(self) -> None:
        self._selected = False
        self._chip.start()

    def check(self) -> None:
        self._chip.check()

    def select(self) -> "Found | None":
        if self._selected:  # a card that is awake does not hear a wake-up
            self._selected = False
            self._silently(_HALT)
        try:
            atqa = self._send(_WUPA, 7, SHORT_MS)
        except Silent:
            return None
        if len(atqa) != 2:
            raise Garbled()
        uid = b""
        for level in _CASCADE:
            part = self._send(bytes((level, 0x20)), 0, SHORT_MS)
            if len(part) != 5 or part[0] ^ part[1] ^ part[2] ^ part[3] != part[4]:
                raise Garbled()
            sak = self._checked(bytes((level, 0x70)) + part, SHORT_MS)
            if len(sak) != 1:
                raise Garbled()
            if not sak[0] & _MORE:
                self._selected = True
                return Found(uid + part[:4], sak[0])
            if part[0] != _CASCADE_TAG:
                raise Garbled()
            uid += part[1:4]
        raise Garbled()

    def command(self, data: bytes, wait_ms: int, answer_bytes: int) -> bytes:
        answer = self._send(data + crc_a(data), 0, wait_ms)
        if self._chip.last_bits == 4 and len(answer) == 1:
            code = answer[0] & 0x0F
            if code in _NAKS:
                self._selected = False  # it went back to sleep by itself
                raise Nak(code)
            if code != _ACK:
                raise Garbled()  # four bits have neither parity nor CRC
            if answer_bytes:
                raise Garbled()
            return b""
        if not answer_bytes or self._chip.last_bits or len(answer) != answer_bytes + 2:
            raise Garbled()
        if crc_a(answer[:-2]) != answer[-2:]:
            raise Garbled()
        return answer[:-2]

    def _checked(self, data: bytes, wait_ms: int) -> bytes:
        answer = self._send(data + crc_a(data), 0, wait_ms)
        if len(answer) < 3 or self._chip.last_bits or crc_a(answer[:-2]) != answer[-2:]:
            raise Garbled()
        return answer[:-2]

    def _send(self, frame: bytes, last_bits: int, wait_ms: int) -> bytes:
        self.transfers += 1
        return self._chip.exchange(frame, last_bits, wait_ms)

    def _silently(self, data: bytes) -> None:
        """HLTA: no answer is the right one."""
        try:
            self._send(data + crc_a(data), 0, SHORT_MS)
        except (Silent, Garbled, TwoCards):
            return
