"""What the parts of a unit say: the events that go into the agent's inbox."""

from __future__ import annotations

import msgspec


class Scanned(msgspec.Struct, frozen=True, kw_only=True):
    """A barcode was read and accepted by the rules against misreads (`hal.decode.accept`).

    Times are milliseconds of the machine's monotonic clock (CLOCK_MONOTONIC, shared by all processes).
    """

    text: bytes  # the payload as it stands in the symbol, at most 4 KiB
    format: str  # hal.decode.Format value: 'qr', 'ean13' ...
    confirmed: bool = True  # False: an unsigned linear code seen in one picture only
    frame: int = 0  # number of the frame that decided
    seen_mono_ms: int = 0  # the first frame in which it stood
    decoded_mono_ms: int = 0


class CardPresented(msgspec.Struct, frozen=True, kw_only=True):
    uid: bytes  # 4 or 7 bytes
    record: bytes = b""  # the user's memory, as far as it could be read
    chip: str = ""  # loyalty.card_slots.Chip; empty: none that we know


class CardRemoved(msgspec.Struct, frozen=True, kw_only=True):
    uid: bytes


class ButtonPressed(msgspec.Struct, frozen=True, kw_only=True):
    button: int  # 0 left, 1 right


class PartFault(msgspec.Struct, frozen=True, kw_only=True):
    """A part stopped working. It is said once; `PartHealed` follows when it is back."""

    part: str  # 'camera', 'card', 'display', 'indicators', 'scanner wedge', 'scanner serial'
    reason: str  # hal.errors.HalReason
    detail: str


class PartHealed(msgspec.Struct, frozen=True, kw_only=True):
    part: str


HalEvent = Scanned | CardPresented | CardRemoved | ButtonPressed | PartFault | PartHealed
