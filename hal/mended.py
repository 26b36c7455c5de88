"""Parts that may be missing at the start, vanish, and come back: opened again without a restart.

A mended part is broken from the first error on: its calls raise PartFailed at once, without touching anything, while
the `Tender`'s thread opens it anew, after `RETRY_FIRST_S` doubling to `RETRY_MAX_S`. Each fault is said once
(PartFault), and the return once (PartHealed). A display that is back shows its last picture again; one that
works is renewed every `RENEW_S`, since its power may have been gone in between. While the display is out, the
lights say so (`ALARM`), when nothing else is lit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, Generic, Protocol, TypeVar, runtime_checkable

from PIL import Image

from hal.display import Display
from hal.errors import HalError, HalReason, PartFailed, PartMissing
from hal.events import ButtonPressed, PartFault, PartHealed
from hal.indicators import Indicators, Light, Sound

RETRY_FIRST_S: Final = 1.0
RETRY_MAX_S: Final = 15.0
RENEW_S: Final = 10.0
TEND_S: Final = 0.5
STOP_S: Final = 5.0
ALARM: Final = Light.AMBER
ALARM_MS: Final = 900

Sink = Callable[[PartFault | PartHealed], Any]
Clock = Callable[[], float]
T = TypeVar("T")


class Closable(Protocol):
    def close(self) -> None: ...


P = TypeVar("P", bound=Closable)


@runtime_checkable
class Renewable(Protocol):
    def renew(self) -> None:
        """Show the same again, also on a display whose power was gone. Raises PartFailed."""


class Mended(Generic[P]):
    """One part. Safe to call from several threads: one at a time uses it.

    Raises PartMissing at the start where a library is missing: that does not come back by itself.
    """

    def __init__(self, part: str, opener: Callable[[], P], clock_s: Clock = time.monotonic) -> None:
        self.part = part
        self._opener, self._clock_s = opener, clock_s
        self._using = threading.RLock()
        self._sink: Sink | None = None
        self._fault: PartFault | None = None
        self._retry_s, self._pause_s = 0.0, RETRY_FIRST_S
        self._closed = False
        self._open: P | None = None
        try:
            self._open = opener()
        except HalError as error:
            if error.reason is HalReason.NO_LIBRARY:
                raise
            self._lost(error)

    @property
    def broken(self) -> bool:
        return self._fault is not None

    def report_to(self, sink: Sink) -> None:
        """From now on; a fault of the start is said now."""
        with self._using:
            self._sink = sink
            if self._fault is not None:
                sink(self._fault)

    def use(self, action: Callable[[P], T]) -> T:
        """Raises PartFailed."""
        with self._using:
            if self._open is None:
                fault = self._fault
                raise PartFailed(
                    HalReason(fault.reason) if fault else HalReason.VANISHED, fault.detail if fault else "closed"
                )
            try:
                return action(self._open)
            except (PartFailed, PartMissing) as error:
                self._lost(error)
                raise

    def mend(self) -> bool:
        """Open it again, if that is due. True: it is back."""
        with self._using:
            if self._open is not None or self._closed or self._clock_s() < self._retry_s:
                return False
            try:
                self._open = self._opener()
            except HalError as error:
                self._again(error)
                return False
            self._fault, self._pause_s = None, RETRY_FIRST_S
            if self._sink is not None:
                self._sink(PartHealed(part=self.part))
            return True

    def close(self) -> None:
        with self._using:
            self._closed = True
            part, self._open = self._open, None
            if part is not None:
                part.close()

    def _lost(self, error: HalError) -> None:
        part, self._open = self._open, None
        if part is not None:
            with suppress(HalError):
                part.close()
        self._again(error)
        if self._sink is not None and self._fault is not None:
            self._sink(self._fault)

    def _again(self, error: HalError) -> None:
        """It stays broken, for the newest reason, until the next try."""
        self._fault = PartFault(part=self.part, reason=error.reason, detail=str(error))
        self._retry_s = self._clock_s() + self._pause_s
        self._pause_s = min(self._pause_s * 2, RETRY_MAX_S)


class MendedDisplay:
    """A `hal.display.Display`."""

    def __init__(self, opener: Callable[[], Display], clock_s: Clock = time.monotonic) -> None:
        self.mended = Mended("display", opener, clock_s)
        self._clock_s = clock_s
        self._picture: Image.Image | None = None
        self._renew_s = clock_s() + RENEW_S

    def show(self, image: Image.Image) -> None:
        self._picture = image
        self.mended.use(lambda display: display.show(image))

    def close(self) -> None:
        self.mended.close()

    def tend(self) -> None:
        with suppress(PartFailed):
            if self.mended.mend():
                if (picture := self._picture) is not None:
                    self.mended.use(lambda display: display.show(picture))
            elif not self.mended.broken and self._clock_s() >= self._renew_s:
                self.mended.use(lambda display: display.renew() if isinstance(display, Renewable) else None)
            else:
                return
            self._renew_s = self._clock_s() + RENEW_S


class MendedIndicators:
    """A `hal.indicators.Indicators`."""

    def __init__(self, opener: Callable[[], Indicators], clock_s: Clock = time.monotonic) -> None:
        self.mended = Mended("indicators", opener, clock_s)
        self._clock_s = clock_s
        self._lit_until_s = 0.0

    def signal(self, light: Light, sound: Sound, duration_ms: int) -> None:
        self._lit_until_s = self._clock_s() + duration_ms / 1000
        self.mended.use(lambda indicators: indicators.signal(light, sound, duration_ms))

    def buttons(self) -> list[ButtonPressed]:
        return self.mended.use(lambda indicators: indicators.buttons())

    def close(self) -> None:
        self.mended.close()

    def tend(self) -> None:
        self.mended.mend()

    def alarm(self) -> None:
        """Say that something is out of order, where no answer is lit."""
        if self._clock_s() >= self._lit_until_s:
            with suppress(PartFailed):
                self.mended.use(lambda indicators: indicators.signal(ALARM, Sound.NONE, ALARM_MS))


class Tender:
    """Looks after mended parts, on a thread of its own."""

    def __init__(self, display: MendedDisplay | None, indicators: MendedIndicators | None) -> None:
        self._display, self._indicators = display, indicators
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tender", daemon=True)

    def start(self, sink: Sink) -> None:
        for mended in self._parts():
            mended.report_to(sink)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(STOP_S)

    def tend(self) -> None:
        """One round."""
        if self._display is not None:
            self._display.tend()
        if self._indicators is not None:
            self._indicators.tend()
            if self._display is not None and self._display.mended.broken:
                self._indicators.alarm()

    def _parts(self) -> Sequence[Mended[Any]]:
        return [part.mended for part in (self._display, self._indicators) if part is not None]

    def _run(self) -> None:
        while not self._stop.wait(TEND_S):
            self.tend()
