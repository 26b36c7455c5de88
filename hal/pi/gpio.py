"""RPi.GPIO, as far as it is used here, opened on the chip that carries the header, and its errors translated.

The module of that name comes from rpi-lgpio (any board, `/dev/gpiochipN`); the old RPi.GPIO has the same words and does
not drive a Pi 5. Neither can be imported away from a Pi. What can fail: PartMissing, PartFailed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, cast

from hal.errors import HalReason, PartFailed, PartMissing
from hal.pi import gpiochip


class Pwm(Protocol):
    def start(self, dc: float) -> None: ...

    def stop(self) -> None: ...

    def ChangeFrequency(self, frequency: float) -> None: ...


class Gpio(Protocol):
    """The words of RPi.GPIO that are used; a test holds them against the released package."""

    BCM: int
    OUT: int
    IN: int
    PUD_UP: int
    FALLING: int

    def setmode(self, new_mode: int) -> None: ...

    def setwarnings(self, value: bool) -> None: ...

    def setup(self, chanlist: int, direction: int, pull_up_down: int = ..., initial: int | None = None) -> None: ...

    def output(self, channel: int, value: int) -> None: ...

    def input(self, channel: int) -> int: ...

    def add_event_detect(
        self, channel: int, edge: int, callback: Callable[[int], None] | None = None, bouncetime: int | None = None
    ) -> None: ...

    def cleanup(self, chanlist: list[int] | None = None) -> None: ...

    def PWM(self, channel: int, frequency: float) -> Pwm: ...


def open_gpio() -> Gpio:
    """Raises PartMissing."""
    number = gpiochip.choose()
    with translated(opening=True):
        try:
            gpio = cast(Gpio, importlib.import_module("RPi.GPIO"))
        except ImportError as error:
            text = f"GPIO needs rpi-lgpio: pip install 'tokuten[pi]' ({error})"
            raise PartMissing(HalReason.NO_LIBRARY, text) from error
        except PermissionError as error:
            text = f"/dev/gpiochip{number}: not allowed; is the user in the group gpio?"
            raise PartMissing(HalReason.NOT_FOUND, text) from error
        gpio.setwarnings(False)  # pins that an earlier process left as outputs are expected
        gpio.setmode(gpio.BCM)
        return gpio


@contextmanager
def translated(*, opening: bool) -> Iterator[None]:
    kind = PartMissing if opening else PartFailed
    try:
        yield
    except (PartMissing, PartFailed):
        raise
    except _theirs() as error:
        reason = HalReason.NOT_FOUND if opening else HalReason.NO_ANSWER
        raise kind(reason, f"GPIO: {error}") from error


def _theirs() -> tuple[type[Exception], ...]:
    """What RPi.GPIO raises; lgpio, where it is loaded, has a class of its own that is a plain Exception."""
    error = getattr(sys.modules.get("lgpio"), "error", None)
    own = (error,) if isinstance(error, type) and issubclass(error, Exception) else ()
    return (RuntimeError, ValueError, OSError, *own)
