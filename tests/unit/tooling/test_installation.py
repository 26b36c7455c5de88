"""What is installed where: the splits of dependencies, the locks, the set-up of .venv, the short commands."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from cli.main import COMMANDS, OUR_PACKAGES
from tests.servers import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = {  # lock -> extras
    "kiosk": (),
    "pi": ("pi", "till"),
    "central": ("central",),
    "demo": ("central", "simulator", "till"),
    "dev": ("central", "simulator", "till", "dev"),
}
# Which extras a folder's code may lean on, beside the base. What is optional is imported under a guard.
LEANS_ON = {
    "loyalty": (),
    "wire": (),
    "hal": ("zbar", "pi"),
    "edge_agent": ("till",),
    "central": ("central", "parquet"),
    "simulator": ("central", "simulator"),
    "cli": ("central", "simulator", "zbar"),
    "scripts": ("central", "simulator", "dev"),
    "tests": ("central", "simulator", "till", "dev", "zbar"),
    "benchmarks": ("central", "simulator", "dev", "zbar"),
}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(extras: tuple[str, ...]) -> set[str]:
    lines = PROJECT["dependencies"] + [line for extra in extras for line in PROJECT["optional-dependencies"][extra]]
    return {normal(re.split(r"[<>=!~\[ ;]", line, maxsplit=1)[0]) for line in lines}


def locked(name: str) -> set[str]:
    text = (ROOT / f"requirements/{name}.txt").read_text()
    return {normal(found) for found in re.findall(r"^([A-Za-z0-9_.-]+)==", text, re.MULTILINE)}


@pytest.mark.parametrize("folder", LEANS_ON)
def test_a_folder_imports_only_packages_that_its_machine_installs(folder: str) -> None:
    distributions = packages_distributions()
    allowed = declared(LEANS_ON[folder])
    for path in (ROOT / folder).rglob("*.py"):
        for module in imported(path):
            names = {normal(name) for name in distributions.get(module, ())}
            assert not names or names & allowed, f"{path.relative_to(ROOT)}: {module} is not declared for {folder}"


def imported(path: Path) -> set[str]:
    """The packages of others that a file imports, by their import name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - OUR_PACKAGES - {"tests", "scripts", "benchmarks", "tokuten"}


@pytest.mark.parametrize(("lock", "extras"), LOCKS.items())
def test_a_lock_has_what_is_declared_each_with_hashes_and_no_index(lock: str, extras: tuple[str, ...]) -> None:
    text = (ROOT / f"requirements/{lock}.txt").read_text()
    assert declared(extras) <= locked(lock)
    assert "setuptools" in locked(lock), "the project itself is installed without the network"
    for requirement in re.split(r"\n(?=\S)", text.strip()):
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==\S+( ; .+?)?( \\\n    --hash=sha256:[0-9a-f]{64})+", requirement), (
            requirement
        )
    assert not re.search(r"https?:|file:|index|/", re.sub(r"--hash=sha256:\w+", "", text))


def test_a_pi_does_not_install_the_centre() -> None:
    for lock in ("kiosk", "pi"):
        assert not locked(lock) & {"sqlalchemy", "alembic", "jinja2", "psycopg"}


def test_a_kiosk_has_no_till_and_installs_no_server_of_pages() -> None:
    assert not locked("kiosk") & {"litestar", "granian", "httpx"}


def test_all_locks_agree_on_versions() -> None:
    versions: dict[str, str] = {}
    for lock in ("dev", "demo", "central", "pi", "kiosk"):
        text = (ROOT / f"requirements/{lock}.txt").read_text()
        for name, version in re.findall(
            r"^([A-Za-z0-9_.-]+)==(\S+)(?: \\| ; python_full_version < )", text, re.MULTILINE
        ):
            assert versions.setdefault(name, version) == version, f"{name} in {lock}"


# --- scripts/env.sh ------------------------------------------------------------------------------------


def env_sh(tmp_path: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run the set-up in an empty project, with the given programs as the only ones beside the shell's own."""
    for folder in ("bin", "project/scripts", "project/requirements"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("dirname", "cksum", "cat", "sh", "rm"):
        (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
    for name, body in programs.items():
        program = tmp_path / "bin" / name.replace("_", ".")
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    script = tmp_path / "project/scripts/env.sh"
    script.write_text((ROOT / "scripts/env.sh").read_text())
    (tmp_path / "project/pyproject.toml").touch()
    (tmp_path / "project/requirements/demo.txt").touch()
    return subprocess.run(
        ["/bin/sh", str(script), "demo"],
        env={"PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


REFUSES = 'case "$*" in *{word}*) exit 1 ;; esac\n'


@pytest.mark.parametrize(
    ("programs", "sentence"),
    [
        ({}, "Python 3.11 or newer is needed; found here: none at all."),
        (
            {"python3": 'case "$*" in *version_info*) exit 1 ;; --version) echo Python 3.9.2 ;; esac'},
            "Python 3.11 or newer is needed; found here: Python 3.9.2.",
        ),
        ({"python3": REFUSES.format(word="calcsize")}, "a 64-bit system is needed"),
        (
            {"python3": REFUSES.format(word="ensurepip") + REFUSES.format(word="pip")},
            "has neither ensurepip nor pip: sudo apt install python3-venv",
        ),
    ],
)
def test_the_set_up_says_in_one_sentence_what_is_missing(
    tmp_path: Path, programs: dict[str, str], sentence: str
) -> None:
    result = env_sh(tmp_path, **programs)
    assert result.returncode == 4
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


# --- the short commands --------------------------------------------------------------------------------


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_commands_of_the_docs_exist() -> None:
    text = "".join(
        path.read_text() for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    )
    assert set(re.findall(r"(?:`|^    )make ([a-z-]+)", text, re.MULTILINE)) <= make_targets()
    assert set(re.findall(r"(?:`|bin/)tokuten ([a-z]+)", text)) <= set(COMMANDS)


def test_the_promised_targets_exist() -> None:
    assert make_targets() == {"help", "demo", "demo-reset", "test", "lint", "bench", "soak", "mutants", "docs", "lock"}


@pytest.mark.parametrize("broken", [False, True])
def test_ci_ends_as_the_tests_end_and_repeats_their_closing_line(tmp_path: Path, broken: bool) -> None:
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci/run").write_text((ROOT / ".ci/run").read_text())
    closing = "1 failed, 41 passed in 3.21s" if broken else "42 passed in 3.21s"
    (tmp_path / "Makefile").write_text(f"test:\n\t@echo '{closing}'\n\t@echo later words\n\t@exit {int(broken)}\n")
    command = ["bash", str(tmp_path / ".ci/run")]
    environ = {**os.environ, "MAKEFLAGS": ""}
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environ)
    assert (result.returncode != 0) is broken
    assert result.stdout.splitlines()[-1] == closing


def test_a_failed_check_fails_the_whole_and_the_others_still_run(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/check.sh").write_text((ROOT / "scripts/check.sh").read_text())
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    for name in ("ruff", "mypy", "lint-imports", "python", "pytest"):
        (programs / name).write_text(f"#!/bin/sh\necho ran {name}\nexit {int(name == 'mypy')}\n")
        (programs / name).chmod(0o755)
    result = subprocess.run(
        ["sh", str(tmp_path / "scripts/check.sh"), "lint", "tests"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "ran pytest" in result.stdout
    assert result.stderr == "FAILED: types\n"
