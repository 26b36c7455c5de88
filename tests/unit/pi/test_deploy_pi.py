"""The service files of a Pi: systemd has nothing to complain about, and the sandbox lets through what a unit needs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.watchdog import SHARE
from tests.servers import ROOT

UNITS = sorted((ROOT / "deploy/systemd").iterdir())
UNIT = (ROOT / "deploy/systemd/tokuten-unit.service").read_text()
RULES = (ROOT / "deploy/udev/60-tokuten.rules").read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_has_nothing_to_complain_about(path: Path, tmp_path: Path) -> None:
    for unit in UNITS:  # verify returns 0 for keys that it does not know, and says so: any output fails
        text = unit.read_text().replace("/opt/tokuten/.venv/bin/tokuten", sys.executable)
        (tmp_path / unit.name).write_text(text.replace("/bin/systemctl", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / path.name)],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if path.stem in line]
    assert said == []


def test_the_sandbox_lets_the_clock_be_asked() -> None:
    """adjtimex is not in @system-service, and ProtectClock forbids it: a unit would take its clock for wrong."""
    (allowed,) = re.findall(r"^SystemCallFilter=(.*)$", UNIT, re.MULTILINE)
    assert {"adjtimex", "clock_adjtime"} <= set(allowed.split())
    assert "ProtectClock" not in UNIT
    assert "SystemCallErrorNumber=EPERM" in UNIT


def test_a_unit_that_ends_however_is_made_dark_and_started_again() -> None:
    assert re.search(r"^ExecStopPost=-\S+ doctor --dark --config ", UNIT, re.MULTILINE)
    assert "Restart=always" in UNIT
    assert "StartLimitIntervalSec=0" in UNIT
    assert "Type=notify" in UNIT
    (watchdog_s,) = re.findall(r"^WatchdogSec=(\d+)$", UNIT, re.MULTILINE)
    assert int(watchdog_s) / SHARE > 10


def test_what_the_unit_leaves_is_what_systemd_waits_for() -> None:
    path = (ROOT / "deploy/systemd/tokuten-reboot.path").read_text()
    assert "PathExists=/run/tokuten/reboot" in path
    assert "RuntimeDirectory=tokuten" in UNIT
    assert 'reboot_file = "/run/tokuten/reboot"' in (ROOT / "docs/pi.md").read_text()


def test_every_rule_of_udev_is_made_of_known_matches_and_assignments() -> None:
    word = r'(SUBSYSTEM|KERNEL|ATTRS\{\w+\}|ENV\{\w+\}|GROUP|MODE|SYMLINK)(==|=|\+=)"[^"]*"'
    rules = [line for line in RULES.splitlines() if line and not line.startswith("#")]
    assert rules
    for rule in rules:
        assert re.fullmatch(rf"{word}(, {word})*", rule), rule
