"""What stands behind the kiosk page: who may speak to it, which pictures it takes, what it draws and tells."""

from __future__ import annotations

import asyncio
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import segno
from PIL import Image
from zxingcpp import read_barcodes

from central.db.schema import Flag
from loyalty.reason import ACCEPTING, Reason
from simulator.kiosk.guard import Guard
from simulator.kiosk.live import PAGES_MAX, QUEUE_MAX, Hub
from simulator.kiosk.pictures import BadPicture, opened, view_jpeg, webcam_frame
from simulator.kiosk.scans import SCANS_MAX, Scans, parse
from simulator.kiosk.symbol import symbol

STATIC = Path(__file__).parents[3] / "simulator" / "kiosk" / "static"
TEXT = "TK1:" + "A1B2C3" * 22


def guarded(kind: str, method: str = "GET", **headers: str) -> int | str:
    """The status of a request that the guard saw: 200 when it was let through."""
    sent: list[dict[str, object]] = []

    async def inner(scope: object, receive: object, send: object) -> None:
        sent.append({"type": "through", "status": 200})

    async def send(message: object) -> None:
        sent.append(message)  # type: ignore[arg-type]

    async def receive() -> object:
        raise AssertionError("the guard reads nothing")

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": kind, "method": method, "headers": pairs}
    asyncio.run(Guard(inner, 8480)(scope, receive, send))  # type: ignore[arg-type]
    return sent[0].get("status", sent[0].get("code"))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("kind", "method", "headers", "status"),
    [
        ("http", "GET", {"host": "127.0.0.1:8480"}, 200),
        ("http", "GET", {"host": "localhost:8480"}, 200),
        ("http", "GET", {"host": "evil.example:8480"}, 403),  # DNS rebinding
        ("http", "GET", {"host": "127.0.0.1:9999"}, 403),
        ("http", "GET", {}, 403),
        ("http", "POST", {"host": "127.0.0.1:8480"}, 200),  # not a browser
        ("http", "POST", {"host": "127.0.0.1:8480", "origin": "http://127.0.0.1:8480"}, 200),
        ("http", "POST", {"host": "127.0.0.1:8480", "origin": "http://evil.example"}, 403),
        ("http", "POST", {"host": "127.0.0.1:8480", "origin": "null"}, 403),
        ("http", "POST", {"host": "127.0.0.1:8480", "sec_fetch_site": "cross-site"}, 403),
        ("http", "DELETE", {"host": "127.0.0.1:8480", "origin": "http://127.0.0.1:8000"}, 403),
        ("websocket", "", {"host": "127.0.0.1:8480", "origin": "http://127.0.0.1:8480"}, 200),
        ("websocket", "", {"host": "127.0.0.1:8480", "origin": "http://evil.example"}, 1008),
        ("websocket", "", {"host": "127.0.0.1:8480"}, 1008),
        ("websocket", "", {"host": "evil.example:8480", "origin": "http://evil.example:8480"}, 1008),
    ],
)
def test_only_pages_of_this_server_may_speak_to_it(
    kind: str, method: str, headers: dict[str, str], status: int
) -> None:
    assert guarded(kind, method, **headers) == status


def as_bytes(picture: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()


def test_a_picture_becomes_grey_upright_and_bounded() -> None:
    assert opened(as_bytes(Image.new("RGB", (300, 200), "red"))).mode == "L"
    assert max(opened(as_bytes(Image.new("L", (5000, 100)))).size) == 2400
    clear = opened(as_bytes(Image.new("RGBA", (10, 10), (0, 0, 0, 0))))
    assert clear.getpixel((5, 5)) == 255
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[274] = 6
    Image.new("L", (40, 20)).save(turned, "JPEG", exif=exif)
    assert opened(turned.getvalue()).size == (20, 40)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no picture at all",
        as_bytes(Image.new("L", (64, 64)))[:50],
        as_bytes(Image.new("1", (9000, 9000))),  # a bomb: small as a file, large when opened
        as_bytes(Image.new("L", (64, 64)), "TIFF"),
        b"\x00" * (8 * 1024 * 1024 + 1),
    ],
    ids=["empty", "text", "cut", "bomb", "another format", "too many bytes"],
)
def test_what_is_no_picture_of_ours_is_refused(body: bytes) -> None:
    with pytest.raises(BadPicture):
        opened(body)


def test_a_webcam_frame_is_a_jpeg_and_nothing_else() -> None:
    assert webcam_frame(as_bytes(Image.new("RGB", (640, 360)), "JPEG")).shape == (360, 640)
    with pytest.raises(BadPicture):
        webcam_frame(as_bytes(Image.new("RGB", (640, 360))))


def test_the_view_is_a_small_jpeg_of_the_frame() -> None:
    grey = np.full((720, 1280), 90, np.uint8)
    view = Image.open(io.BytesIO(view_jpeg(1280, 720, grey.data.cast("B"))))
    assert (view.format, view.size) == ("JPEG", (640, 360))


def drawn(one: dict[str, object]) -> Image.Image:
    rows = one["rows"] if one["kind"] == "qr" else [one["bars"]] * 40
    assert isinstance(rows, list)
    bits = np.array([[c == "1" for c in row] for row in rows])
    image = Image.fromarray(np.where(np.pad(bits, 10), 0, 255).astype(np.uint8))
    return image.resize((image.width * 4, image.height * 4), Image.Resampling.NEAREST)


