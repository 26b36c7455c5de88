"""Each part on each backend, on a stand: with an eye on it and a hand on the world around it, for the contract suites.

`virtual-*` stand in a World; `pi-*` are the real drivers over models at the edge where Python ends
(`tests/pi_models`); `pi` is the real thing (`--hardware`): it is opened by the settings file that TOKUTEN_HARDWARE
names, and a person answers what they see (run it with `-s`).
"""

from __future__ import annotations

import errno
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from hal.backends import Options, open_camera, open_display, open_indicators
from hal.camera import Camera
from hal.display import Display
from hal.errors import HalReason
from hal.indicators import Indicators, Light, Sound
from hal.pi.display import PiDisplay
from hal.pi.indicators import TONES
from hal.pi.options import IndicatorOptions
from hal.virtual.link import serve
from hal.virtual.world import Part, Played, World
from tests.pi_models.buses import Wires, plug_i2c, plug_spi
from tests.pi_models.cameras import Scene, plug_camera
from tests.pi_models.lines import Lines, plug_gpio
from tests.pi_models.oled import Oled

HARDWARE = pytest.param("pi", marks=pytest.mark.hardware)
VIRTUAL = ("virtual-memory", "virtual-link")
CHIPS = [f"pi-{chip}-{bus}" for bus in ("i2c", "spi") for chip in ("ssd1306", "ssd1309", "sh1106")]
DISPLAYS = [*VIRTUAL, *CHIPS, HARDWARE]
INDICATORS = [*VIRTUAL, "pi-lines", HARDWARE]
CAMERAS = [*VIRTUAL, "pi-model", HARDWARE]
PINS = IndicatorOptions()


class DisplayStand(ABC):
    display: Display

    @abstractmethod
    def shows(self, picture: Image.Image) -> bool:
        """Whether that is what a person sees."""

    @abstractmethod
    def break_part(self) -> None: ...

    @abstractmethod
    def heal_part(self) -> None: ...


class IndicatorStand(ABC):
    indicators: Indicators

    @abstractmethod
    def light(self) -> Light | None:
        """What is lit; None: colours that no light of ours has."""

    @abstractmethod
    def heard(self) -> list[Sound]:
        """The sounds that were begun so far."""

    @abstractmethod
    def press(self, button: int) -> None: ...

    @abstractmethod
    def break_part(self) -> None: ...

    @abstractmethod
    def heal_part(self) -> None: ...


class CameraStand(ABC):
    camera: Camera

    @abstractmethod
    def hold_up(self, picture: Image.Image) -> None: ...

    @abstractmethod
    def break_part(self) -> None: ...


# --- in a world -----------------------------------------------------------------------------------------


class VirtualStand(DisplayStand, IndicatorStand, CameraStand):
    def __init__(self, world: World, options: list[Options], stack: ExitStack) -> None:
        self.world = world
        self._heard: list[Sound] = []
        stack.callback(world.observe(lambda e: self._heard.append(e.sound) if isinstance(e, Played) else None))
        self.display = open_display("virtual", options[0])
        stack.callback(self.display.close)
        self.indicators = open_indicators("virtual", options[1])
        stack.callback(self.indicators.close)
        self.camera = stack.enter_context(open_camera("virtual", options[2]))

    def shows(self, picture: Image.Image) -> bool:
        return self.world.look().pixels == picture.tobytes()

    def light(self) -> Light:
        return self.world.look().light

    def heard(self) -> list[Sound]:
        return self._heard

    def press(self, button: int) -> None:
        self.world.press_button(button)

    def hold_up(self, picture: Image.Image) -> None:
        self.world.show_picture(picture)

    def break_part(self) -> None:
        for part in (Part.DISPLAY, Part.INDICATORS, Part.CAMERA):
            self.world.break_part(part, HalReason.NO_ANSWER)

    def heal_part(self) -> None:
        for part in (Part.DISPLAY, Part.INDICATORS, Part.CAMERA):
            self.world.heal_part(part)


@contextmanager
def virtual_stand(name: str, folder: Path) -> Iterator[VirtualStand]:
    world = World(lens_seed=7)
    with ExitStack() as stack:
        if name == "virtual-link":
            stack.enter_context(serve(world, folder / "world"))
        options: list[Options] = [
            {"socket": str(folder / "world")} if name == "virtual-link" else {"port": world.port()} for _ in range(3)
        ]
        yield VirtualStand(world, options, stack)


# --- over models ----------------------------------------------------------------------------------------


