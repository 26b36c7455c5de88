"""The unit's side of a virtual world: the state of its parts, and the port that parts have to it.

`World` (in `world`) has the controls over the same `State`; a `WorldPort` has none.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Final, NamedTuple

from hal.errors import CardGone, CardRefused, HalReason, PartFailed
from hal.events import ButtonPressed, CardPresented, CardRemoved
from hal.indicators import Light, Sound
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


class Tear(NamedTuple):
    """A hand that pulls the card out in the middle of a write."""

    writes: int  # so many writes are done before
    after_bytes: int  # of the page are new then


WorldEvent = Shown | Lit | Played | CardMoved
Observer = Callable[[WorldEvent], None]


class State:
    """What both sides share. Everything in it is touched with `lock` held."""

    def __init__(self, lens_seed: int) -> None:
        self.lock = threading.RLock()
        self.source = Source(lens_seed)
        self.pixels = DARK
        self.light = Light.OFF
        self.light_until_ms = 0
        self.tag: Tag | None = None
        self.tear: Tear | None = None
        self.naks = 0  # so many of the next calls to the card are refused
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
        uid, self.tag, self.tear, self.naks = self.tag.uid, None, None, 0
        self.post(CardRemoved(uid=uid))
        self.tell(CardMoved(None))


class WorldPort:
    """A `port.Port` straight into the world's memory."""

    def __init__(self, state: State, hangs: bool) -> None:
        self._state = state
        self._hangs = hangs
        self._cards: deque[CardPresented | CardRemoved] = deque(maxlen=EVENTS_MAX)
        self._buttons: deque[ButtonPressed] = deque(maxlen=EVENTS_MAX)
        with state.lock:
            if state.tag is not None:
                self._cards.append(presented(state.tag))
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
            self._state.light, self._state.light_until_ms = light, mono_ms() + duration_ms
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
            return self._willing(uid).read(page, pages)

    def card_write(self, uid: bytes, page: int, data: bytes) -> None:
        with self._state.lock:
            tag, tear = self._willing(uid), self._state.tear
            if tear is None or tear.writes > 0:
                tag.write(page, data)
                self._state.tear = None if tear is None else Tear(tear.writes - 1, tear.after_bytes)
                return
            tag.write(page, data, torn_after=tear.after_bytes)
            self._state.take_card()
            raise CardGone(HalReason.CARD_GONE, f"the card was pulled out while page {page} was written")

    def card_authenticate(self, uid: bytes, password: bytes) -> bytes:
        with self._state.lock:
            return self._willing(uid).authenticate(password)

    def card_counter(self, uid: bytes, number: int) -> int:
        with self._state.lock:
            return self._willing(uid).counter(number)

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

    def _willing(self, uid: bytes) -> Tag:
        """The card, unless it is to say no."""
        tag = self._card(uid)
        if self._state.naks > 0:
            self._state.naks -= 1
            tag.enter_field()  # a chip that said NAK must be selected anew
            raise CardRefused(HalReason.CARD_REFUSED, "the card said NAK")
        return tag

    def _post(self, event: CardPresented | CardRemoved | ButtonPressed) -> None:
        if isinstance(event, ButtonPressed):
            self._buttons.append(event)
        else:
            self._cards.append(event)


def presented(tag: Tag) -> CardPresented:
    """What a reader says of a tag that has come into its field."""
    tag.enter_field()
    return CardPresented(uid=tag.uid, record=tag.readable, chip=tag.chip)


def mono_ms() -> int:
    return time.monotonic_ns() // 1_000_000
