"""Trying each part of a unit as its settings name it: the doing half of `tokuten doctor`.

A trial opens the part by its name, makes it do what it is for, and tells each step as it happens; a person looks
on. Each waits for a person no longer than `WAIT_S`. Raises HalError where a part is missing or fails.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Final

import msgspec
from PIL import Image, ImageDraw

from edge_agent.fittings import NO_PART, options
from edge_agent.settings import UnitSettings
from hal import backends
from hal.decode.process import START_S, CameraProcess
from hal.display import HEIGHT_PX, WIDTH_PX
from hal.errors import HalReason, PartFailed
from hal.events import CardPresented, HalEvent, PartFault, Scanned
from hal.indicators import Light, Sound
from loyalty.reason import log_prefix

WAIT_S: Final = 10.0
STEP_S: Final = 0.8
POLL_S: Final = 0.05

Trial = Callable[[UnitSettings], Iterator[str]]


def trials(settings: UnitSettings) -> dict[str, Trial]:
    """Those of the parts that this unit has."""
    found: dict[str, Trial] = {"clock": clock, "display": display, "indicators": indicators, "camera": camera}
    if settings.parts.card != NO_PART:
        found["card"] = card
    for name in backends.SCANNERS:
        if getattr(settings.scanners, name).device:
            found[f"scanner {name}"] = _scanner(name)
    return found


def dark(settings: UnitSettings) -> list[str]:
    """Lights out and the display off, after a unit that could not do it itself; what could not be done, in words."""
    told = []
    for part in ("indicators", "display"):
        name = getattr(settings.parts, part)
        opener = backends.open_display if part == "display" else backends.open_indicators
        try:
            opener(name, options(settings, name, part)).close()
        except OSError as error:  # HalError of a part is one
            told.append(f"{part}: {error}")
    return told


def clock(settings: UnitSettings) -> Iterator[str]:
    name = settings.parts.clock
    reading = backends.open_clock(name, options(settings, name, "clock")).read()
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(reading.wall_ms / 1000))
    trust = f"synchronised, at most {reading.error_ms} ms wrong" if reading.synchronised else "not synchronised"
    yield f"{at} UTC, {trust}"


def display(settings: UnitSettings) -> Iterator[str]:
    name = settings.parts.display
    with closing(backends.open_display(name, options(settings, name, "display"))) as shown:
        for what, picture in pictures():
            shown.show(picture)
            yield f"it shows {what}"
            time.sleep(STEP_S)


def pictures() -> Iterator[tuple[str, Image.Image]]:
    """What a person can judge: every pixel lit, none doubled, the right way up."""
    blank = Image.new("1", (WIDTH_PX, HEIGHT_PX))
    frame = blank.copy()
    draw = ImageDraw.Draw(frame)
    draw.rectangle((0, 0, WIDTH_PX - 1, HEIGHT_PX - 1), outline=1)
    draw.polygon([(64, 6), (56, 18), (72, 18)], fill=1)
    yield "a frame along its edge and an arrow that points up", frame
    rows = b"\xaa" * (WIDTH_PX // 8) + b"\x55" * (WIDTH_PX // 8)
    checks = Image.frombytes("1", (WIDTH_PX, HEIGHT_PX), rows * (HEIGHT_PX // 2))
    yield "every other pixel", checks
    yield "every pixel", Image.new("1", (WIDTH_PX, HEIGHT_PX), 1)
    yield "nothing", blank


def indicators(settings: UnitSettings) -> Iterator[str]:
    name = settings.parts.indicators
    with closing(backends.open_indicators(name, options(settings, name, "indicators"))) as lights:
        for light in (Light.RED, Light.GREEN, Light.BLUE, Light.AMBER):
            lights.signal(light, Sound.NONE, round(STEP_S * 1000))
            yield f"the light is {light}"
            time.sleep(STEP_S)
        for sound in (Sound.YES, Sound.NO, Sound.TICK):
            lights.signal(Light.OFF, sound, round(STEP_S * 1000))
            yield f"it sounds {sound}"
            time.sleep(STEP_S)
        yield f"press both buttons ({WAIT_S:.0f} s)"
        pressed: set[int] = set()
        end_s = time.monotonic() + WAIT_S
        while len(pressed) < 2 and time.monotonic() < end_s:
            for press in lights.buttons():
                pressed.add(press.button)
                yield f"pressed: {('left', 'right')[press.button]}"
            time.sleep(POLL_S)
        if len(pressed) < 2:
            yield f"{2 - len(pressed)} of the two buttons did not come; a unit without buttons is fine"


def camera(settings: UnitSettings) -> Iterator[str]:
    """In its own process, as in the unit: a driver that hangs is killed."""
    name = settings.parts.camera
    said: queue.Queue[HalEvent] = queue.Queue()
    watch = CameraProcess(name, options(settings, name, "camera"), said.put, also=settings.shop.symbols)
    with watch:
        yield f"the camera is being opened (at most {START_S:.0f} s)"
        end_s = time.monotonic() + START_S
        while not watch.newest_frame and time.monotonic() < end_s:
            _raise_fault(said)
            time.sleep(POLL_S)
        if not watch.newest_frame:
            raise PartFailed(HalReason.NO_ANSWER, f"the camera gave no frame in {START_S:.0f} s")
        yield f"frames come; hold a code before it ({WAIT_S:.0f} s)"
        event = _next(said, WAIT_S)
        if isinstance(event, Scanned):
            yield f"read: {event.format} {log_prefix(event.text)}"
        elif isinstance(event, PartFault):
            raise PartFailed(HalReason(event.reason), event.detail)
        else:
            yield "no code was seen"


def card(settings: UnitSettings) -> Iterator[str]:
    name = settings.parts.card
    with closing(backends.open_card(name, options(settings, name, "card"))) as reader:
        yield f"lay a card on the reader ({WAIT_S:.0f} s)"
        end_s = time.monotonic() + WAIT_S
        while time.monotonic() < end_s:
            for event in reader.poll():
                if isinstance(event, CardPresented):
                    chip = event.chip or "a chip that we do not know"
                    yield f"read: a card with {len(event.uid)} bytes of UID, {chip}"
                    return
            time.sleep(POLL_S)
        yield "no card came"


def _scanner(name: str) -> Trial:
    def trial(settings: UnitSettings) -> Iterator[str]:
        given: dict[str, object] = msgspec.to_builtins(getattr(settings.scanners, name))
        with closing(backends.open_scanner(name, given)) as scanner:
            yield f"scan a code ({WAIT_S:.0f} s)"
            end_s = time.monotonic() + WAIT_S
            while time.monotonic() < end_s:
                for scan in scanner.read(POLL_S * 10):
                    yield f"read: {scan.format or 'a code of a kind it did not name'} {log_prefix(scan.text)}"
                    return
            yield "no code came"

    return trial


def _next(said: queue.Queue[HalEvent], wait_s: float) -> HalEvent | None:
    try:
        return said.get(timeout=wait_s)
    except queue.Empty:
        return None


def _raise_fault(said: queue.Queue[HalEvent]) -> None:
    while not said.empty():
        event = said.get_nowait()
        if isinstance(event, PartFault):
            raise PartFailed(HalReason(event.reason), event.detail)
