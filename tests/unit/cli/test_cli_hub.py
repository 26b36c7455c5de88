"""`tokuten hub`: what it says before it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cli.exits import Exit
from edge_agent.hub.box import Box, HubSettings
from edge_agent.identity import device_key
from edge_agent.steps import StepLog
from edge_agent.store.store import FILE_NAME


def hub(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "cli", "hub", *arguments], capture_output=True, text=True, check=False)


def settings_file(folder: Path, **more: str) -> Path:
    path = folder / "hub.toml"
    given = {"device": "hub-1", "site": "ginza", "data_dir": str(folder / "box"), **more}
    path.write_text("[hub]\n" + "".join(f'{name} = "{value}"\n' for name, value in given.items()))
    return path


def test_its_key_is_made_once_and_printed_for_the_enrolment(tmp_path: Path) -> None:
    config = str(settings_file(tmp_path))
    first, second = hub("--config", config, "--print-key"), hub("--config", config, "--print-key")
    assert first.returncode == Exit.DONE
    assert first.stdout == second.stdout == device_key(tmp_path / "box").verify_key.encode().hex() + "\n"


def test_without_the_centres_key_and_with_wrong_names_it_says_what_is_missing(tmp_path: Path) -> None:
    result = hub("--config", str(settings_file(tmp_path)))
    assert (result.returncode, result.stderr.count("\n")) == (Exit.SETTINGS, 1)
    assert "hub.centre_public_key is not set" in result.stderr
    wrong = hub("--config", str(settings_file(tmp_path, device="Hub 1")), "--print-key")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (Exit.SETTINGS, 1)


def test_an_address_that_is_none_is_refused_with_its_place(tmp_path: Path) -> None:
    path = settings_file(tmp_path)
    path.write_text(path.read_text() + '[hub.site_network]\npeers = ["shop.example"]\n')
    result = hub("--config", str(path), "--print-key")
    assert result.returncode == Exit.SETTINGS
    assert "hub.site_network" in result.stderr


def test_a_damaged_store_is_set_aside_and_the_box_goes_on(tmp_path: Path) -> None:
    settings = HubSettings(device="hub-1", site="ginza", data_dir=str(tmp_path))
    (tmp_path / FILE_NAME).write_bytes(b"this is no database" * 500)
    key = device_key(tmp_path)
    box = Box(settings, steps=StepLog(lambda line: None, lambda: 0), keys=(key, key.verify_key), version="test")
    assert (tmp_path / "damaged-1" / FILE_NAME).exists()
    assert box._store.cache.lanes() == {}
    box._store.close()
