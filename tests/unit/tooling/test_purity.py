"""The checkers of `make lint` find what they are there for: each is shown a planted violation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.check_purity import PURE, ROOT, violations

PLANTED = {
    "from datetime import datetime\ndatetime.now()": "datetime.datetime.now",
    "from datetime import datetime as dt\nclock = dt.utcnow": "datetime.datetime.utcnow",
    "import datetime\ndatetime.datetime.today()": "datetime.datetime.today",
    "import datetime as d\ndef f():\n    return d.date.today()": "datetime.date.today",
    "from nacl.signing import SigningKey\nSigningKey.generate()": "nacl.signing.SigningKey.generate",
    "import nacl.utils\nnacl.utils.random(8)": "nacl.utils.random",
    "from nacl.utils import random as noise": "nacl.utils.random",
    "def f():\n    import time": "time",
    "from os import urandom": "os",
    "from uuid import uuid4": "uuid",
    "import importlib": "importlib",
    "open('x')": "builtins.open",
    "print('x')": "builtins.print",
    "__import__('time')": "builtins.__import__",
}


@pytest.mark.parametrize(("source", "name"), PLANTED.items())
def test_an_impure_line_is_found(source: str, name: str) -> None:
    assert [violation.what for violation in violations(source, "planted.py")] == [name]


def test_pure_lines_are_left_alone() -> None:
    source = """
from datetime import UTC, datetime
from nacl.signing import SigningKey, VerifyKey
def f(now, key: SigningKey, event):
    later = now.wall_ms + event.time + event.sleep
    return datetime.fromtimestamp(later / 1000, UTC), key.sign(b"x"), event.open, now.today
"""
    assert violations(source, "pure.py") == []


def test_the_pure_packages_are_where_the_checker_looks() -> None:
    assert all(list((ROOT / folder).glob("*.py")) for folder in PURE)


IMPORTS = {
    "loyalty": "import time",
    "wire": "import sqlite3",
    "edge_agent/core": "import secrets",
    "central": "import hal.events",
    "edge_agent": "import central",
    "hal": "import edge_agent",
    "simulator": "import cli.main",
    "edge_agent/store": "import numpy",
    "simulator/world/checks": "import loyalty.coupon",
}


def test_the_import_checker_finds_planted_imports(tmp_path: Path) -> None:
    """The contracts of .importlinter, over small packages that break each of them."""
    for name in ("cli", "simulator", "central", "edge_agent", "hal", "firmware", "wire", "loyalty"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    for module in (
        "edge_agent/core/__init__.py",
        "edge_agent/store/__init__.py",
        "hal/events.py",
        "cli/main.py",
        "loyalty/coupon.py",
        "loyalty/lease.py",
        "loyalty/reason.py",
        "simulator/world/__init__.py",
        "simulator/world/checks/__init__.py",
    ):
        (tmp_path / module).parent.mkdir(exist_ok=True)
        (tmp_path / module).touch()
    assert lint_imports(tmp_path).returncode == 0, "clean packages are refused"
    for folder, line in IMPORTS.items():
        planted = tmp_path / folder / "planted.py"
        planted.write_text(line + "\n")
        result = lint_imports(tmp_path)
        assert result.returncode == 1, f"{line!r} in {folder} was not found"
        assert f"{folder.replace('/', '.')}.planted" in result.stdout
        planted.unlink()


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache", "--config", str(ROOT / ".importlinter")],
        cwd=folder,
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
