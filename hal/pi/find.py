"""What is plugged into this machine, where, and what to do about what is not: the looking half of `tokuten doctor`.

Files of the kernel are read below `root`, so that a test can hand in a tree of its own. Nothing is opened that could
hang this process or disturb a device: cameras are counted in a process of their own, I2C addresses are asked in the
way of `i2cdetect`. Nothing raises: what can't be found out is a finding.
"""

from __future__ import annotations

import importlib.util
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from hal.pi import gpiochip
from hal.pi.clock import PiClock

ROOT: Final = Path("/")
CAMERAS_S: Final = 20.0
I2C_FIRST, I2C_LAST = 0x08, 0x77
_READ_ONLY: Final = frozenset({*range(0x30, 0x38), *range(0x50, 0x60)})  # a quick write could change an EEPROM
_KNOWN: Final = {0x24: "PN532 card reader", 0x3C: "OLED", 0x3D: "OLED", 0x68: "real-time clock"}
_CAMERAS: Final = """
from picamera2 import Picamera2
for camera in Picamera2.global_camera_info():
    print("camera:", camera["Model"], camera["Id"])
"""
LETTERS: Final = range(16, 26)  # KEY_Q to KEY_P: power buttons and remote controls have none
LIBRARIES: Final = (
    ("picamera2", "camera", "sudo apt install python3-picamera2, and an environment with --system-site-packages"),
    ("luma.oled", "display", "pip install 'tokuten[pi]'"),
    ("smbus2", "display on I2C", "pip install 'tokuten[pi]'"),
    ("spidev", "display on SPI", "sudo apt install python3-spidev"),
    ("RPi.GPIO", "lights and buttons", "pip install 'tokuten[pi]' (rpi-lgpio)"),
    ("serial", "serial scanners and boards", "pip install 'tokuten[pi]'"),
    ("pyzbar", "second barcode engine", "sudo apt install libzbar0 && pip install 'tokuten[zbar]' (optional)"),
)


class Mark(StrEnum):
    OK = "ok"
    NONE = "--"  # not there, which may be right
    WRONG = "!!"


class Finding(NamedTuple):
    mark: Mark
    part: str
    text: str
    advice: str = ""


def everything(root: Path = ROOT) -> Iterator[Finding]:
    """In the order in which a person would look."""
    yield board(root)
    yield power(root)
    yield clock()
    yield from disks(root)
    yield from libraries()
    yield from i2c(root)
    yield from spi(root)
    yield from gpio(root)
    yield from cameras(root)
    yield from serial_ports(root)
    yield from keyboards(root)


def board(root: Path = ROOT) -> Finding:
    model = _text(root / "proc/device-tree/model").rstrip("\0")
    bits = struct.calcsize("P") * 8
    if not model:
        return Finding(Mark.NONE, "board", f"no Raspberry Pi ({os.uname().machine}, {bits}-bit)")
    if bits != 64:
        return Finding(Mark.WRONG, "board", f"{model}, {bits}-bit", "install the 64-bit system: the decoder needs it")
    return Finding(Mark.OK, "board", model)


def power(root: Path = ROOT) -> Finding:
    found = _text(root / "sys/devices/platform/soc/soc:firmware/get_throttled").strip()
    try:
        flags = int(found, 16)
    except ValueError:
        return Finding(Mark.NONE, "power", "this machine does not tell of its power")
    if flags & 0x1:
        return Finding(
            Mark.WRONG, "power", "the voltage is too low now", "use the Pi's own power supply and a short cable"
        )
    if flags & 0x10000:
        return Finding(Mark.WRONG, "power", "the voltage was too low since the start", "use the Pi's own power supply")
    return Finding(Mark.OK, "power", "the voltage was never too low since the start")


def clock() -> Finding:
    reading = PiClock().read()
    if reading.synchronised:
        return Finding(Mark.OK, "clock", f"synchronised, at most {reading.error_ms} ms wrong")
    return Finding(
        Mark.WRONG, "clock", "not synchronised", "is there a network? `timedatectl`; a unit without one needs an RTC"
    )


