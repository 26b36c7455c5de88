"""What the agent makes of real parts: fitted by name, scanners read and reopened, systemd told, a reboot asked for."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from edge_agent.core.visit import Moment
from edge_agent.fittings import fit, options
from edge_agent.reboot import UPTIME_MIN_S, Reboot
from edge_agent.scanners import ScannerReader, readers
from edge_agent.settings import PartNames, UnitSettings
from edge_agent.telemetry import LOG_TEXT_MAX, Telemetry
from edge_agent.watchdog import SHARE, Watchdog
from hal.decode.process import HANGS_MAX, CameraProcess
from hal.errors import HalReason, PartFailed, PartMissing
from hal.events import HalEvent, PartFault, PartHealed, Scanned
from hal.mended import MendedDisplay
from hal.pi.options import DisplayOptions, PiParts, Scanners, SerialOptions, WedgeOptions
from tests.contract.stands import ModelDisplay
from tests.servers import wait_until
from wire.messages import LogLine, decode
from wire.topics import UP_LOG, Leaf


def settings(**parts: str) -> UnitSettings:
    return UnitSettings(
        device="u1", site="s", parts=PartNames(**parts), pi=PiParts(display=DisplayOptions(chip="sh1106"))
    )


# -- fitting


def test_a_backend_gets_the_options_of_its_part() -> None:
    unit = settings()
    assert options(unit, "pi", "display")["chip"] == "sh1106"
    assert options(unit, "pi", "clock") == {}
    assert options(unit, "virtual", "display") == {"socket": ""}


def test_a_unit_starts_without_its_display_and_takes_it_when_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = ModelDisplay("pi-sh1106-i2c", monkeypatch)
    stand.display.close()
    stand.break_part()
    told: list[PartFault | PartHealed] = []
    fitted = fit(settings(display="pi", indicators="pi"))
    fitted.tender.start(told.append)
    assert isinstance(fitted.display, MendedDisplay)
    assert [event.part for event in told] == ["display"]
    stand.heal_part()
    wait_until(lambda: PartHealed(part="display") in told, 5, "the display's return")
    fitted.tender.stop()
    fitted.display.close()
    fitted.indicators.close()


def test_a_name_that_is_none_and_a_missing_library_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PartMissing, match="no such backend"):
        fit(settings(display="oled"))
    ModelDisplay("pi-sh1106-i2c", monkeypatch).display.close()
    monkeypatch.setitem(sys.modules, "RPi.GPIO", None)
    with pytest.raises(PartMissing, match="rpi-lgpio"):
        fit(settings(display="pi", indicators="pi"))


# -- scanners


class Gun:
    """A scanner whose cable is pulled as the test likes."""

    def __init__(self) -> None:
        self.there, self.opened, self.closed = False, 0, 0
        self.tries = 0
        self.scans: list[Scanned] = []

    def open(self) -> Gun:
        self.tries += 1
        if not self.there:
            raise PartMissing(HalReason.NOT_FOUND, "not there")
        self.opened += 1
        return self

    def read(self, timeout_s: float) -> list[Scanned]:
        if not self.there:
            raise PartFailed(HalReason.VANISHED, "pulled out")
        out, self.scans = self.scans, []
        time.sleep(0.001)
        return out

    def close(self) -> None:
        self.closed += 1


def test_a_scanner_that_comes_goes_and_comes_is_told_once_each_time() -> None:
    gun, told = Gun(), list[HalEvent]()
    reader = ScannerReader("wedge", gun.open, told.append, retry_s=0.01)
    reader.start()
    wait_until(lambda: gun.tries > 3, 2, "several tries")
    assert len(told) == 1
    gun.there = True
    wait_until(lambda: len(told) == 2, 2, "its coming")
    gun.scans = [Scanned(text=b"1", format="")]
    wait_until(lambda: len(told) == 3, 2, "a scan")
    gun.there = False
    tries = gun.tries
    wait_until(lambda: gun.tries > tries + 2, 2, "several more")
    reader.stop()
    assert [type(event) for event in told] == [PartFault, PartHealed, Scanned, PartFault]
    assert {event.part for event in told if not isinstance(event, Scanned)} == {"scanner wedge"}  # type: ignore[union-attr]
    assert gun.opened == gun.closed == 1


def test_a_scanner_that_was_there_from_the_start_says_nothing_but_its_scans() -> None:
    master, slave = os.openpty()
    unit = UnitSettings(
        device="u1",
        site="s",
        scanners=Scanners(serial=SerialOptions(device=os.ttyname(slave)), wedge=WedgeOptions(device="")),
    )
    told = list[HalEvent]()
    (reader,) = readers(unit, told.append)
    reader.start()

    def came() -> bool:
        os.write(master, b"TK1:ABC\r\n")  # what came before the port was open is not read
        return bool(told)

    wait_until(came, 3, "a scan")
    reader.stop()
    assert {type(event) for event in told} == {Scanned}
    os.close(master)
    os.close(slave)


# -- told to the centre


class Publisher:
    up = True

    def __init__(self) -> None:
        self.sent: list[tuple[Leaf, bytes]] = []

    def publish(self, leaf: Leaf, payload: bytes) -> bool:
        self.sent.append((leaf, payload))
        return True


def test_a_part_that_goes_and_comes_is_two_lines_in_the_centres_log() -> None:
    publisher = Publisher()
    telemetry = Telemetry(settings(), publisher, "1", SigningKey(bytes(32)).verify_key, 0)
    at = Moment(wall_ms=1_800_000_000_000, mono_ms=0, boot=b"bootboot", trusted=True)
    telemetry.part(at, PartFault(part="display", reason=HalReason.NOT_FOUND, detail="nothing answers " * 40))
    telemetry.part(at, PartHealed(part="display"))
    assert [leaf for leaf, _ in publisher.sent] == [UP_LOG, UP_LOG]
    gone, back = (decode(payload, LogLine) for _, payload in publisher.sent)
    assert (gone.level, gone.text[:35], len(gone.text)) == (
        "warning",
        "display: not_found: nothing answers",
        LOG_TEXT_MAX,
    )
    assert (back.wall_ms, back.level, back.text) == (at.wall_ms, "info", "display: works again")


# -- systemd


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        yield systemd


def messages(systemd: socket.socket) -> list[bytes]:
    out = []
    while True:
        try:
            out.append(systemd.recv(100))
        except BlockingIOError:
            return out


def test_systemd_hears_three_times_in_each_period(heard: socket.socket) -> None:
    now_s = [50.0]
    dog = Watchdog({"NOTIFY_SOCKET": heard.getsockname(), "WATCHDOG_USEC": "9000000"}, lambda: now_s[0])
    dog.ready()
    for _ in range(18):
        dog.beat()
        now_s[0] += 0.5
    dog.stopping()
    assert messages(heard) == [b"READY=1", *[b"WATCHDOG=1"] * SHARE, b"STOPPING=1"]


@pytest.mark.parametrize(
    "environ", [{}, {"WATCHDOG_USEC": "9000000"}, {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "9000000"}]
)
def test_without_systemd_nothing_happens(environ: dict[str, str]) -> None:
    dog = Watchdog(environ)
    dog.ready()
    dog.beat()


def test_a_watchdog_of_another_process_is_not_fed(heard: socket.socket) -> None:
    dog = Watchdog({"NOTIFY_SOCKET": heard.getsockname(), "WATCHDOG_USEC": "9000000", "WATCHDOG_PID": "1"})
    dog.beat()
    assert messages(heard) == []


# -- the reboot

WANTED = PartFault(part="camera", reason=HalReason.NEEDS_REBOOT, detail="it hangs")


def test_a_reboot_is_asked_for_once_and_only_while_nobody_is_served(tmp_path: Path) -> None:
    file = tmp_path / "reboot"
    reboot = Reboot(str(file), lambda: UPTIME_MIN_S)
    reboot.look(idle=True)
    assert not file.exists()
    reboot.heard(WANTED)
    reboot.look(idle=False)
    assert not file.exists()
    reboot.look(idle=True)
    assert file.read_text() == "it hangs\n"
    file.unlink()
    reboot.look(idle=True)
    assert not file.exists()


def test_a_machine_that_was_just_started_is_not_rebooted(tmp_path: Path) -> None:
    reboot = Reboot(str(tmp_path / "reboot"), lambda: UPTIME_MIN_S - 1)
    reboot.heard(WANTED)
    reboot.look(idle=True)
    assert not (tmp_path / "reboot").exists()


def test_a_camera_that_comes_back_by_itself_needs_no_reboot(tmp_path: Path) -> None:
    reboot = Reboot(str(tmp_path / "reboot"), lambda: UPTIME_MIN_S)
    reboot.heard(WANTED)
    reboot.heard(PartHealed(part="camera"))
    reboot.look(idle=True)
    assert not (tmp_path / "reboot").exists()


@pytest.mark.parametrize("file", ["", "/nowhere/at/all"])
def test_where_it_can_not_be_asked_for_the_unit_goes_on(file: str) -> None:
    reboot = Reboot(file, lambda: UPTIME_MIN_S)
    reboot.heard(WANTED)
    reboot.look(idle=True)


def test_cameras_that_hang_one_after_another_end_in_one_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child is a process that never says anything: what a driver that hangs in the kernel looks like."""
    monkeypatch.setattr("hal.decode.process.START_S", 0.1)
    monkeypatch.setattr("hal.decode.process.POLL_S", 0.05)
    silent = tmp_path / "python"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(silent))
    told = list[HalEvent]()
    with CameraProcess("virtual", {}, told.append, hang_s=0.1, jitter=lambda: 0.0) as camera:
        wait_until(lambda: camera.starts > HANGS_MAX + 2, 20, "several lives")
    assert [event.reason for event in told if isinstance(event, PartFault)] == ["hung", "needs_reboot"]
    assert f"{HANGS_MAX} processes in a row" in told[1].detail  # type: ignore[union-attr]
