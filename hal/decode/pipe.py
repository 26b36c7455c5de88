"""What the camera process and the unit's process say to each other, and how it lies in a pipe.

A message is four bytes of length (big-endian) and a MessagePack array whose first element names its type.
Frames never travel here: upwards go scans and signs of life, downwards the one `Open` and requests to keep a
frame. The end of the stream means that the other process is gone.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import msgspec

from hal.events import Scanned

MESSAGE_BYTES_MAX: Final = 64 * 1024
_LENGTH: Final = struct.Struct(">I")


class BadPipe(ValueError):
    """Bytes that are no message of ours; the text says why. The stream can't be trusted any further."""


class _Message(msgspec.Struct, array_like=True):
    pass


# unit -> camera process


class Open(_Message, tag="open"):
    """The first message: which camera, and whether frames of refused scans are kept."""

    camera: str  # name of a backend (hal.backends)
    options: dict[str, Any]
    keep_frames_s: int  # 0: none
    frames_folder: str
    also: list[str] = []  # formats that are switched on beside the usual ones


class Keep(_Message, tag="keep"):
    frame: int  # number of the frame; 0: the newest


Downward = Open | Keep

# camera process -> unit


class Alive(_Message, tag="alive"):
    """Sent at least every `BEAT_S`; `frame` is the number of the newest frame, 0 while there was none."""

    frame: int


class Saw(_Message, tag="saw"):
    scan: Scanned


class Failed(_Message, tag="failed"):
    """The camera can't go on; the process ends after this."""

    reason: str  # hal.errors.HalReason
    detail: str


class Note(_Message, tag="note"):
    """Something for the log."""

    text: str


Upward = Alive | Saw | Failed | Note
BEAT_S: Final = 1.0

_encoder: Final = msgspec.msgpack.Encoder()


def pack(message: Upward | Downward) -> bytes:
    """Raises ValueError for a message that is too long."""
    body = _encoder.encode(message)
    if len(body) > MESSAGE_BYTES_MAX:
        raise ValueError(f"a message of {len(body)} bytes; {MESSAGE_BYTES_MAX} are the most")
    return _LENGTH.pack(len(body)) + body


class Unpacker:
    """Bytes in any pieces -> messages of the union `kind`."""

    def __init__(self, kind: Any) -> None:
        self._decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(kind)
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """The messages that are whole now. Raises BadPipe."""
        self._buffer += data
        out: list[Any] = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > MESSAGE_BYTES_MAX:
                raise BadPipe(f"a message of {length} bytes; {MESSAGE_BYTES_MAX} are the most")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            body = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            try:
                out.append(self._decoder.decode(body))
            except msgspec.MsgspecError as error:
                raise BadPipe(f"not a message: {error}") from error
        return out
