"""`tokuten demo` leaves no process behind, however it ends; and it goes on with what is there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.browser.running import START_S, STOP_S, Demo, is_gone
from tests.servers import ROOT, free_port, wait_until

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all that end a demo: each goes on with what the one before left."""
    return tmp_path_factory.mktemp("demo") / "var"


@pytest.fixture
def demo(folder: Path) -> Iterator[Demo]:
    one = Demo(folder)
    yield one
    one.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that goes on running, fresh, for the tests that only look."""
    one = Demo(tmp_path_factory.mktemp("running") / "var")
    yield one
    one.stop()


def names(family: list[psutil.Process]) -> list[str]:
    return [" ".join(one.cmdline()[1:4]) for one in family]


def all_gone(family: list[psutil.Process]) -> None:
    wait_until(lambda: all(map(is_gone, family)), STOP_S, "every process of the demo to be gone")


def test_a_child_that_dies_is_reported_and_comes_back_and_ctrl_c_still_ends_everything(demo: Demo) -> None:
    page = demo.wait()
    central = demo.child("central")
    central.kill()
    wait_until(lambda: "central died unasked" in demo.said, STOP_S, "the death to be reported")
    assert "killed by SIGKILL" in demo.said
    wait_until(lambda: "central is back" in demo.said, START_S, "the centre to be back")
    assert httpx.get(page + "api/phone/coupons", trust_env=False).status_code == 200
    demo.child("broker").kill()  # and now one that is dead at the end
    family = demo.family()
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(STOP_S) == 0, demo.said
    all_gone(family)


def test_a_supervisor_that_is_sigkilled_takes_every_process_with_it(demo: Demo) -> None:
    demo.wait()
    family = demo.family()
    demo.process.kill()
    all_gone(family)


def test_a_signal_during_the_start_ends_what_was_started(demo: Demo) -> None:
    wait_until(lambda: "starting broker" in demo.said or demo.process.poll() is not None, START_S, "the start")
    wait_until(lambda: len(demo.family()) > 1, START_S, "the first process")
    family = demo.family()
    demo.process.send_signal(signal.SIGTERM)
    assert demo.process.wait(STOP_S) == 0, demo.said
    all_gone(family)


def test_a_second_run_goes_on_with_the_same_data_and_reset_begins_anew(folder: Path) -> None:
    def mine(page: str) -> httpx.Response:
        return httpx.get(page + "api/phone/mine", headers=bearer, trust_env=False)

    with ended_by(signal.SIGTERM, Demo(folder)) as page:
        bearer = {"Authorization": f"Bearer {token(page, 'BBB')}"}
        before = len(mine(page).json())
        got = httpx.post(page + "api/phone/mine", headers=bearer, json={"campaign": 1}, trust_env=False)
        assert got.status_code == 201, got.text
    key = (folder / "unit" / "device.key").read_text()
    with ended_by(signal.SIGINT, Demo(folder)) as page:
        assert len(mine(page).json()) == before + 1
        assert (folder / "unit" / "device.key").read_text() == key
    with ended_by(signal.SIGINT, Demo(folder, "--reset")) as page:
        assert mine(page).status_code == 401
        assert (folder / "unit" / "device.key").read_text() != key


@contextmanager
def ended_by(number: signal.Signals, demo: Demo) -> Iterator[str]:
    """The page of a running demo; then the signal, exit code 0, and no process left."""
    try:
        yield demo.wait()
        family = demo.family()
        assert len(family) >= 5, names(family)  # supervisor, broker, centre, unit, the unit's camera
        demo.process.send_signal(number)
        assert demo.process.wait(STOP_S) == 0, demo.said
        all_gone(family)
        for name in ("unit", "central", "broker"):  # each was asked to end, none was only killed
            assert "stopped" in (demo.folder / "logs" / f"{name}.log").read_text().splitlines()[-1]
    finally:
        demo.stop()


def token(page: str, name: str) -> str:
    login = {"name": name, "password": f"{name.lower()}-demo"}
    return str(httpx.post(page + "api/phone/session", json=login, trust_env=False).json()["token"])


def test_a_second_demo_in_the_same_folder_says_who_has_it(running: Demo) -> None:
    page = running.wait()
    second = subprocess.run(
        [sys.executable, "-m", "cli", "demo", "--dir", str(running.folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=START_S, check=False,
    )  # fmt: skip
    assert second.returncode == 4
    assert page in second.stderr
    assert "Traceback" not in second.stderr


def test_a_port_that_is_taken_is_passed_over_and_said(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = int(other.getsockname()[1])
        environ = {**os.environ, "TOKUTEN_DEMO__PAGE_PORT": str(taken)}
        code = (
            "from simulator import ports\n"
            f"print(ports.pick({taken}, 'demo.page_port', say=print))\n"
        )  # the whole demo is not needed to see it
        said = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
        ).stdout
    assert f"port {taken} is taken (demo.page_port)" in said


def test_a_folder_that_no_demo_made_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("ten years of work")
    done = subprocess.run(
        [sys.executable, "-m", "cli", "demo", "--reset", "--dir", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=START_S, check=False,
        env={**os.environ, "TOKUTEN_DEMO__PAGE_PORT": str(free_port())},
    )  # fmt: skip
    assert done.returncode == 4
    assert "thesis.txt" in done.stderr
    assert (tmp_path / "thesis.txt").exists()


def test_K7_the_story_is_figure_3_with_its_numbers_and_places(running: Demo) -> None:
    page = running.wait()
    rows = httpx.get(
        page + "api/phone/mine", headers={"Authorization": f"Bearer {token(page, 'CCC')}"}, trust_env=False
    ).json()
    lines = {(row["name"], row["number"], row["state"], row["used_site"]) for row in rows}
    assert {
        ("サッカーUR-SE", 58119, "used", "urawa"),
        ("Nシネマ", 71865, "unused", None),
        ("Rレストラン割引", 78155, "used", "ginza"),
        ("V居酒屋割引", None, "untracked", None),
    } <= lines
    offers = {row["id"]: row for row in httpx.get(page + "api/phone/coupons", trust_env=False).json()}
    assert offers[3]["stock_left"] == 28
    assert offers[1]["stock_left"] == 30