class ModelDisplay(DisplayStand):
    """`name`: pi-CHIP-BUS."""

    display: PiDisplay

    def __init__(self, name: str, patch: pytest.MonkeyPatch, **options: object) -> None:
        _, chip, bus = name.split("-")
        self.oled, self.lines = Oled(chip), Lines()
        self.wires = Wires(self.oled)
        plug_gpio(patch, self.lines)
        if bus == "i2c":
            plug_i2c(patch, self.wires)
        else:
            plug_spi(patch, self.wires, lambda: self.lines.levels[24])
        self.options = {"chip": chip, "bus": bus, **options}
        self.display = self.opened()

    def opened(self) -> PiDisplay:
        """By its name, as the unit does it."""
        display = open_display("pi", self.options)
        assert isinstance(display, PiDisplay)
        return display

    def shows(self, picture: Image.Image) -> bool:
        return self.oled.look() == picture.tobytes()

    def break_part(self) -> None:
        self.wires.error = errno.EREMOTEIO

    def heal_part(self) -> None:
        self.wires.error, self.wires.fail_after = 0, None


class ModelIndicators(IndicatorStand):
    def __init__(self, patch: pytest.MonkeyPatch, **options: object) -> None:
        self.lines = Lines()
        plug_gpio(patch, self.lines)
        self.lit_by = 0 if options.get("lit_by_low") else 1
        self.indicators = open_indicators("pi", options)

    def light(self) -> Light | None:
        red, green, blue = (
            self.lines.levels[pin] == self.lit_by for pin in (PINS.red_pin, PINS.green_pin, PINS.blue_pin)
        )
        return {
            (False, False, False): Light.OFF,
            (True, False, False): Light.RED,
            (False, True, False): Light.GREEN,
            (True, True, False): Light.AMBER,
            (False, False, True): Light.BLUE,
        }.get((red, green, blue))

    def heard(self) -> list[Sound]:
        begun = [hz for pin, hz, duty in self.lines.waves if pin == PINS.buzzer_pin and duty]
        first = {tones[0].hz: sound for sound, tones in TONES.items() if tones}
        return [first[round(hz)] for hz in begun if round(hz) in first]

    def press(self, button: int) -> None:
        self.lines.press((PINS.left_pin, PINS.right_pin)[button])

    def break_part(self) -> None:
        self.lines.broken = True

    def heal_part(self) -> None:
        self.lines.broken = False


class ModelCamera(CameraStand):
    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.scene = Scene()
        plug_camera(patch, self.scene)
        self.camera = open_camera("pi", {})

    def hold_up(self, picture: Image.Image) -> None:
        self.scene.picture = picture

    def break_part(self) -> None:
        self.scene.broken = True


# --- the real thing -------------------------------------------------------------------------------------


def asked(question: str) -> bool:
    return input(f"\n{question} [y/n] ").strip().lower() == "y"


def told(wish: str) -> None:
    input(f"\n{wish}, then press Enter. ")


def set_for_hardware(part: str, section: str = "pi") -> Options:
    """The part's options in the settings file of this Pi."""
    from cli.settings import load
    from edge_agent.settings import UnitSettings

    settings = load("unit", UnitSettings, Path(os.environ["TOKUTEN_HARDWARE"]))
    options: Options = msgspec.to_builtins(getattr(getattr(settings, section), part))
    return options


class RealDisplay(DisplayStand):
    def __init__(self) -> None:
        self.display = open_display("pi", set_for_hardware("display"))

    def shows(self, picture: Image.Image) -> bool:
        lit = picture.getbbox()
        return asked(
            "Is the display dark?" if lit is None else f"Is there a picture, its box from {lit[:2]} to {lit[2:]}?"
        )

    def break_part(self) -> None:
        told("Unplug the display")

    def heal_part(self) -> None:
        told("Plug the display in again")


class RealIndicators(IndicatorStand):
    def __init__(self) -> None:
        self.indicators = open_indicators("pi", set_for_hardware("indicators"))

    def light(self) -> Light:
        return Light(input(f"\nWhich light is on? {[light.value for light in Light]} ").strip())

    def heard(self) -> list[Sound]:
        return [Sound(word) for word in input(f"\nWhich sounds were played? {[s.value for s in Sound]} ").split()]

    def press(self, button: int) -> None:
        told(f"Press the {('left', 'right')[button]} button")

    def break_part(self) -> None:
        pytest.skip("GPIO can't be unplugged")

    def heal_part(self) -> None:
        """Nothing was broken."""


class RealCamera(CameraStand):
    def __init__(self) -> None:
        self.camera = open_camera("pi", set_for_hardware("camera"))

    def hold_up(self, picture: Image.Image) -> None:
        told("Hold a white sheet before the camera")
        self.camera.read(2.0)

    def break_part(self) -> None:
        told("Pull out the camera's cable")
