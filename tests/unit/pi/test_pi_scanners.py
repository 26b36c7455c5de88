"""Hand scanners: what a keyboard wedge's key events and a serial port's bytes become."""

from __future__ import annotations

import os
import re
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.backends import open_scanner
from hal.errors import HalReason, PartFailed, PartMissing
from hal.pi.keys import ENDS, EVENT, GAP_MS, TABLES, Keys
from hal.pi.options import Layout, WedgeOptions
from hal.pi.serial_line import Lines
from hal.pi.wedge import EVIOCGRAB, EVIOCSCLOCKID, WedgeScanner
from hal.scanner import TEXT_BYTES_MAX, scanned
from loyalty.barcode import read as meaning
from loyalty.barcode.kinds import Jan
from tests.pi_models.keyboard import event, typed
from tests.servers import wait_until

COUPON = b"TK1:AB $%*+-./:09Z"
HEADER = Path("/usr/include/linux/input-event-codes.h")

GOLDEN = bytes.fromhex(  # recorded form of a scanner typing 'T', '1', Enter: 24 bytes an event, little-endian, 64-bit
    "0100000000000000 e803000000000000 0100 2a00 01000000"  # left Shift down, at 1.001 s
    "0100000000000000 d007000000000000 0100 1400 01000000"  # T down
    "0100000000000000 d007000000000000 0000 0000 00000000"  # report
    "0100000000000000 b80b000000000000 0100 1400 00000000"  # T up
    "0100000000000000 b80b000000000000 0100 2a00 00000000"  # Shift up
    "0100000000000000 a00f000000000000 0100 0200 01000000"  # 1
    "0100000000000000 8813000000000000 0100 0200 00000000"
    "0100000000000000 7017000000000000 0100 1c00 01000000"  # Enter, at 1.006 s
)


def test_golden_events_of_the_kernel_are_a_line() -> None:
    assert EVENT.size == 24
    (line,) = Keys("us").feed(GOLDEN)
    assert line == (b"T1", 1006)


@pytest.mark.parametrize("layout", ["us", "jp"])
@pytest.mark.parametrize("end", sorted(ENDS))
def test_every_character_of_a_coupon_arrives_on_either_layout(layout: Layout, end: int) -> None:
    (line,) = Keys(layout).feed(typed(COUPON, layout, end=end))
    assert line.text == COUPON


@pytest.mark.parametrize("layout", ["us", "jp"])
def test_every_printable_character_has_a_key(layout: Layout) -> None:
    has = {character for pair in TABLES[layout].values() for character in pair}
    assert set(range(0x20, 0x7F)) <= has


def test_a_gs1_separator_is_ctrl_and_a_bracket() -> None:
    (line,) = Keys("us").feed(typed(b"]C18110123\x1d21X"))
    assert line.text == b"]C18110123\x1d21X"


@given(st.integers(1, 40))
def test_events_may_come_in_any_pieces(piece: int) -> None:
    keys, stream, lines = Keys("us"), typed(COUPON), []
    for start in range(0, len(stream), piece):
        lines += keys.feed(stream[start : start + piece])
    assert [line.text for line in lines] == [COUPON]


@given(st.binary(max_size=400))
def test_nothing_that_a_device_says_breaks_it(noise: bytes) -> None:
    keys = Keys("us")
    for line in keys.feed(noise):
        assert 0 < len(line.text) <= TEXT_BYTES_MAX


def test_what_was_typed_before_a_pause_is_dropped() -> None:
    keys = Keys("us")
    keys.feed(event(30, 1, 0))
    (line,) = keys.feed(typed(b"123", at_ms=GAP_MS + 1))
    assert line.text == b"123"


@pytest.mark.parametrize("hole", [event(3, 0, 1_000, kind=0), event(119, 1, 1_000)])  # events lost; a key unknown here
def test_a_line_with_a_hole_is_dropped_and_the_next_is_read(hole: bytes) -> None:
    keys = Keys("us")
    assert keys.feed(event(2, 1, 1_000) + hole + typed(b"23", at_ms=1_001)) == []
    assert [line.text for line in keys.feed(typed(b"45", at_ms=1_100))] == [b"45"]


def test_a_key_that_is_held_down_types_once() -> None:
    assert Keys("us").feed(event(2, 1, 0) + event(2, 2, 10) * 5 + event(28, 1, 20))[0].text == b"1"


@pytest.mark.skipif(not HEADER.exists(), reason="needs the kernel's headers (linux-libc-dev)")
def test_key_numbers_and_requests_are_the_kernels() -> None:
    names = dict(re.findall(r"#define (KEY_\w+)\s+(\d+)", HEADER.read_text()))
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789":
        assert TABLES["us"][int(names[f"KEY_{letter}"])][0] == ord(letter.lower())
    for name, character in {
        "MINUS": "-", "EQUAL": "=", "LEFTBRACE": "[", "RIGHTBRACE": "]", "SEMICOLON": ";", "APOSTROPHE": "'",
        "GRAVE": "`", "BACKSLASH": "\\", "COMMA": ",", "DOT": ".", "SLASH": "/", "SPACE": " ", "KP7": "7",
        "KPMINUS": "-", "KPPLUS": "+", "KP0": "0", "KPDOT": ".", "KPSLASH": "/", "KPASTERISK": "*",
    }.items():  # fmt: skip
        assert TABLES["us"][int(names[f"KEY_{name}"])][0] == ord(character), name
    assert TABLES["jp"][int(names["KEY_YEN"])] == (0x5C, 0x7C)
    assert {int(names[key]) for key in ("KEY_ENTER", "KEY_KPENTER", "KEY_TAB")} == ENDS
    # _IOW('E', 0x90, int) and _IOW('E', 0xa0, int), by <asm-generic/ioctl.h>
    assert [1 << 30 | 4 << 16 | ord("E") << 8 | number for number in (0x90, 0xA0)] == [EVIOCGRAB, EVIOCSCLOCKID]


