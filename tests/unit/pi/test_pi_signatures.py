"""The words of others that we use, held against what was released: a renamed call is caught without hardware.

lgpio, rpi-lgpio, smbus2 and luma are installed for development, so their source is read. picamera2 can't be installed
away from a Pi: `picamera2.json` beside this file holds the signatures of a released package, and was made by
scripts/make_picamera2_words.py, which `--slow` runs again against the newest release.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hal.pi import gpio
from tests.pi_models import cameras
from tests.pi_models.lines import FUNCTIONS, Lines
from tests.servers import ROOT

WORDS = Path(__file__).parent / "picamera2.json"
Signatures = dict[str, dict[str, list[str]]]


def source(module: str) -> ast.Module:
    """A module's source, without importing what it imports."""
    found = importlib.util.find_spec(module)
    assert found is not None, f"{module} is not installed"
    assert found.origin is not None
    return ast.parse(Path(found.origin).read_text(encoding="utf-8"))


def functions(tree: ast.Module) -> dict[str, list[str]]:
    return {
        node.name: [argument.arg for argument in node.args.args]
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }


def test_the_model_of_lgpio_has_its_functions_and_their_arguments() -> None:
    released = functions(source("lgpio"))
    for name in FUNCTIONS:
        ours = list(inspect.signature(getattr(Lines, name)).parameters)[1:]
        assert ours == released[name], name


def test_rpi_lgpio_has_every_word_that_we_use_of_it() -> None:
    tree = source("RPi.GPIO")
    released = functions(tree)
    constants = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for name, member in words(gpio.Gpio):
        assert list(inspect.signature(member).parameters)[1:] == released[name], name
    assert set(gpio.Gpio.__annotations__) <= constants
    (pwm,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "PWM")
    methods = {node.name: [arg.arg for arg in node.args.args] for node in pwm.body if isinstance(node, ast.FunctionDef)}
    assert methods["__init__"] == ["self", "channel", "frequency"]
    for name, member in words(gpio.Pwm):
        assert list(inspect.signature(member).parameters) == methods[name], name


def words(protocol: type) -> Iterator[tuple[str, Callable[..., object]]]:
    for name, member in vars(protocol).items():
        if inspect.isfunction(member) and not name.startswith("_") and name != "PWM":
            yield name, member


def test_the_calls_to_picamera2_fit_the_released_package() -> None:
    released: Signatures = json.loads(WORDS.read_text())["classes"]
    used = calls(ast.parse((ROOT / "hal/pi/camera.py").read_text()))
    assert used, "nothing was found: this test would show nothing"
    for name, keywords in used.items():
        owner = next((known for known in released.values() if name in known), None)
        assert owner is not None, f"{name} is no method of the released package"
        assert set(keywords) <= set(owner[name]), name


def calls(tree: ast.Module) -> dict[str, list[str]]:
    """Method and keywords of each call on the camera, its requests and its jobs."""
    found: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            on = ast.unparse(node.func.value)
            if on in ("self._camera", "request", "self._job", "found.camera"):
                found.setdefault(node.func.attr, []).extend(word.arg for word in node.keywords if word.arg)
    return found


def test_the_model_of_picamera2_has_no_words_that_the_released_package_has_not() -> None:
    released: Signatures = json.loads(WORDS.read_text())["classes"]
    for ours, theirs in ((cameras.Picamera2, "Picamera2"), (cameras.Request, "CompletedRequest"), (cameras.Job, "Job")):
        for name, member in vars(ours).items():
            if inspect.isfunction(member) and not name.startswith("_") and name != "frame_s":
                arguments = list(inspect.signature(member).parameters)
                assert set(arguments) <= set(released[theirs][name]), f"{theirs}.{name}"


@pytest.mark.slow
def test_the_newest_release_of_picamera2_has_the_same_words(tmp_path: Path) -> None:
    out = tmp_path / "newest.json"
    subprocess.run([sys.executable, "-m", "scripts.make_picamera2_words", str(out)], cwd=ROOT, check=True)
    released: Signatures = json.loads(WORDS.read_text())["classes"]
    newest: Signatures = json.loads(out.read_text())["classes"]
    used = calls(ast.parse((ROOT / "hal/pi/camera.py").read_text()))
    for name in used:
        for owner, methods in released.items():
            if name in methods:
                assert newest[owner].get(name) == methods[name], f"{owner}.{name}"
