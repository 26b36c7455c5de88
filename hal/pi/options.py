"""What is set for the real parts: the sections of the settings file (`[unit.pi.display]` ...), as plain values.

Pins are BCM numbers (GPIO17 is pin 11 of the header). `read` makes a struct from what `hal.backends` was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from hal.errors import HalReason, PartMissing

Chip = Literal["ssd1306", "ssd1309", "sh1106"]
Bus = Literal["i2c", "spi"]
Layout = Literal["us", "jp"]
Pin = Annotated[int, Meta(ge=0, le=27)]
T = TypeVar("T", bound=msgspec.Struct)


class CameraOptions(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[unit.pi.camera]: the camera module, by picamera2."""

    number: Annotated[int, Meta(ge=0, le=7, description="Which camera, as `rpicam-hello --list-cameras` counts.")] = 0
    width_px: Annotated[int, Meta(ge=320, le=2048, description="Width of a frame.")] = 1280
    height_px: Annotated[int, Meta(ge=240, le=2048, description="Height of a frame.")] = 720
    idle_fps: Annotated[int, Meta(ge=1, le=60, description="Frames a second while nothing moves.")] = 8
    fast_fps: Annotated[int, Meta(ge=1, le=60, description="Frames a second while something is held up.")] = 30
    exposure_ev: Annotated[
        float, Meta(ge=-4, le=4, description="Exposure against the automatic's, in stops; phones' screens are bright.")
    ] = -0.5


class DisplayOptions(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[unit.pi.display]: the OLED of 128x64 pixels, by luma.oled."""

    chip: Annotated[Chip, Meta(description="The display's controller.")] = "ssd1306"
    bus: Annotated[Bus, Meta(description="How it is wired.")] = "i2c"
    i2c_port: Annotated[int, Meta(ge=0, le=31, description="The bus: N of /dev/i2c-N.")] = 1
    i2c_address: Annotated[int, Meta(ge=8, le=119, description="60 (0x3C) or 61 (0x3D).")] = 0x3C
    spi_port: Annotated[int, Meta(ge=0, le=9, description="The bus: N of /dev/spidevN.M.")] = 0
    spi_device: Annotated[int, Meta(ge=0, le=9, description="The chip select: M of /dev/spidevN.M.")] = 0
    spi_mhz: Annotated[Literal[1, 2, 4, 8, 16], Meta(description="Clock of the SPI bus, MHz.")] = 8
    dc_pin: Annotated[Pin, Meta(description="SPI: GPIO of the data/command line.")] = 24
    reset_pin: Annotated[Pin, Meta(description="SPI: GPIO of the reset line.")] = 25
    contrast: Annotated[int, Meta(ge=1, le=255, description="Brightness; less lets the pixels live longer.")] = 160
    upside_down: Annotated[bool, Meta(description="The display is mounted with its connector below.")] = False


class IndicatorOptions(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[unit.pi.indicators]: lights, buzzer and buttons on GPIO."""

    red_pin: Annotated[Pin, Meta(description="GPIO of the red light.")] = 17
    green_pin: Annotated[Pin, Meta(description="GPIO of the green light.")] = 27
    blue_pin: Annotated[Pin, Meta(description="GPIO of the blue light.")] = 22
    buzzer_pin: Annotated[Pin, Meta(description="GPIO of the passive buzzer.")] = 18
    left_pin: Annotated[Pin, Meta(description="GPIO of the left button, to ground.")] = 5
    right_pin: Annotated[Pin, Meta(description="GPIO of the right button, to ground.")] = 6
    lit_by_low: Annotated[bool, Meta(description="The lights' common wire is plus: low lights them.")] = False


class ClockOptions(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The system's clock has nothing to be set."""


class WedgeOptions(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[unit.scanners.wedge]: a hand scanner that types like a USB keyboard."""

    device: Annotated[
        str, Meta(description="Its event device, best by name: /dev/input/by-id/usb-...-event-kbd; empty: none.")
    ] = ""
    layout: Annotated[Layout, Meta(description="The keyboard that the scanner was set to be.")] = "us"


class SerialOptions(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[unit.scanners.serial]: a hand scanner that speaks over a serial port (or USB-COM)."""

    device: Annotated[str, Meta(description="Its port, best by name: /dev/serial/by-id/usb-...; empty: none.")] = ""
    baud: Annotated[int, Meta(ge=300, le=4_000_000, description="Its speed.")] = 9_600


class PiParts(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[unit.pi]: the real parts of a Raspberry Pi."""

    camera: CameraOptions = CameraOptions()
    display: DisplayOptions = DisplayOptions()
    indicators: IndicatorOptions = IndicatorOptions()


class Scanners(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[unit.scanners]: hand scanners beside the camera."""

    wedge: WedgeOptions = WedgeOptions()
    serial: SerialOptions = SerialOptions()


def read(kind: type[T], options: Mapping[str, object]) -> T:
    """`options` as a `kind`. Raises PartMissing for what is none."""
    try:
        return msgspec.convert(dict(options), kind)
    except msgspec.ValidationError as error:
        raise PartMissing(HalReason.NOT_FOUND, f"{kind.__name__}: {error}") from error