# -- the device


@pytest.fixture
def keyboard(tmp_path: Path) -> Iterator[tuple[WedgeScanner, int]]:
    """A pipe in the place of /dev/input/eventN, which a process can make without rights."""
    path = tmp_path / "event0"
    os.mkfifo(path)
    scanner = WedgeScanner(WedgeOptions(device=str(path)), grab=lambda _: None)
    writer = os.open(path, os.O_WRONLY)
    yield scanner, writer
    scanner.close()


def test_a_wedge_tells_scans_and_is_silent_in_between(keyboard: tuple[WedgeScanner, int]) -> None:
    scanner, writer = keyboard
    assert scanner.read(0.01) == []
    os.write(writer, typed(b"]E04912345678904", at_ms=5_000))
    (scan,) = scanner.read(1.0)
    assert (scan.text, scan.format, scan.confirmed) == (b"4912345678904", "ean13", True)
    assert 5_000 <= scan.seen_mono_ms <= 5_100
    os.close(writer)
    with pytest.raises(PartFailed) as gone:
        scanner.read(1.0)
    assert gone.value.reason is HalReason.VANISHED


def test_a_wedge_that_is_not_there_or_no_keyboard_says_so(tmp_path: Path) -> None:
    with pytest.raises(PartMissing, match="not there; what is"):
        open_scanner("wedge", {"device": str(tmp_path / "none")})
    plain = tmp_path / "plain"
    plain.touch()
    with pytest.raises(PartMissing, match="ioctl"):  # it can't be grabbed
        open_scanner("wedge", {"device": str(plain)})


def test_an_unknown_kind_of_scanner_lists_the_kinds() -> None:
    with pytest.raises(PartMissing, match="'wedge', 'serial'"):
        open_scanner("laser", {})


# -- serial


def test_lines_end_with_cr_lf_or_both_and_come_in_any_pieces() -> None:
    lines = Lines()
    assert lines.feed(b"one\r\ntwo\rth") == [b"one", b"two"]
    assert lines.feed(b"ree\n\r\n") == [b"three"]


def test_a_line_without_an_end_is_bounded_and_costs_only_itself() -> None:
    lines = Lines()
    for _ in range(3):
        assert lines.feed(b"x" * TEXT_BYTES_MAX) == []
    assert lines.feed(b"tail\nnext\n") == [b"next"]
    lines.feed(b"y" * (TEXT_BYTES_MAX + 1))
    assert lines.feed(b"short tail\nnext\n") == [b"next"]
    for _ in range(100):
        lines.feed(b"z" * TEXT_BYTES_MAX)
    assert len(lines._rest) <= TEXT_BYTES_MAX


@given(
    st.lists(st.binary(min_size=1, max_size=20).filter(lambda b: not re.search(rb"[\r\n]", b)), max_size=6),
    st.integers(1, 9),
)
def test_whatever_the_pieces_the_lines_are_the_same(sent: list[bytes], piece: int) -> None:
    stream, lines, out = b"".join(line + b"\r\n" for line in sent), Lines(), []
    for start in range(0, len(stream), piece):
        out += lines.feed(stream[start : start + piece])
    assert out == sent


def test_a_serial_scanner_is_read_over_a_real_tty_and_says_when_it_is_pulled_out() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    scanner = open_scanner("serial", {"device": os.ttyname(slave)})
    assert scanner.read(0.01) == []
    os.write(master, b"]Q1TK1:ABC\r4912345678904\r")
    scans: list[tuple[bytes, str]] = []

    def both() -> bool:
        scans.extend((scan.text, scan.format) for scan in scanner.read(0.1))
        return len(scans) == 2

    wait_until(both, 2, "two scans")
    assert scans == [(b"TK1:ABC", "qr"), (b"4912345678904", "")]
    os.close(master)
    os.close(slave)
    with pytest.raises(PartFailed):
        scanner.read(0.1)
    scanner.close()


def test_a_port_that_is_not_there_says_where_to_look() -> None:
    with pytest.raises(PartMissing, match="tokuten doctor"):
        open_scanner("serial", {"device": "/dev/ttyNOTHING"})


# -- what the text is


@pytest.mark.parametrize(
    ("line", "text", "format"),
    [
        (b"]E04912345678904", b"4912345678904", "ean13"),
        (b"]E449123456", b"49123456", "ean8"),
        (b"]C0ABC", b"ABC", "code128"),
        (b"]C18110123", b"]C18110123", "gs1_128"),
        (b"]Q3(01)", b"]Q3(01)", "gs1_qr"),
        (b"]z9ABC", b"ABC", ""),
        (b"ABC", b"ABC", ""),
        (b"]E", b"]E", ""),
    ],
)
def test_an_identifier_says_what_the_symbol_was(line: bytes, text: bytes, format: str) -> None:
    scan = scanned(line, 7)
    assert scan is not None
    assert (scan.text, scan.format, scan.seen_mono_ms) == (text, format, 7)


@pytest.mark.parametrize("line", [b"", b"]E0"])
def test_an_empty_scan_is_none(line: bytes) -> None:
    assert scanned(line, 0) is None


def test_a_jan_from_a_hand_scanner_means_the_same_with_and_without_identifier() -> None:
    for line in (b"]E04912345678904", b"4912345678904"):
        scan = scanned(line, 0)
        assert scan is not None
        assert meaning(scan.text, scan.format) == Jan("4912345678904")