def disks(root: Path = ROOT) -> Iterator[Finding]:
    """What the disks say about their caches. A cache that lies about a flush can't be told from one that does not."""
    for queue in sorted((root / "sys/block").glob("*/queue/write_cache")):
        name = queue.parent.parent.name
        if name.startswith(("loop", "ram", "zram", "dm-", "md", "sr")):
            continue
        kind = _text(queue.parent.parent / "device/type").strip()
        if kind == "SD":
            yield Finding(
                Mark.OK, f"disk {name}", "SD card",
                "use one made for endurance: a cheap one may lie about a flush, and only a power cut shows it",
            )  # fmt: skip
        elif _text(queue).strip() == "write through":
            yield Finding(Mark.OK, f"disk {name}", "has no write cache that a power cut could empty")
        else:
            yield Finding(Mark.OK, f"disk {name}", "has a write cache, and is told to flush it for every fact")


def libraries(found: Callable[[str], object | None] | None = None) -> Iterator[Finding]:
    look = found or _library
    for name, part, advice in LIBRARIES:
        if look(name) is None:
            yield Finding(Mark.NONE, f"library {name}", f"not installed; for the {part}", advice)
        else:
            yield Finding(Mark.OK, f"library {name}", f"installed; for the {part}")


def i2c(root: Path = ROOT, answers: Callable[[int], list[int]] | None = None) -> Iterator[Finding]:
    buses = _numbers(root / "dev", "i2c-")
    if not buses:
        yield Finding(Mark.NONE, "I2C", "no bus", "sudo raspi-config nonint do_i2c 0, and start again")
    for bus in buses:
        try:
            there = (answers or i2c_answers)(bus)
        except (OSError, ImportError) as error:
            yield Finding(Mark.WRONG, f"I2C {bus}", f"can't be asked: {error}", "is the user in the group i2c?")
            continue
        names = ", ".join(f"0x{address:02X} ({_KNOWN.get(address, 'unknown')})" for address in there)
        if there:
            yield Finding(Mark.OK, f"I2C {bus}", names)
        else:
            yield Finding(
                Mark.NONE, f"I2C {bus}", "nobody answers", "check the four wires: 3V3, GND, SDA (pin 3), SCL (pin 5)"
            )


def i2c_answers(bus: int) -> list[int]:
    """The addresses that acknowledge, as `i2cdetect` asks. Raises OSError, ImportError."""
    import smbus2

    there = []
    with smbus2.SMBus(bus) as talk:
        for address in range(I2C_FIRST, I2C_LAST + 1):
            try:
                if address in _READ_ONLY:
                    talk.read_byte(address)
                else:
                    talk.write_quick(address)
            except OSError:
                continue
            there.append(address)
    return there


def spi(root: Path = ROOT) -> Iterator[Finding]:
    devices = sorted(path.name for path in (root / "dev").glob("spidev*"))
    if devices:
        yield Finding(Mark.OK, "SPI", ", ".join(f"/dev/{name}" for name in devices))
    else:
        yield Finding(Mark.NONE, "SPI", "no device", "where the display is on SPI: sudo raspi-config nonint do_spi 0")


def gpio(root: Path = ROOT) -> Iterator[Finding]:
    chips = gpiochip.chips(root / "sys/bus/gpio/devices")
    for chip in chips:
        what = "the 40-pin header" if chip.header else "not the header"
        yield Finding(Mark.OK, f"gpiochip{chip.number}", f"{what} ({', '.join(chip.drivers) or 'no device tree'})")
    if not any(chip.header for chip in chips):
        yield Finding(
            Mark.NONE, "GPIO", "no chip of a Raspberry Pi's header", "lights and buttons need one, or a board"
        )


