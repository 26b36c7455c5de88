"""The messages between a virtual unit and its world, and how they lie on the socket.

A message is four bytes of length (big-endian) and a MessagePack array whose first element names its type.
The unit asks, the world answers, one at a time on each connection: so nothing can pile up on either side.
Anything else (a wrong length, a wrong type, bytes that are no message) raises Garbage, and the connection is
closed with the reason.
"""

from __future__ import annotations

import socket
import struct
from typing import Final

import msgspec

from hal.events import ButtonPressed, CardPresented, CardRemoved
from hal.indicators import Light, Sound
from hal.virtual.port import FRAME_BYTES_MAX, ClockSetting
from loyalty.card_slots import Chip, chip_named

VERSION: Final = 2
ASK_BYTES_MAX: Final = 64 * 1024
ANSWER_BYTES_MAX: Final = FRAME_BYTES_MAX + 1024
BODY_WAIT_S: Final = 5.0  # a message that has begun must be whole by then
_LENGTH: Final = struct.Struct(">I")


class Garbage(Exception):
    """What came is not a message of ours; the text says why."""


class Ended(Exception):
    """The other side closed the connection, or it broke."""


class _Message(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    pass


# what a unit asks


class Hello(_Message, tag="hi"):
    version: int


class Show(_Message, tag="show"):
    pixels: bytes


class Signal(_Message, tag="sig"):
    light: Light
    sound: Sound
    duration_ms: int


class CardEvents(_Message, tag="cards"):
    pass


class CardRead(_Message, tag="read"):
    uid: bytes
    page: int
    pages: int


class CardWrite(_Message, tag="write"):
    uid: bytes
    page: int
    data: bytes


class CardAuthenticate(_Message, tag="auth"):
    uid: bytes
    password: bytes


class CardCounter(_Message, tag="count"):
    uid: bytes
    number: int


class ButtonEvents(_Message, tag="btns"):
    pass


class AskClock(_Message, tag="clock"):
    pass


class AskFrame(_Message, tag="frame"):
    after: int
    timeout_ms: int


# what the world answers


class Done(_Message, tag="ok"):
    pass


class Cards(_Message, tag="cards"):
    """Each event is (has come, UID, what is on it, its chip)."""

    events: list[tuple[bool, bytes, bytes, Chip | None]]


class Pages(_Message, tag="pages"):
    """Also the chip's answer to a password."""

    data: bytes


class Count(_Message, tag="count"):
    value: int


class Buttons(_Message, tag="btns"):
    buttons: list[int]


class ClockIs(_Message, tag="clock"):
    setting: ClockSetting


class FrameIs(_Message, tag="frame"):
    number: int
    mono_ms: int
    width_px: int
    height_px: int
    grey: memoryview


class NoFrame(_Message, tag="none"):
    pass


class Failed(_Message, tag="fail"):
    """The part failed, or the call was wrong: `kind` names the exception (`link.ERRORS`)."""

    kind: str
    reason: str
    text: str


class Goodbye(_Message, tag="bye"):
    """The connection is closed, and why."""

    reason: str


Ask = (
    Hello
    | Show
    | Signal
    | CardEvents
    | CardRead
    | CardWrite
    | CardAuthenticate
    | CardCounter
    | ButtonEvents
    | AskClock
    | AskFrame
)
Answer = Done | Cards | Pages | Count | Buttons | ClockIs | FrameIs | NoFrame | Failed | Goodbye

_encoder = msgspec.msgpack.Encoder()
_asks: msgspec.msgpack.Decoder[Ask] = msgspec.msgpack.Decoder(Ask)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def pack_cards(events: list[CardPresented | CardRemoved]) -> Cards:
    return Cards(
        [
            (True, e.uid, e.record, chip_named(e.chip)) if isinstance(e, CardPresented) else (False, e.uid, b"", None)
            for e in events
        ]
    )


def unpack_cards(cards: Cards) -> list[CardPresented | CardRemoved]:
    return [
        CardPresented(uid=uid, record=record, chip=chip or "") if come else CardRemoved(uid=uid)
        for come, uid, record, chip in cards.events
    ]


def unpack_buttons(buttons: Buttons) -> list[ButtonPressed]:
    return [ButtonPressed(button=button) for button in buttons.buttons]


def send(sock: socket.socket, message: Ask | Answer) -> None:
    """Raises Ended."""
    body = _encoder.encode(message)
    try:
        sock.sendall(_LENGTH.pack(len(body)) + body if len(body) < ASK_BYTES_MAX else _LENGTH.pack(len(body)))
        if len(body) >= ASK_BYTES_MAX:  # a frame: not copied once more just to stand behind its length
            sock.sendall(body)
    except OSError as error:
        raise Ended(f"the connection broke: {error}") from error


def receive_ask(sock: socket.socket) -> Ask:
    """Waits for the next message without a limit. Raises Garbage, Ended."""
    body = _receive(sock, None, ASK_BYTES_MAX)
    try:
        return _asks.decode(body)
    except msgspec.MsgspecError as error:
        raise Garbage(f"not a message of ours: {error}") from error


def receive_answer(sock: socket.socket, timeout_s: float) -> Answer:
    """Raises Garbage, Ended."""
    body = _receive(sock, timeout_s, ANSWER_BYTES_MAX)
    try:
        return _answers.decode(body)
    except msgspec.MsgspecError as error:
        raise Garbage(f"not a message of ours: {error}") from error


def _receive(sock: socket.socket, timeout_s: float | None, bytes_max: int) -> memoryview:
    try:
        sock.settimeout(timeout_s)
        head = bytearray(_LENGTH.size)
        _fill(sock, memoryview(head))
        (length,) = _LENGTH.unpack(head)
        if not 1 <= length <= bytes_max:
            raise Garbage(f"a message has 1 to {bytes_max} bytes, not {length}")
        sock.settimeout(BODY_WAIT_S)
        body = memoryview(bytearray(length))
        _fill(sock, body)
    except TimeoutError as error:
        raise Ended("no whole message came in time") from error
    except OSError as error:
        raise Ended(f"the connection broke: {error}") from error
    return body


def _fill(sock: socket.socket, into: memoryview) -> None:
    while into:
        count = sock.recv_into(into)
        if count == 0:
            raise Ended("the other side closed the connection")
        into = into[count:]
