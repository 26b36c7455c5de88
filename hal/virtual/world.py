"""The world of one virtual unit, in memory: its parts' state, and what a person or a test does to them.

Two sides, strictly apart. `World` has the controls: show a picture, insert a card, press a button, set the
clock, break a part, cut the power; and it is watched by observers. `World.port()` gives a `WorldPort`, the
only thing that parts (or `link.serve`, on behalf of another process) ever hold; it has no controls.

Stricter than hardware: a wrong size, mode or duration raises ValueError where a real part would misbehave.
Outputs fall back by themselves: a light is dark after its duration, whoever set it and whether or not they live.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hal.card import PAGE_BYTES
from hal.errors import HalReason
from hal.events import ButtonPressed
from hal.indicators import Light
from hal.virtual.lens import Pose
from hal.virtual.port import ClockSetting, RawFrame
from hal.virtual.state import (
    DARK,
    CardMoved,
    Lit,
    Observer,
    Part,
    Played,
    Shown,
    State,
    Tear,
    WorldEvent,
    WorldPort,
    mono_ms,
    presented,
)
from hal.virtual.tag import Tag

__all__ = [
    "DARK",
    "CardMoved",
    "Lit",
    "Look",
    "Observer",
    "Part",
    "Played",
    "Shown",
    "World",
    "WorldEvent",
    "WorldPort",
]

BUTTONS: Final = 2  # 0 left, 1 right
OBSERVERS_MAX: Final = 64


class Look(NamedTuple):
    """The unit as a person sees it at one instant."""

    pixels: bytes
    light: Light
    light_left_ms: int
    card_uid: bytes | None


class World:
    """The controls. Safe to call from several threads."""

    def __init__(self, lens_seed: int = 0) -> None:
        self._state = State(lens_seed)

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
            left_ms = max(0, self._state.light_until_ms - mono_ms())
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
            self._state.tag, self._state.tear, self._state.naks = tag, None, 0
            self._state.post(presented(tag))
            self._state.tell(CardMoved(tag.uid))

    def remove_card(self) -> None:
        """Raises ValueError when there is none."""
        with self._state.lock:
            self._state.take_card()

    def tear_card(self, after_bytes: int = 2, *, after_writes: int = 0) -> None:
        """Pull the card out in the middle of a write, when `after_writes` others are done and `after_bytes` (0..4) of
        this one's page are new; 4: all of them, and the card is gone before it could confirm."""
        if not 0 <= after_bytes <= PAGE_BYTES or after_writes < 0:
            raise ValueError(f"a write is torn after 0 to {PAGE_BYTES} bytes, not {after_bytes}")
        with self._state.lock:
            if self._state.tag is None:
                raise ValueError("there is no card to tear out")
            self._state.tear = Tear(after_writes, after_bytes)

    def refuse_card(self, calls: int = 1) -> None:
        """The card in the slot says NAK to so many of the next reads, writes and passwords."""
        if calls < 1:
            raise ValueError(f"a card refuses at least one call, not {calls}")
        with self._state.lock:
            if self._state.tag is None:
                raise ValueError("there is no card to refuse anything")
            self._state.naks = calls

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
            self._set_clock(self._state.clock.wall_ms(0, mono_ms()), rate_ppm)

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
            anchor_mono_ms=mono_ms(),
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
