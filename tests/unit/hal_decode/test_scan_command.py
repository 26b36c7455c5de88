"""`tokuten scan`, run as a person runs it (issue 2, 'What a person can do', 3)."""

from __future__ import annotations

import io
import os
import pty
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nacl.signing import SigningKey
from PIL import Image

from cli.exits import Exit
from edge_agent.store.store import Store
from loyalty.barcode.own import mint
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.coupon import Coupon
from tests.servers import ROOT
from tests.unit.hal_decode.barcode_pictures import EAN13, OTHER_EAN13, Z, page, qr, symbol
from wire.messages import Change, PutCampaign, PutKey, PutSecret

ISSUER = SigningKey(bytes(range(32)))
CAMPAIGN = Campaign(id=1, name="S楽器 1000円券", kind=Kind.AMOUNT, policy=Policy.SIGNED, provider="s", amount_yen=1000)
JAN = Campaign(
    id=2, name="特売", kind=Kind.AMOUNT, policy=Policy.OPEN, provider="s", amount_yen=50, serials=False, jan=EAN13
)
COMMAND = (sys.executable, "-c", "from cli.main import main; main()", "scan")
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "COLUMNS": "200", "TERM": "dumb"}


def scan(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin, capture_output=True, check=False, cwd=ROOT, env=ENVIRONMENT, timeout=60,
    )  # fmt: skip


def rows(result: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in result.stdout.splitlines()]


def own(serial: int = 5, key: SigningKey = ISSUER, campaign: int = 1) -> str:
    return mint(key, Coupon(campaign=campaign, serial=serial, key=7))


