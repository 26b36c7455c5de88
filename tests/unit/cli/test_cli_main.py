"""The `tokuten` command: quick help, clear words where packages are missing, one line for each failure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cli.exits import Exit
from cli.main import COMMANDS
from tests.servers import ROOT

HEAVY = ("litestar", "granian", "sqlalchemy", "amqtt", "numpy", "zxingcpp", "PIL", "paho", "central", "edge_agent")


def tokuten(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, after `before`."""
    program = f"import sys\n{before}\nfrom cli.main import main\nmain()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "120"},
        timeout=60,
    )


def test_help_lists_every_command_and_imports_none() -> None:
    report = "import atexit\natexit.register(lambda: print('LOADED', *[m for m in sys.modules if '.' not in m]))"
    result = tokuten("--help", before=report)
    assert result.returncode == Exit.DONE
    loaded = result.stdout.rpartition("LOADED")[2].split()
    assert "typer" in loaded
    assert not set(HEAVY) & set(loaded)
    for name in COMMANDS:
        assert name in result.stdout


def test_the_version_is_the_packages() -> None:
    result = tokuten("--version")
    assert (result.returncode, result.stdout) == (Exit.DONE, "tokuten 0.1.0\n")


def test_an_unknown_command_is_answered_with_the_nearest() -> None:
    result = tokuten("coupn")
    assert result.returncode == Exit.USAGE
    assert "coupon" in result.stderr


# A Pi has the unit's packages alone: these can't be imported there.
WITHOUT = """
import importlib.abc
class Without(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition('.')[0] in {missing!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
sys.meta_path.insert(0, Without())
"""
CENTRE_ONLY = ("litestar", "granian", "sqlalchemy", "alembic", "jinja2")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("central", "init"), "the centre is not installed here: pip install 'tokuten[central]' (no module named "),
        (("coupon", "list"), "the centre is not installed here: pip install 'tokuten[central]' (no module named "),
    ],
)
def test_a_command_whose_packages_are_missing_says_what_to_install(
    tmp_path: Path, command: tuple[str, ...], sentence: str
) -> None:
    config = tmp_path / "tokuten.toml"
    config.write_text(f'[central]\ndata_dir = "{tmp_path}"\n[broker]\npassword_file = "{tmp_path}/none"\n')
    result = tokuten(*command, "--config", str(config), before=WITHOUT.format(missing=CENTRE_ONLY))
    assert result.returncode == Exit.MISSING
    assert result.stderr.startswith(f"tokuten: {sentence}")
    assert result.stderr.count("\n") == 1


def test_packages_that_a_command_misses_on_its_way_are_named_too() -> None:
    before = (
        WITHOUT.format(missing=CENTRE_ONLY) + "\nimport cli.scan\ndef scan(): import litestar\ncli.scan.scan = scan\n"
    )
    result = tokuten("scan", before=before)
    assert (result.returncode, result.stderr) == (
        Exit.MISSING,
        "tokuten: the unit is not installed here: pip install 'tokuten' (no module named 'litestar')\n",
    )


def test_the_unit_command_needs_none_of_the_centres_packages() -> None:
    result = tokuten("unit", "--help", before=WITHOUT.format(missing=CENTRE_ONLY))
    assert result.returncode == Exit.DONE, result.stderr


def test_wrong_settings_are_one_line_and_their_own_code(tmp_path: Path) -> None:
    path = tmp_path / "tokuten.toml"
    path.write_text('[broker]\npasword_file = "x"\n')
    result = tokuten("broker", "--config", str(path))
    assert result.returncode == Exit.SETTINGS
    assert result.stderr == f"tokuten: {path}: [broker] pasword_file: no such setting; did you mean 'password_file'?\n"


def test_a_missing_file_is_one_line_and_a_traceback_on_request(tmp_path: Path) -> None:
    path = tmp_path / "tokuten.toml"
    path.write_text(f'[broker]\npassword_file = "{tmp_path}/none"\n')
    result = tokuten("broker", "--config", str(path))
    assert result.returncode == Exit.MISSING
    assert result.stderr.startswith(f"tokuten: {tmp_path}/none: can't be read")
    assert result.stderr.count("\n") == 1
    assert "Traceback" in tokuten("--debug", "broker", "--config", str(path)).stderr


def test_the_exit_codes_are_documented() -> None:
    page = (ROOT / "docs/exit-codes.md").read_text()
    for code in Exit:
        assert f"| {code.value} |" in page, f"docs/exit-codes.md does not say what {code.value} is"