@pytest.mark.parametrize("text", [TEXT, "4912345678904", "49123456"])
def test_K4_the_symbol_on_the_phone_reads_back_as_the_text(text: str) -> None:
    assert [code.text for code in read_barcodes(drawn(symbol(text)))] == [text]


def test_a_text_that_is_too_long_for_a_coupon_is_no_symbol() -> None:
    with pytest.raises(ValueError, match="at most"):
        symbol("A" * 401)


def test_an_own_code_is_the_alphanumeric_qr_of_version_6() -> None:
    assert len(symbol(TEXT)["rows"]) == 41
    assert segno.make(TEXT, error="m", boost_error=False).version == 6


def step(**fields: object) -> bytes:
    return json.dumps({"event": "scan", **fields}).encode()


def test_the_steps_of_a_scan_come_together_and_a_new_life_of_the_unit_is_another_scan() -> None:
    scans = Scans()
    for number, name in enumerate(("seen", "decoded", "decided", "on_disk")):
        line = parse(step(scan="1", step=name, mono_ms=number, reason="ok" if name == "decided" else ""))
        assert line is not None
        scan = scans.add(line)
    assert scan is not None
    assert list(scan.steps) == ["seen", "decoded", "decided", "on_disk"]
    assert scan.reason == "ok"
    scans.new_life()
    again = parse(step(scan="1", step="seen", mono_ms=9))
    assert again is not None
    scans.add(again)
    assert len(scans.all()) == 2


def test_a_scan_whose_unit_lost_its_power_is_completed_from_the_centres_bookings() -> None:
    scans = Scans()
    for name in ("seen", "decided", "on_disk"):
        line = parse(step(scan="1", step=name, mono_ms=10, wall_ms=1000, campaign=7, position=3, reason="ok"))
        assert line is not None
        scans.add(line)
    row = {"seq": 3, "campaign": 7, "at_ms": 1000, "booked_ms": 9000}
    assert scans.booked([row]) == []  # this life says it itself
    scans.new_life()
    assert scans.booked([{**row, "seq": 4}, {**row, "at_ms": 100_000}]) == []
    assert [scan.steps["booked"].mono_ms for scan in scans.booked([row, {**row, "at_ms": 90_000}])] == [8010]
    assert scans.booked([row]) == []


def test_lines_that_are_no_steps_are_left_alone_and_the_log_is_bounded() -> None:
    scans = Scans()
    assert parse(b"Traceback (most recent call last):") is None
    for other in (step(step="seen"), step(scan="1", step="dreamt"), b'{"event":"started"}'):
        line = parse(other)
        assert line is not None
        assert scans.add(line) is None
    for number in range(SCANS_MAX + 5):
        line = parse(step(scan=str(number), step="seen"))
        assert line is not None
        scans.add(line)
    assert len(scans.all()) == SCANS_MAX


def test_a_page_that_does_not_keep_up_is_let_go_and_pages_are_bounded() -> None:
    async def run() -> None:
        hub = Hub()
        slow = hub.join()
        assert slow is not None
        for _ in range(QUEUE_MAX + 1):
            hub.tell("note")
        with pytest.raises(EOFError):
            await slow.next()
        assert all(hub.join() for _ in range(PAGES_MAX - 1))
        assert hub.join() is None

    asyncio.run(run())


def test_the_page_has_words_for_every_reason_in_both_languages() -> None:
    source = (STATIC / "i18n.js").read_text()
    block = source[source.index("export const reasons") : source.index("export const flags")]
    worded = dict(re.findall(r'(\w+): \["(yes|no)", "[^"]+", "[^"]+"\]', block))
    assert set(worded) == {reason.value for reason in Reason}
    assert {code for code, mood in worded.items() if mood == "yes"} == {reason.value for reason in ACCEPTING}


def test_the_page_has_words_for_every_flag_of_a_booking() -> None:
    source = (STATIC / "i18n.js").read_text()
    block = source[source.index("export const flags") : source.index("let language")]
    assert set(re.findall(r'(\w+): \["[^"]+", "[^"]+"\]', block)) == {name.lower() for name in Flag.__members__}


def test_the_page_has_every_word_in_both_languages() -> None:
    source = (STATIC / "i18n.js").read_text()
    parts = {}
    for language in ("ja", "en"):
        start = source.index(f"const {language} = {{")
        parts[language] = set(re.findall(r"(\w+): [\"“]", source[start : source.index("};", start)]))
    assert parts["ja"] == parts["en"]
    used = set(re.findall(r'data-i18n(?:-label)?="(\w+)"', (STATIC / "index.html").read_text()))
    for module in STATIC.glob("*.js"):
        used |= set(re.findall(r'\bt\("(\w+)"', module.read_text()))
    assert used <= parts["ja"], used - parts["ja"]


def test_the_page_fetches_nothing_from_elsewhere() -> None:
    for path in STATIC.iterdir():
        text = re.sub(r"http://www\.w3\.org/\S+", "", path.read_text())
        assert not re.search(r"https?://(?!\$\{)|@import|url\(", text), path.name
