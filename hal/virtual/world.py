"""The world of one virtual unit, in memory: its parts' state, and what a person or a test does to them.

Two sides, strictly apart. `World` has the controls: show a picture, insert a card, press a button, set the
clock, break a part, cut the power; and it is watched by observers. `World.port()` gives a `WorldPort`, the
only thing that parts (or `link.serve`, on behalf of another process) ever hold; it has no controls.

Stricter than hardware: a wrong size, mode or duration raises ValueError where a real part would misbehave.
Outputs fall back by themselves: a light is dark after its duration, whoever set it and whether or not they live.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hal.card import PAGE_BYTES
from hal.errors import CardGone, HalReason, PartFailed
from hal.events import ButtonPressed, CardPresented, CardRemoved
from hal.indicators import Light, Sound
from hal.virtual.lens import Pose
from hal.virtual.port import (
    EVENTS_MAX,
    HANG_MAX_S,
    PIXELS_BYTES,
    ClockSetting,
    RawFrame,
    check_duration,
    check_pixels,
)
from hal.virtual.source import Source
from hal.virtual.tag import Tag

BUTTONS: Final = 2  # 0 left, 1 right
OBSERVERS_MAX: Final = 64
DARK: Final = bytes(PIXELS_BYTES)


class Part(StrEnum):
    """What can be broken; the names of `hal.events.PartFault`."""

    CAMERA = "camera"
    CARD = "card"
    DISPLAY = "display"
    INDICATORS = "indicators"


class Shown(NamedTuple):
    """The display shows other pixels (PIXELS_BYTES, as `port` lays them out)."""

    pixels: bytes


class Lit(NamedTuple):
    """The light was set; it is dark again after `duration_ms`."""

    light: Light
    duration_ms: int


class Played(NamedTuple):
    sound: Sound


class CardMoved(NamedTuple):
    """A card came (its UID) or went (None)."""

    uid: bytes | None


WorldEvent = Shown | Lit | Played | CardMoved
Observer = Callable[[WorldEvent], None]


class Look(NamedTuple):
    """The unit as a person sees it at one instant."""

    pixels: bytes
    light: Light
    light_left_ms: int
    card_uid: bytes | None


class World:
    """The controls. Safe to call from several threads."""

    def __init__(self, lens_seed: int = 0) -> None:
        self._state = _State(lens_seed)

    def port(self, *, hangs: bool = True) -> WorldPort:
        """A port for the parts of one unit process. A card that lies in the slot is presented to it first.
        With `hangs`, a camera that is HUNG keeps its caller; without, it raises (for `link`, which then hangs
        in the unit's process instead of here)."""
        return WorldPort(self._state, hangs)

    # -- watching

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Call `observer` with each event, in order, from the thread that caused it, until the returned
        function is called. It must return at once and must not call the World. Raises ValueError past
        OBSERVERS_MAX."""
        state = self._state
        with state.lock:
            if len(state.observers) >= OBSERVERS_MAX:
                raise ValueError(f"a world has at most {OBSERVERS_MAX} observers")
            state.observers.append(observer)

        def stop() -> None:
            with state.lock:
                if observer in state.observers:
                    state.observers.remove(observer)

        return stop

    def look(self) -> Look:
        with self._state.lock:
            left_ms = max(0, self._state.light_until_ms - _mono_ms())
            light = self._state.light if left_ms else Light.OFF
            tag = self._state.tag
            return Look(self._state.pixels, light, left_ms, tag.uid if tag else None)

    def camera_view(self) -> RawFrame | None:
        """The frame that the unit's camera was given last; None before the first."""
        return self._state.source.newest

    # -- what is held in front of the camera

    def show_picture(self, picture: Image.Image, pose: Pose | None = None) -> None:
        """Hold a picture in front of the camera; `None` keeps the pose. Raises ValueError for a wrong pose."""
        self._state.source.show(picture, pose)

    def show_nothing(self) -> None:
        """Take it away: the empty counter."""
        self._state.source.show(None, None)

    def set_pose(self, pose: Pose) -> None:
        self._state.source.set_pose(pose)

    def feed_webcam(self, grey: NDArray[np.uint8]) -> None:
        """A frame of a real camera, in place of a picture, until the next `show_picture` or `show_nothing`."""
        self._state.source.feed(grey)

    # -- cards and buttons

    def insert_card(self, tag: Tag) -> None:
        """Raises ValueError when a card is in the slot already."""
        with self._state.lock:
            if self._state.tag is not None:
                raise ValueError("there is a card in the slot already")
            self._state.tag, self._state.tear_after = tag, None
            self._state.post(CardPresented(uid=tag.uid, record=tag.user_memory))
            self._state.tell(CardMoved(tag.uid))

    def remove_card(self) -> None:
        """Raises ValueError when there is none."""
        with self._state.lock:
            self._state.take_card()

    def tear_card(self, after_bytes: int = 2) -> None:
        """Pull the card out in the middle of the next write, when `after_bytes` (0..3) of the page are new."""
        if not 0 <= after_bytes < PAGE_BYTES:
            raise ValueError(f"a write is torn after 0 to {PAGE_BYTES - 1} bytes, not {after_bytes}")
        with self._state.lock:
            if self._state.tag is None:
                raise ValueError("there is no card to tear out")
            self._state.tear_after = after_bytes

    def press_button(self, button: int) -> None:
        if not 0 <= button < BUTTONS:
            raise ValueError(f"buttons are numbered 0 to {BUTTONS - 1}, not {button}")
        with self._state.lock:
            self._state.post(ButtonPressed(button=button))

    # -- the clock

    def set_clock_offset(self, offset_ms: int) -> None:
        """Put the unit's clock this far ahead of the real one (negative: behind) from now on."""
        with self._state.lock:
            self._set_clock(offset_ms, self._state.clock.rate_ppm)

    def set_clock_rate(self, rate_ppm: int) -> None:
        """Let the unit's clock run faster (or slower) by so many millionths; -1_000_000 freezes it."""
        if rate_ppm < -1_000_000:
            raise ValueError("a clock can stand still (-1_000_000 ppm), but not run backwards")
        with self._state.lock:
            self._set_clock(self._state.clock.wall_ms(0, _mono_ms()), rate_ppm)

    def set_synchronised(self, synchronised: bool, error_ms: int = 20) -> None:
        """Whether the system says that a time source disciplines the clock, and to within what."""
        with self._state.lock:
            was = self._state.clock
            self._state.clock = ClockSetting(
                offset_ms=was.offset_ms,
                rate_ppm=was.rate_ppm,
                anchor_mono_ms=was.anchor_mono_ms,
                synchronised=synchronised,
                error_ms=error_ms if synchronised else 0,
            )

    def _set_clock(self, offset_ms: int, rate_ppm: int) -> None:
        was = self._state.clock
        self._state.clock = ClockSetting(
            offset_ms=offset_ms,
            rate_ppm=rate_ppm,
            anchor_mono_ms=_mono_ms(),
            synchronised=was.synchronised,
            error_ms=was.error_ms,
        )

    # -- misfortune

    def break_part(self, part: Part, reason: HalReason = HalReason.NO_ANSWER) -> None:
        """From now on the part fails with `reason`; a camera that is HUNG never answers at all."""
        with self._state.lock:
            self._state.broken[part] = reason

    def heal_part(self, part: Part) -> None:
        with self._state.lock:
            self._state.broken.pop(part, None)
            self._state.healed.notify_all()

    def cut_power(self) -> None:
        """Display and light go dark at once. (The unit's process is killed by whoever started it.)"""
        with self._state.lock:
            self._state.pixels, self._state.light, self._state.light_until_ms = DARK, Light.OFF, 0
            self._state.tell(Shown(DARK))
            self._state.tell(Lit(Light.OFF, 0))


class WorldPort:
    """A `port.Port` straight into the world's memory."""

    def __init__(self, state: _State, hangs: bool) -> None:
        self._state = state
        self._hangs = hangs
        self._cards: deque[CardPresented | CardRemoved] = deque(maxlen=EVENTS_MAX)
        self._buttons: deque[ButtonPressed] = deque(maxlen=EVENTS_MAX)
        with state.lock:
            if state.tag is not None:
                self._cards.append(CardPresented(uid=state.tag.uid, record=state.tag.user_memory))
            state.ports.append(self)

    def show(self, pixels: bytes) -> None:
        check_pixels(pixels)
        with self._state.lock:
            self._state.check(Part.DISPLAY)
            self._state.pixels = bytes(pixels)
            self._state.tell(Shown(self._state.pixels))

    def signal(self, light: Light, sound: Sound, duration_ms: int) -> None:
        check_duration(duration_ms)
        with self._state.lock:
            self._state.check(Part.INDICATORS)
            self._state.light, self._state.light_until_ms = light, _mono_ms() + duration_ms
            self._state.tell(Lit(light, duration_ms))
            if sound is not Sound.NONE:
                self._state.tell(Played(sound))

    def card_events(self) -> list[CardPresented | CardRemoved]:
        with self._state.lock:
            self._state.check(Part.CARD)
            events = list(self._cards)
            self._cards.clear()
            return events

    def card_read(self, uid: bytes, page: int, pages: int) -> bytes:
        with self._state.lock:
            return self._card(uid).read(page, pages)

    def card_write(self, uid: bytes, page: int, data: bytes) -> None:
        with self._state.lock:
            tag, tear_after = self._card(uid), self._state.tear_after
            tag.write(page, data, torn_after=tear_after)
            if tear_after is not None:
                self._state.take_card()
                raise CardGone(HalReason.CARD_GONE, f"the card was pulled out while page {page} was written")

    def button_events(self) -> list[ButtonPressed]:
        with self._state.lock:
            self._state.check(Part.INDICATORS)
            events = list(self._buttons)
            self._buttons.clear()
            return events

    def clock_setting(self) -> ClockSetting:
        with self._state.lock:
            return self._state.clock

    def frame(self, after: int, timeout_s: float) -> RawFrame | None:
        broken = self._state.broken
        with self._state.lock:
            if self._hangs:
                self._state.healed.wait_for(lambda: broken.get(Part.CAMERA) is not HalReason.HUNG, HANG_MAX_S)
            self._state.check(Part.CAMERA)
        return self._state.source.frame(after, timeout_s)

    def close(self) -> None:
        with self._state.lock:
            if self in self._state.ports:
                self._state.ports.remove(self)

    def _card(self, uid: bytes) -> Tag:
        self._state.check(Part.CARD)
        if self._state.tag is None or self._state.tag.uid != uid:
            raise CardGone(HalReason.CARD_GONE, f"the card {uid.hex()} is not in the slot")
        return self._state.tag

    def _post(self, event: CardPresented | CardRemoved | ButtonPressed) -> None:
        if isinstance(event, ButtonPressed):
            self._buttons.append(event)
        else:
            self._cards.append(event)


class _State:
    """What both sides share. Everything in it is touched with `lock` held."""

    def __init__(self, lens_seed: int) -> None:
        self.lock = threading.RLock()
        self.source = Source(lens_seed)
        self.pixels = DARK
        self.light = Light.OFF
        self.light_until_ms = 0
        self.tag: Tag | None = None
        self.tear_after: int | None = None
        self.clock = ClockSetting()
        self.broken: dict[Part, HalReason] = {}
        self.healed = threading.Condition(self.lock)
        self.observers: list[Observer] = []
        self.ports: list[WorldPort] = []

    def check(self, part: Part) -> None:
        if part in self.broken:
            raise PartFailed(self.broken[part], f"the virtual {part} is broken ({self.broken[part]})")

    def tell(self, event: WorldEvent) -> None:
        for observer in list(self.observers):
            observer(event)

    def post(self, event: CardPresented | CardRemoved | ButtonPressed) -> None:
        for port in self.ports:
            port._post(event)

    def take_card(self) -> None:
        if self.tag is None:
            raise ValueError("there is no card in the slot")
        uid, self.tag, self.tear_after = self.tag.uid, None, None
        self.post(CardRemoved(uid=uid))
        self.tell(CardMoved(None))


def _mono_ms() -> int:
    return time.monotonic_ns() // 1_000_000
