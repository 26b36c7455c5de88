"""Cards in the air of a reader, frame by frame (ISO/IEC 14443-3 type A), and what can go wrong there.

From ISO/IEC 14443-3:2018 (6.2 frames and CRC_A, 6.3 the states of a card, 6.4 and 6.5 anticollision and cascade) and
NXP's data sheets NTAG213/215/216 rev. 3.2 and MF0ULx1 rev. 3.3 (section 8.4 states, 9.3 ACK and NAK, 10 commands). A
card that hears what does not belong to its state goes back to IDLE (or HALT, where it came from) without a word, or
with a NAK when it was selected. The memory is `hal.virtual.tag.Tag`.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple, Protocol

from hal.errors import CardRefused
from hal.virtual.tag import Tag
from loyalty.card_slots import Chip

SELECT: Final = (0x93, 0x95, 0x97)
CASCADE_TAG: Final = 0x88
ACK: Final = 0x0A
NAK_ARGUMENT: Final = 0x0
NAK_DAMAGED: Final = 0x1
NAK_TRIES: Final = 0x4
_SAK_MORE: Final = 0x04
_VERSIONS: Final[dict[Chip, str]] = {
    Chip.NTAG213: "0004040201000f03",
    Chip.NTAG215: "0004040201001103",
    Chip.NTAG216: "0004040201001303",
    Chip.MF0UL11: "0004030101000b03",
    Chip.MF0UL21: "0004030101000e03",
}
SIGNATURE: Final = bytes(range(0x40, 0x60))  # of no known key: the model can't sign as NXP


class Frame(NamedTuple):
    """Bits as they go through the air: `last_bits` of the last byte; 0: all eight."""

    data: bytes
    last_bits: int = 0


def crc_a(data: bytes) -> bytes:
    """Written bit by bit from the polynomial (x^16 + x^12 + x^5 + 1, reflected), unlike the driver's."""
    crc = 0x6363
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return crc.to_bytes(2, "little")


def with_crc(data: bytes) -> Frame:
    return Frame(data + crc_a(data))


class State(Enum):
    IDLE = "idle"
    READY = "ready"  # in one of the cascade's levels
    ACTIVE = "active"
    HALT = "halt"


class Memory(Protocol):
    """What is inside of a card once it is selected."""

    uid: bytes
    atqa: bytes
    sak: int

    def power(self) -> None: ...

    def command(self, data: bytes) -> Frame | None:
        """A command whose CRC was right; None: no word, and back to sleep."""


class Foreign:
    """A card of another kind (a train pass, a credit card): it is selected like any, and answers none of our
    commands."""

    def __init__(self, uid: bytes, atqa: bytes = b"\x04\x00", sak: int = 0x08) -> None:
        self.uid, self.atqa, self.sak = uid, atqa, sak

    def power(self) -> None:
        return

    def command(self, data: bytes) -> Frame | None:
        return None


class TagMemory:
    """A `Tag` behind the chips' commands."""

    atqa = b"\x44\x00"
    sak = 0x00

    def __init__(self, tag: Tag) -> None:
        self.tag = tag
        self.uid = tag.uid
        self.naks = 0  # so many of the next reads, writes and passwords are refused
        self.torn: int | None = None  # the last write was cut after so many bytes, and the card is gone
        self.tear: tuple[int, int] | None = None  # (writes before, bytes of the page)

    def power(self) -> None:
        self.tag.enter_field()

    def command(self, data: bytes) -> Frame | None:
        tag = self.tag
        try:
            match data[0], len(data):
                case 0x60, 1:
                    return with_crc(bytes.fromhex(_VERSIONS[tag.chip]))
                case 0x30 | 0x3A | 0xA2 | 0x1B, _ if self.naks:
                    self.naks -= 1
                    tag.enter_field()
                    return Frame(bytes((NAK_ARGUMENT,)), 4)
                case 0x30, 2:
                    return with_crc(b"".join(tag.read((data[1] + at) % tag.pages, 1) for at in range(4)))
                case 0x3A, 3 if data[1] <= data[2]:
                    return with_crc(tag.read(data[1], data[2] - data[1] + 1))
                case 0xA2, 6:
                    return self._write(data[1], data[2:])
                case 0x1B, 5:
                    return with_crc(tag.authenticate(data[1:]))
                case 0x39, 2:
                    return with_crc(tag.counter(data[1]).to_bytes(3, "little"))
                case 0x3C, 2 if data[1] == 0:
                    return with_crc(SIGNATURE)
                case _:
                    return Frame(bytes((NAK_ARGUMENT,)), 4)
        except CardRefused as refused:
            return Frame(bytes((NAK_TRIES if "too many" in str(refused) else NAK_ARGUMENT,)), 4)
        except ValueError:  # no such page or counter
            return Frame(bytes((NAK_ARGUMENT,)), 4)

    def _write(self, page: int, data: bytes) -> Frame | None:
        if self.tear is None or self.tear[0] > 0:
            self.tag.write(page, data)
            self.tear = None if self.tear is None else (self.tear[0] - 1, self.tear[1])
            return Frame(bytes((ACK,)), 4)
        self.tag.write(page, data, torn_after=self.tear[1])
        self.torn = self.tear[1]
        return None


