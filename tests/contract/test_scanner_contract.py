"""What every hand scanner promises (hal/scanner.py): over a pipe of key events, over a tty, and for real."""

from __future__ import annotations

import os
import tty
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import pytest

from hal.backends import SCANNERS, open_scanner
from hal.errors import PartFailed
from hal.pi.options import WedgeOptions
from hal.pi.wedge import WedgeScanner
from hal.scanner import Scanner
from tests.contract.stands import set_for_hardware, told
from tests.pi_models.keyboard import typed

CODES = (b"TK1:AB $%*+-./:09Z", b"]E04912345678904", b"]C18110123\x1d21X")


class ScannerStand(ABC):
    scanner: Scanner

    @abstractmethod
    def scan(self, line: bytes) -> None: ...

    @abstractmethod
    def pull_out(self) -> None: ...


class Wedge(ScannerStand):
    """A pipe in the place of the event device."""

    def __init__(self, folder: Path) -> None:
        path = folder / "event0"
        os.mkfifo(path)
        self.scanner = WedgeScanner(WedgeOptions(device=str(path)), grab=lambda _: None)
        self._file = os.open(path, os.O_WRONLY)

    def scan(self, line: bytes) -> None:
        os.write(self._file, typed(line))

    def pull_out(self) -> None:
        os.close(self._file)


class Tty(ScannerStand):
    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.scanner = open_scanner("serial", {"device": os.ttyname(self._slave)})

    def scan(self, line: bytes) -> None:
        os.write(self._master, line + b"\r\n")

    def pull_out(self) -> None:
        os.close(self._master)
        os.close(self._slave)


class Real(ScannerStand):
    def __init__(self, name: str) -> None:
        options = set_for_hardware(name, "scanners")
        if not options["device"]:
            pytest.skip(f"no {name} scanner is set")
        self.scanner = open_scanner(name, options)

    def scan(self, line: bytes) -> None:
        told(f"Make a code with the text {line!r} and scan it")

    def pull_out(self) -> None:
        told("Unplug the scanner")


REAL = [pytest.param(f"real {name}", marks=pytest.mark.hardware) for name in SCANNERS]


@pytest.fixture(params=["wedge", "serial", *REAL])
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ScannerStand]:
    kind, _, real = request.param.partition("real ")
    made = Real(real) if real else Wedge(tmp_path) if kind == "wedge" else Tty()
    yield made
    made.scanner.close()


def test_nothing_is_told_while_nothing_is_scanned(stand: ScannerStand) -> None:
    assert stand.scanner.read(0.05) == []


def test_each_code_is_told_once_whole_and_in_order(stand: ScannerStand) -> None:
    scans = []
    for line in CODES:
        stand.scan(line)
        scans += stand.scanner.read(1.0)
    assert [(scan.text, scan.format) for scan in scans] == [
        (b"TK1:AB $%*+-./:09Z", ""),
        (b"4912345678904", "ean13"),
        (b"]C18110123\x1d21X", "gs1_128"),
    ]
    assert all(scan.confirmed and scan.seen_mono_ms > 0 for scan in scans)
    assert stand.scanner.read(0.05) == []


def test_a_scanner_that_is_pulled_out_says_so(stand: ScannerStand) -> None:
    stand.pull_out()
    with pytest.raises(PartFailed):
        stand.scanner.read(1.0)
