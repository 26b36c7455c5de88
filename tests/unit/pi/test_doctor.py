"""`tokuten doctor`: what it finds in the kernel's files, and what it says where there is nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from edge_agent.settings import PartNames, UnitSettings, VirtualWorld
from edge_agent.trials import dark, pictures, trials
from hal.errors import HalError
from hal.pi import find
from hal.pi.find import Finding, Mark
from hal.pi.options import PiParts, Scanners, WedgeOptions
from hal.virtual.link import serve
from hal.virtual.tag import Tag
from hal.virtual.world import World
from tests.contract.stands import ModelDisplay, ModelIndicators
from tests.pi_models.lines import Lines, plug_gpio

KEYBOARDS = """I: Bus=0019 Vendor=0000 Product=0001 Version=0000
N: Name="pwr_button"
H: Handlers=kbd event0
B: KEY=10000000000000 0

I: Bus=0018 Vendor=0000 Product=0000 Version=0000
N: Name="a remote control with a few letters"
H: Handlers=kbd event1
B: KEY=30000

I: Bus=0003 Vendor=05e0 Product=1200 Version=0110
N: Name="Symbol Bar Code Scanner"
H: Handlers=sysrq kbd leds event3
B: EV=120013
B: KEY=1000000000007 ff800000000007ff febeffdff3cfffff fffffffffffffffe
"""


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def pi(tmp_path: Path) -> Path:
    """The files of a Pi 5 with all that a unit can have."""
    write(tmp_path / "proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0")
    write(tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled", "0\n")
    write(tmp_path / "sys/block/mmcblk0/queue/write_cache", "write back\n")
    write(tmp_path / "sys/block/mmcblk0/device/type", "SD\n")
    write(tmp_path / "sys/block/nvme0n1/queue/write_cache", "write through\n")
    write(tmp_path / "sys/block/loop0/queue/write_cache", "write back\n")
    write(tmp_path / "sys/bus/gpio/devices/gpiochip4/of_node/compatible", "raspberrypi,rp1-gpio\0")
    write(tmp_path / "sys/bus/gpio/devices/gpiochip0/of_node/compatible", "brcm,brcmstb-gpio\0")
    for device in ("i2c-1", "spidev0.0", "ttyACM0", "ttyAMA10", "input/event3"):
        write(tmp_path / "dev" / device, "")
    for link, to in (("serial/by-id/usb-board", "../../ttyACM0"), ("input/by-id/usb-scanner-event-kbd", "../event3")):
        (tmp_path / "dev" / link).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "dev" / link).symlink_to(to)
    write(tmp_path / "proc/bus/input/devices", KEYBOARDS)
    return tmp_path


def test_a_pi_with_everything_is_found_part_by_part(pi: Path) -> None:
    assert find.board(pi).text == "Raspberry Pi 5 Model B Rev 1.0"
    assert find.power(pi).mark is Mark.OK
    assert [f.part for f in find.disks(pi)] == ["disk mmcblk0", "disk nvme0n1"]
    assert "lie about a flush" in next(find.disks(pi)).advice
    assert list(find.i2c(pi, lambda bus: [0x24, 0x3C])) == [
        Finding(Mark.OK, "I2C 1", "0x24 (PN532 card reader), 0x3C (OLED)")
    ]
    assert [f.text for f in find.spi(pi)] == ["/dev/spidev0.0"]
    assert [(f.part, f.text) for f in find.gpio(pi)] == [
        ("gpiochip0", "not the header (brcm,brcmstb-gpio)"),
        ("gpiochip4", "the 40-pin header (raspberrypi,rp1-gpio)"),
    ]
    assert [f.text for f in find.cameras(pi, lambda: ["imx708 /base/imx708"])] == ["imx708 /base/imx708"]
    assert [f.text for f in find.serial_ports(pi)] == ["/dev/serial/by-id/usb-board", "/dev/ttyAMA10"]
    assert list(find.keyboards(pi)) == [
        Finding(Mark.OK, "keyboard", "Symbol Bar Code Scanner: /dev/input/by-id/usb-scanner-event-kbd")
    ]


def test_a_machine_without_any_of_it_gets_an_answer_to_each_question(tmp_path: Path) -> None:
    told = [
        find.board(tmp_path), find.power(tmp_path), *find.i2c(tmp_path), *find.spi(tmp_path), *find.gpio(tmp_path),
        *find.cameras(tmp_path, list), *find.serial_ports(tmp_path), *find.keyboards(tmp_path),
    ]  # fmt: skip
    assert [finding.mark for finding in told] == [Mark.NONE] * 8


@pytest.mark.parametrize(
    ("flags", "words"), [("1", "too low now"), ("10000", "too low since"), ("50005", "too low now")]
)
def test_a_weak_power_supply_is_named(pi: Path, flags: str, words: str) -> None:
    write(pi / "sys/devices/platform/soc/soc:firmware/get_throttled", flags)
    assert find.power(pi).mark is Mark.WRONG
    assert words in find.power(pi).text


def test_what_may_not_be_used_says_which_group_helps(pi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)

    def refused(bus: int) -> list[int]:
        raise PermissionError(13, "Permission denied", f"/dev/i2c-{bus}")

    wrong = [*find.serial_ports(pi), *find.keyboards(pi), *find.i2c(pi, refused)]
    assert all(finding.mark is Mark.WRONG for finding in wrong)
    assert {word for finding in wrong for word in ("dialout", "input", "i2c") if f"group {word}" in finding.advice} == {
        "dialout", "input", "i2c",
    }  # fmt: skip


def test_cameras_that_do_not_answer_are_given_up(pi: Path) -> None:
    write(pi / "sys/class/video4linux/video0/name", "unicam\n")

    def hangs() -> list[str]:
        raise subprocess.TimeoutExpired("python", 20)

    first, second = find.cameras(pi, hangs)
    assert (first.mark, "did not answer" in first.text) == (Mark.WRONG, True)
    assert "unicam" in second.text


def test_the_command_works_on_this_machine_whatever_it_has() -> None:
    done = CliRunner().invoke(app, ["doctor"])
    assert "board:" in done.output
    assert "keyboard" in done.output
    assert "Traceback" not in done.output


def test_trying_needs_settings_and_a_part_that_they_name(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["doctor", "--try", "all"]).exception is not None
    config = tmp_path / "unit.toml"
    config.write_text('[unit]\ndevice = "u1"\nsite = "s"\n')
    failed = CliRunner().invoke(app, ["doctor", "--config", str(config), "--try", "buttons"])
    assert "clock, display, indicators, camera, card" in str(failed.exception)


# -- trying


def settings(**parts: str) -> UnitSettings:
    return UnitSettings(device="u1", site="s", parts=PartNames(**parts))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.trials.STEP_S", 0.01)
    monkeypatch.setattr("edge_agent.trials.WAIT_S", 0.3)


def test_the_display_is_drawn_on_and_dark_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = ModelDisplay("pi-ssd1306-i2c", monkeypatch)
    unit = settings(display="pi")
    for (what, picture), told in zip(pictures(), trials(unit)["display"](unit), strict=True):
        assert told == f"it shows {what}"
        assert stand.shows(picture)
    assert not stand.oled.on


def test_each_light_and_each_sound_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = ModelIndicators(monkeypatch)
    stand.indicators.close()
    unit = settings(indicators="pi")
    told = list(trials(unit)["indicators"](unit))
    assert told[:7] == [
        *(f"the light is {light}" for light in ("red", "green", "blue", "amber")),
        *(f"it sounds {sound}" for sound in ("yes", "no", "tick")),
    ]
    assert told[-1].startswith("2 of the two buttons")


def test_a_whole_virtual_unit_is_tried_with_a_card_and_a_code(tmp_path: Path) -> None:
    world = World(lens_seed=7)
    world.insert_card(Tag(bytes.fromhex("04a1b2c3d4e5f6")))
    with serve(world, tmp_path / "world"):
        unit = UnitSettings(device="u1", site="s", virtual=VirtualWorld(socket=str(tmp_path / "world")))
        told = {name: list(trial(unit)) for name, trial in trials(unit).items()}
    assert told["card"][-1] == "read: a card with 7 bytes of UID, ntag213"
    assert told["camera"][1].startswith("frames come")
    assert told["camera"][-1] == "no code was seen"
    assert "UTC, synchronised" in told["clock"][0]


def test_a_part_that_is_missing_says_why(tmp_path: Path) -> None:
    unit = UnitSettings(
        device="u1",
        site="s",
        parts=PartNames(card="none"),
        scanners=Scanners(wedge=WedgeOptions(device=str(tmp_path / "none"))),
        pi=PiParts(),
    )
    known = trials(unit)
    assert "card" not in known
    with pytest.raises(HalError, match="not there"):
        list(known["scanner wedge"](unit))


def test_lights_that_a_dead_unit_left_on_are_put_out(monkeypatch: pytest.MonkeyPatch) -> None:
    display = ModelDisplay("pi-ssd1306-i2c", monkeypatch)
    lines = Lines()
    plug_gpio(monkeypatch, lines)
    lines.levels[27] = 1  # green, and nobody there any more
    assert dark(settings(display="pi", indicators="pi")) == []
    assert lines.levels[27] == 0
    assert not display.oled.on


def test_what_could_not_be_made_dark_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    display = ModelDisplay("pi-ssd1306-i2c", monkeypatch)
    display.break_part()
    (told,) = dark(settings(display="pi", indicators="pi"))
    assert told.startswith("display: ssd1306 at 0x3C")
    assert display.lines.levels[27] == 0