class Card:
    """One card's protocol: frames in, frames out."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.state = State.IDLE
        self._level = 0
        self._home = State.IDLE  # where it falls back to

    def power(self, *, on: bool) -> None:
        self.state = self._home = State.IDLE
        if on:
            self.memory.power()

    def hear(self, frame: Frame) -> Frame | None:
        if frame.last_bits == 7 and len(frame.data) == 1:
            return self._wake(frame.data[0])
        if frame.last_bits:
            self._sleep()
            return None
        if self.state is State.READY:
            return self._cascade(frame.data)
        if self.state is not State.ACTIVE:
            return None
        data, crc = frame.data[:-2], frame.data[-2:]
        if not data or crc_a(data) != crc:
            self._sleep()
            return Frame(bytes((NAK_DAMAGED,)), 4)
        if data == b"\x50\x00":
            self.state = self._home = State.HALT
            return None
        answer = self.memory.command(data)
        if answer is None or (answer.last_bits and answer.data[0] != ACK):
            self._sleep()
        return answer

    def _wake(self, request: int) -> Frame | None:
        asleep = (State.IDLE, State.HALT) if request == 0x52 else (State.IDLE,) if request == 0x26 else ()
        if self.state in asleep:
            self._home = self.state
            self.state, self._level = State.READY, 0
            return Frame(self.memory.atqa)
        self._sleep()
        return None

    def _sleep(self) -> None:
        if self.state in (State.READY, State.ACTIVE):
            self.state = self._home

    def _part(self) -> bytes:
        """The four bytes of this level and their check byte."""
        uid, levels = self.memory.uid, {4: 1, 7: 2, 10: 3}[len(self.memory.uid)]
        start = 3 * self._level
        part = uid[start : start + 4] if self._level == levels - 1 else bytes((CASCADE_TAG,)) + uid[start : start + 3]
        return part + bytes((part[0] ^ part[1] ^ part[2] ^ part[3],))

    def _cascade(self, data: bytes) -> Frame | None:
        if len(data) < 2 or data[0] != SELECT[self._level]:
            self._sleep()
            return None
        if data[1] == 0x20 and len(data) == 2:
            return Frame(self._part())
        if data[1] != 0x70 or len(data) != 9 or data[2:7] != self._part() or crc_a(data[:7]) != data[7:]:
            self._sleep()
            return None
        if len(self.memory.uid) > 3 * self._level + 4:
            self._level += 1
            return with_crc(bytes((self.memory.sak | _SAK_MORE,)))
        self.state = State.ACTIVE
        return with_crc(bytes((self.memory.sak,)))


class Heard(NamedTuple):
    """What the reader's antenna gets."""

    frame: Frame | None
    collision: bool = False
    damaged: bool = False  # parity


class Air:
    """What lies in the field. Not safe for several threads: `bench.Bench` has the lock."""

    def __init__(self) -> None:
        self.cards: list[Card] = []
        self.field_on = False
        self.frames = 0  # that a reader sent
        self.damage = 0  # so many of the next answers are damaged
        self.mute = 0  # so many of the next frames reach nobody

    def switch(self, *, on: bool) -> None:
        if on != self.field_on:
            self.field_on = on
            for card in self.cards:
                card.power(on=on)

    def put(self, memory: Memory) -> None:
        card = Card(memory)
        card.power(on=self.field_on)
        self.cards.append(card)

    def take(self, memory: Memory) -> None:
        self.cards = [card for card in self.cards if card.memory is not memory]

    def send(self, frame: Frame) -> Heard:
        """One frame of the reader, and what comes back."""
        self.frames += 1
        if not self.field_on:
            return Heard(None)
        if self.mute:
            self.mute -= 1
            return Heard(None)
        answers = [answer for card in self.cards if (answer := card.hear(frame)) is not None]
        self.cards = [card for card in self.cards if getattr(card.memory, "torn", None) is None]
        if not answers:
            return Heard(None)
        if any(answer != answers[0] for answer in answers):
            return Heard(answers[0], collision=True)
        if self.damage:
            self.damage -= 1
            first = answers[0]
            spoiled = Frame(bytes((first.data[0] ^ 0x01,)) + first.data[1:], first.last_bits)
            return Heard(spoiled, damaged=self.damage % 2 == 0)
        return Heard(answers[0])
