"""The port: all that a virtual part can ask of its world, and nothing else.

`world.WorldPort` answers in memory, `link.Link` over a unix socket. Raw pixels, card pages and clock settings
go through it; no call carries decoded text towards the unit, so that the one way in is the camera.

What can fail: every call may raise PartFailed (the part is broken, or the world is gone); the card's calls
raise CardGone and CardRefused too. Wrong sizes, pages and durations are the caller's fault: ValueError. This
is stricter than hardware, which would take them and misbehave.

No numpy here: the unit's own process never touches a frame, and should not pay for the import.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol, runtime_checkable

import msgspec

from hal.display import HEIGHT_PX, WIDTH_PX
from hal.events import ButtonPressed, CardPresented, CardRemoved
from hal.indicators import LONGEST_MS, Light, Sound

PIXELS_BYTES: Final = WIDTH_PX * HEIGHT_PX // 8  # rows from the top, 8 pixels a byte, leftmost in the high bit
EVENTS_MAX: Final = 64  # card and button events that wait for one unit; the oldest fall off
FRAME_SIDE_MAX_PX: Final = 2048
FRAME_BYTES_MAX: Final = FRAME_SIDE_MAX_PX * FRAME_SIDE_MAX_PX
FRAME_INTERVAL_MS: Final = 100
FRAME_WAIT_MAX_S: Final = 5.0
HANG_MAX_S: Final = 3600.0  # how long a camera that hangs keeps its caller


class RawFrame(NamedTuple):
    """One grey picture: `grey` has width x height bytes, rows from the top."""

    number: int
    mono_ms: int  # CLOCK_MONOTONIC, shared by all processes of the machine
    width_px: int
    height_px: int
    grey: memoryview


class ClockSetting(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """How the unit's clock stands to the real one.

    wall = real wall + offset_ms + (mono - anchor_mono_ms) * rate_ppm / 1_000_000.
    """

    offset_ms: int = 0
    rate_ppm: int = 0  # -1_000_000 stands still
    anchor_mono_ms: int = 0
    synchronised: bool = True
    error_ms: int = 20

    def wall_ms(self, real_wall_ms: int, mono_ms: int) -> int:
        return real_wall_ms + self.offset_ms + (mono_ms - self.anchor_mono_ms) * self.rate_ppm // 1_000_000


@runtime_checkable
class Port(Protocol):
    """One unit's way to its world. Safe to call from several threads."""

    def show(self, pixels: bytes) -> None:
        """Put PIXELS_BYTES on the display; returns when they are visible."""

    def signal(self, light: Light, sound: Sound, duration_ms: int) -> None:
        """1 <= duration_ms <= LONGEST_MS; the light is dark again after it."""

    def card_events(self) -> list[CardPresented | CardRemoved]: ...

    def card_read(self, uid: bytes, page: int, pages: int) -> bytes: ...

    def card_write(self, uid: bytes, page: int, data: bytes) -> None: ...

    def card_authenticate(self, uid: bytes, password: bytes) -> bytes: ...

    def card_counter(self, uid: bytes, number: int) -> int: ...

    def button_events(self) -> list[ButtonPressed]: ...

    def clock_setting(self) -> ClockSetting:
        """Never fails: while the world is gone, the setting that it last had."""

    def frame(self, after: int, timeout_s: float) -> RawFrame | None:
        """The newest frame with a number above `after`; None when none came in `timeout_s` (at most
        FRAME_WAIT_MAX_S)."""

    def close(self) -> None: ...


def check_pixels(pixels: bytes) -> None:
    """Raises ValueError."""
    if len(pixels) != PIXELS_BYTES:
        raise ValueError(f"a display frame has {PIXELS_BYTES} bytes, not {len(pixels)}")


def check_duration(duration_ms: int) -> None:
    """Raises ValueError."""
    if not 1 <= duration_ms <= LONGEST_MS:
        raise ValueError(f"a signal lasts 1 to {LONGEST_MS} ms, not {duration_ms}")


def check_frame_wait(timeout_s: float) -> None:
    """Raises ValueError."""
    if not 0 <= timeout_s <= FRAME_WAIT_MAX_S:
        raise ValueError(f"a frame is waited for 0 to {FRAME_WAIT_MAX_S} s, not {timeout_s}")