def saved(picture: Image.Image, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The data folder of a unit that knows two campaigns."""
    folder = tmp_path / "unit"
    opened = Store(folder, "kiosk-1")
    with opened.transaction():
        changes: list[Change] = [
            PutSecret(b"s" * 32),
            PutKey(7, ISSUER.verify_key.encode()),
            PutCampaign(CAMPAIGN),
            PutCampaign(JAN),
        ]
        opened.cache.apply(changes, b"i" * 16, len(changes))
    opened.close()
    return folder


def test_K5_json_is_one_line_for_each_barcode_with_the_stated_fields(tmp_path: Path) -> None:
    picture = saved(page(qr(own()), symbol(EAN13, Z.EAN13)), tmp_path / "a.png")
    result = scan("--json", picture)
    assert result.returncode == Exit.DONE
    first, second = rows(result)
    assert first == {
        "file": str(picture), "format": "qr", "text": own(), "kind": "own", "verdict": None,
        "says": ["a coupon of campaign 1, signed with key 7"],
    }  # fmt: skip
    assert second == {
        "file": str(picture), "format": "ean13", "text": EAN13, "kind": "jan", "verdict": "unconfirmed",
        "says": ["an EAN/JAN code of 13 digits"],
    }  # fmt: skip
    assert result.stderr == b""


def test_K5_with_a_store_the_verdict_is_the_units_and_nothing_is_written(tmp_path: Path, store: Path) -> None:
    for name, text in (("1good", own()), ("2forged", own(key=SigningKey(b"x" * 32))), ("3strange", own(campaign=99))):
        saved(qr(text), tmp_path / "p" / f"{name}.png")
    saved(page(symbol(EAN13, Z.EAN13)), tmp_path / "p" / "4jan.png")
    saved(qr("https://example.com/"), tmp_path / "p" / "5web.png")
    before = {path.name: path.read_bytes() for path in store.iterdir() if path.suffix not in (".db-shm",)}
    result = scan("--json", "--store", store, tmp_path / "p")
    assert [row["verdict"] for row in rows(result)] == [
        "ok", "not_genuine", "unknown_campaign", "unconfirmed", "not_a_coupon",
    ]  # fmt: skip
    after = {path.name: path.read_bytes() for path in store.iterdir() if path.suffix not in (".db-shm", ".db-wal")}
    assert after.items() <= before.items() | {("store.db-wal", b"")}


def test_two_different_jans_in_one_picture_are_both_told(tmp_path: Path) -> None:
    both = saved(page(symbol(EAN13, Z.EAN13), symbol(OTHER_EAN13, Z.EAN13)), tmp_path / "two.png")
    assert [row["text"] for row in rows(scan("--json", both))] == [EAN13, OTHER_EAN13]


def test_a_folder_is_read_with_all_below_it_in_order_and_stdin_is_a_dash(tmp_path: Path) -> None:
    saved(qr("b"), tmp_path / "b.png")
    saved(qr("a"), tmp_path / "a" / "deep" / "x.jpg")
    (tmp_path / "a" / "notes.txt").write_text("no picture, and not looked at")
    picture = io.BytesIO()
    qr("c").save(picture, "PNG")
    result = scan("--json", tmp_path, "-", stdin=picture.getvalue())
    assert result.returncode == Exit.DONE
    assert [(row["file"], row["text"]) for row in rows(result)] == [
        (str(tmp_path / "a" / "deep" / "x.jpg"), "a"), (str(tmp_path / "b.png"), "b"), ("-", "c"),
    ]  # fmt: skip


def test_a_picture_without_a_barcode_ends_with_1(tmp_path: Path) -> None:
    saved(qr("a"), tmp_path / "a.png")
    saved(Image.new("RGB", (300, 200), "white"), tmp_path / "b.png")
    result = scan(tmp_path)
    assert result.returncode == Exit.NO
    assert b"1 barcode in 2 pictures; none in 1" in result.stdout


def bomb(side_px: int) -> bytes:
    """A PNG of a few hundred bytes that says it holds side_px x side_px pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side_px, side_px, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 10_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_pictures_that_can_not_be_read_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    whole = saved(qr("fine"), tmp_path / "e.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "b.jpg").write_bytes(b"this is a text")
    (tmp_path / "c.png").write_bytes(b"")
    (tmp_path / "d.png").write_bytes(bomb(60_000))
    (tmp_path / "d2.png").write_bytes(bomb(9_000))
    result = scan("--json", tmp_path, tmp_path / "gone.png")
    assert result.returncode == Exit.USAGE
    assert [row["text"] for row in rows(result)] == ["fine"]
    complaints = result.stderr.decode().splitlines()
    named = [Path(line.partition(": ")[0]).name for line in complaints]
    assert named == ["a.png", "b.jpg", "c.png", "d.png", "d2.png", "gone.png"]
    assert "million" in complaints[3]
    assert "million" in complaints[4]


def test_bytes_that_are_no_utf_8_and_control_characters_are_shown_escaped(tmp_path: Path) -> None:
    raw = saved(qr(b"a\xff\xfeb"), tmp_path / "raw.png")
    assert [row["text"] for row in rows(scan("--json", raw))] == ["a\\xff\\xfeb"]
    colours = saved(qr("\x1b[31mred"), tmp_path / "esc.png")
    table = scan(colours)
    assert b"\x1b" not in table.stdout
    assert b"\\x1b[31mred" in table.stdout


def test_the_table_loses_nothing_of_a_long_text(tmp_path: Path) -> None:
    table = scan(saved(qr(own()), tmp_path / "a.png")).stdout.decode()
    joined = "".join(line[line.find("TK1") if "TK1" in line else 0 :] for line in table.splitlines())
    assert own()[:20] in joined
    assert own()[-10:] in joined


def test_wrong_use_is_2_and_a_store_that_is_not_there_is_4(tmp_path: Path) -> None:
    picture = saved(qr("a"), tmp_path / "a.png")
    assert scan().returncode == Exit.USAGE
    assert scan("-", "-").returncode == Exit.USAGE
    (tmp_path / "empty").mkdir()
    assert scan(tmp_path / "empty").returncode == Exit.USAGE
    missing = scan("--store", tmp_path / "nowhere", picture)
    assert missing.returncode == Exit.MISSING
    assert missing.stdout == b""


def test_the_exit_codes_stand_in_the_help() -> None:
    shown = " ".join(scan("--help").stdout.decode().split())
    for words in (
        "0 a barcode was found in every picture",
        "1 in at least one there was none",
        "2 wrong use",
        "4 the store",
    ):
        assert words in shown


def test_a_person_at_a_terminal_sees_a_progress_bar_on_stderr(tmp_path: Path) -> None:
    for number in range(3):
        saved(qr(str(number)), tmp_path / f"{number}.png")
    ours, theirs = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": "xterm"}
    with subprocess.Popen(
        [*COMMAND, "--json", str(tmp_path)], stdout=subprocess.PIPE, stderr=theirs, cwd=ROOT, env=environment
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(ours, 4096):
                shown += data
        except OSError:
            pass  # the terminal's other end is closed: EIO
        out, _ = process.communicate(timeout=60)
    os.close(ours)
    assert b"3/3" in shown
    assert len(out.splitlines()) == 3