def cameras(root: Path = ROOT, count: Callable[[], list[str]] | None = None) -> Iterator[Finding]:
    try:
        names = (count or camera_names)()
    except (OSError, subprocess.SubprocessError) as error:
        why = "did not answer in time" if isinstance(error, subprocess.TimeoutExpired) else "can't be asked"
        yield Finding(
            Mark.WRONG, "cameras", f"picamera2 {why}", "start the machine again; then `rpicam-hello --list-cameras`"
        )
        names = []
    for number, name in enumerate(names):
        yield Finding(Mark.OK, f"camera {number}", name)
    if not names:
        devices = [_text(path).strip() for path in sorted((root / "sys/class/video4linux").glob("video*/name"))]
        seen = f"; the kernel has {', '.join(sorted(set(devices)))}" if devices else ""
        yield Finding(
            Mark.NONE, "cameras", f"none that picamera2 knows{seen}", "is the ribbon cable in, and picamera2 installed?"
        )


def camera_names() -> list[str]:
    """Models of the cameras, asked in a process that may be killed. Raises OSError, SubprocessError."""
    done = subprocess.run([sys.executable, "-c", _CAMERAS], capture_output=True, text=True, timeout=CAMERAS_S)
    return [line.removeprefix("camera: ") for line in done.stdout.splitlines() if line.startswith("camera: ")]


def serial_ports(root: Path = ROOT) -> Iterator[Finding]:
    by_id = sorted((root / "dev/serial/by-id").glob("*"))
    plain = [path for kind in ("ttyACM*", "ttyUSB*", "ttyAMA*") for path in sorted((root / "dev").glob(kind))]
    named = {path.resolve() for path in by_id}
    for path in [*by_id, *(path for path in plain if path.resolve() not in named)]:
        shown = f"/{path.relative_to(root)}"
        if os.access(path, os.R_OK | os.W_OK):
            yield Finding(Mark.OK, "serial port", shown)
        else:
            yield Finding(Mark.WRONG, "serial port", f"{shown} may not be opened", "is the user in the group dialout?")
    if not by_id and not plain:
        yield Finding(
            Mark.NONE,
            "serial port",
            "none",
            "is the board or the scanner plugged in, with a cable that has data wires?",
        )


def keyboards(root: Path = ROOT) -> Iterator[Finding]:
    """What types: hand scanners that are keyboards, and keyboards."""
    found = False
    for block in _text(root / "proc/bus/input/devices").split("\n\n"):
        name, handlers = re.search(r'N: Name="(.*)"', block), re.search(r"H: Handlers=.*\bkbd\b.*", block)
        number = re.search(r"\bevent(\d+)\b", block)
        if name is None or handlers is None or number is None or not _types(block):
            continue
        found = True
        device = root / f"dev/input/event{number[1]}"
        links = [path for path in (root / "dev/input/by-id").glob("*") if path.resolve() == device.resolve()]
        shown = f"/{(links[0] if links else device).relative_to(root)}"
        if os.access(device, os.R_OK):
            yield Finding(Mark.OK, "keyboard", f"{name[1]}: {shown}")
        else:
            yield Finding(
                Mark.WRONG, "keyboard", f"{name[1]}: {shown} may not be read", "is the user in the group input?"
            )
    if not found:
        yield Finding(Mark.NONE, "keyboard", "none, and no scanner that is one")


def _types(block: str) -> bool:
    """Whether a device has letters: its keys as a bit map in words of 64, the highest first."""
    found = re.search(r"B: KEY=([0-9a-f ]+)", block)
    keys = int("".join(word.zfill(16) for word in found[1].split()), 16) if found else 0
    return all(keys >> key & 1 for key in LETTERS)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _numbers(folder: Path, prefix: str) -> list[int]:
    ends = (path.name.removeprefix(prefix) for path in folder.glob(f"{prefix}*"))
    return sorted(int(end) for end in ends if end.isdigit())


def _library(name: str) -> object | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
